//go:build go1.21

package plugin

import (
	"context"
	"os"
	"os/signal"
	"reflect"
	"sync"
	"time"
)

// terminator learns that Traefik is being stopped. Traefik itself waits for
// streams and then cuts them; the edge ends them with an event before that.
type terminator struct {
	once   sync.Once
	ctx    context.Context // done when the signal has come
	cancel context.CancelFunc
}

var stopping = newTerminator()

func newTerminator() *terminator {
	t := &terminator{}
	t.ctx, t.cancel = context.WithCancel(context.Background())
	return t
}

// listen registers for the signals, once for all instances. The one goroutine
// that it starts lives as long as the process, as the registration does.
func (t *terminator) listen() {
	t.once.Do(func() {
		c := make(chan os.Signal, 1)
		signal.Notify(c, os.Interrupt, sigterm())
		go func() {
			<-c
			t.cancel()
		}()
	})
}

// sigterm makes SIGTERM of the type of os.Interrupt: package syscall does not
// exist for interpreted code, and os names only two signals.
func sigterm() os.Signal {
	v := reflect.New(reflect.TypeOf(os.Interrupt)).Elem()
	v.SetInt(15)
	return v.Interface().(os.Signal)
}

// after runs act once the signal has come and delay has passed. The result
// takes that back.
func (t *terminator) after(delay time.Duration, act func()) func() bool {
	return context.AfterFunc(t.ctx, func() { time.AfterFunc(delay, act) })
}
