//go:build unix

package plugin

import (
	"os"
	"os/signal"
	"syscall"
	"testing"
)

// The signal is made by reflection; it is the one that the system sends.
func TestSIGTERM(t *testing.T) {
	if sigterm() != syscall.SIGTERM {
		t.Fatalf("sigterm() = %v", sigterm())
	}
	c := make(chan os.Signal, 1)
	signal.Notify(c, sigterm())
	defer signal.Stop(c)
	term := newTerminator()
	term.listen()
	term.listen()
	if err := syscall.Kill(os.Getpid(), syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	<-term.ctx.Done()
	<-c
}
