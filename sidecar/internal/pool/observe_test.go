package pool

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hal0-dev/hal0/sidecar/internal/slot"
	"github.com/hal0-dev/hal0/sidecar/internal/slot/slottest"
)

// notes is an Observer that writes down what it hears.
type notes struct {
	mu    sync.Mutex
	heard []string // guarded by mu
}

func (n *notes) note(format string, args ...any) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.heard = append(n.heard, fmt.Sprintf(format, args...))
}

func (n *notes) Granted(id string, d time.Duration, cold bool) {
	n.note("granted %s after %s cold %t", id, d, cold)
}
func (n *notes) Booted(id string, d time.Duration, again bool) {
	n.note("booted %s in %s again %t", id, d, again)
}
func (n *notes) Failed(id string, c slot.Class) { n.note("failed %s: %s", id, c) }
func (n *notes) Leaving(id string, w slot.Why)  { n.note("leaving %s: %s", id, w) }
func (n *notes) Removed(id string)              { n.note("removed %s", id) }

func TestObserver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := slottest.New(slottest.Behaviour{Boot: time.Second})
		n := &notes{}
		b := newBench(t, Config{Observer: n}, spec("a", l, unload(time.Minute)))
		first := b.get("a")
		l.Last().Crash(slot.Exit{Code: -1, Class: slot.ClassCrash})
		<-first.Lost()
		first.Release()
		synctest.Wait()
		b.get("a").Release()
		b.get("a").Release()
		if err := b.Unload(context.Background(), "a"); err != nil {
			t.Fatal(err)
		}
		b.Configure(nil)
		synctest.Wait()
		want := []string{
			"booted a in 1s again false", "granted a after 1s cold true", "failed a: crash",
			"booted a in 1s again true", "granted a after 2s cold true", "granted a after 0s cold false",
			"leaving a: hand", "removed a",
		}
		if !slices.Equal(n.heard, want) {
			t.Errorf("heard %q,\nwant  %q", n.heard, want)
		}
	})
}

func TestWatchTellsRemoval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{}, spec("a", slottest.New(slottest.Behaviour{})))
		changes, stop := b.Watch()
		defer stop()
		if s := <-changes; s.ID != "a" || s.Removed {
			t.Fatalf("first change is %+v", s)
		}
		b.Configure(nil)
		for s := range changes {
			if s.Removed {
				return
			}
		}
		t.Error("nobody tells that the slot is gone")
	})
}
