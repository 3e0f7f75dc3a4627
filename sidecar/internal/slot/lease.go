package slot

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/hal0-dev/hal0/plugin/wire"
)

// ErrLost is returned when a lease was lost while something waited on it.
var ErrLost = errors.New("lease is lost")

// Why says why a slot leaves, or a lease was lost.
type Why string

const (
	WhyIdle     Why = "idle"     // nobody used it
	WhyEvicted  Why = "evicted"  // another slot needs its memory
	WhyChanged  Why = "changed"  // its declaration changed
	WhyHand     Why = "hand"     // somebody said so
	WhyRemoved  Why = "removed"  // nobody declares it any more
	WhyShutdown Why = "shutdown" // the sidecar ends
	WhyAbandon  Why = "abandon"  // nobody waits for it any more
	WhyCrashed  Why = "crashed"  // the process ended
	WhyHung     Why = "hung"     // the process shows no life
)

// Loss is why a lease was lost.
type Loss struct {
	Why  Why
	Exit Exit
}

// Code is the wire code of the loss.
func (l Loss) Code() string {
	switch l.Why {
	case WhyCrashed:
		if l.Exit.Class == ClassGPU {
			return wire.CodeDeviceLost
		}
		return wire.CodeCrashed
	case WhyHung:
		return wire.CodeStalled
	case WhyShutdown:
		return wire.CodeShutdown
	}
	return wire.CodeUnloading
}

// Lease is the right to send the engine one request. Its methods may be called
// from any goroutine.
type Lease struct {
	slot        *Slot
	incarnation uint64
	endpoint    Endpoint
	frames      *frames
	since       time.Time
	up          time.Time // when the engine became ready
	retry       bool      // of a request that already went down with one engine

	lost     chan struct{}
	loss     Loss // written by the slot's goroutine before lost is closed
	released atomic.Bool
	proved   atomic.Bool
}

// Endpoint is where to send the request.
func (l *Lease) Endpoint() Endpoint { return l.endpoint }

// Incarnation is the number of the engine process, for logs.
func (l *Lease) Incarnation() uint64 { return l.incarnation }

// Up is when the engine became ready.
func (l *Lease) Up() time.Time { return l.up }

// Lost is closed when the slot leaves under the lease.
func (l *Lease) Lost() <-chan struct{} { return l.lost }

// Loss says why; it is the zero value before Lost is closed.
func (l *Lease) Loss() Loss {
	select {
	case <-l.lost:
		return l.loss
	default:
		return Loss{}
	}
}

// Release gives the lease back; again is nothing.
func (l *Lease) Release() {
	if l.released.CompareAndSwap(false, true) {
		l.slot.in.Put(message{incarnation: l.incarnation, run: func(a *actor) { a.released(l) }})
	}
}

// Proved says that the request got a frame: the engine survived it so far, and
// is alive. Call it for each frame; after the first it costs an atomic add.
func (l *Lease) Proved() {
	l.frames.Add(1)
	if !l.proved.Load() && l.proved.CompareAndSwap(false, true) {
		l.slot.in.Put(message{incarnation: l.incarnation, run: func(a *actor) { a.proved(l) }})
	}
}

// Loading tells the slot that the engine answered that it is loading, and
// waits until it is up again: nil means that the request can be sent again.
// Else it is ErrLost or ctx's error.
func (l *Lease) Loading(ctx context.Context) error {
	up := make(chan struct{})
	l.slot.in.Put(message{incarnation: l.incarnation, run: func(a *actor) { a.doubted(up) }})
	select {
	case <-up:
		return nil
	case <-l.lost:
		return ErrLost
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// lose revokes the lease; called once, by the slot's goroutine.
func (l *Lease) lose(why Loss) {
	l.loss = why
	close(l.lost)
}
