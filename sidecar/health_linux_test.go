package main

import (
	"context"
	"syscall"
	"testing"
	"time"

	"github.com/hal0-dev/hal0/sidecar/internal/slot"
)

// free is memory that nobody counts.
type free struct{}

func (free) Settle(context.Context, int) {}
func (free) Quarantine()                 {}
func (free) Release()                    {}

// An engine that is stopped answers nothing and holds its memory: it is found,
// ended although TERM does nothing to it, and replaced.
func TestStoppedEngineIsReplaced(t *testing.T) {
	b := newBox(t, nil)
	reports := make(chan slot.Report, 64)
	s := slot.New(slot.Config{
		ID: "primary", Launcher: b.of(demoModel("--tokens-per-second 0")), Report: func(r slot.Report) { reports <- r },
		Health: 50 * time.Millisecond, Hung: 200 * time.Millisecond, Grace: 50 * time.Millisecond,
		Backoff: slot.Backoff{First: time.Millisecond},
	})
	defer func() { s.Close(); <-s.Done() }()
	until := func(what func(slot.Report) bool) slot.Report {
		t.Helper()
		for {
			select {
			case r := <-reports:
				if what(r) {
					return r
				}
			case <-time.After(time.Minute):
				t.Fatal("no such report")
			}
		}
	}
	in := func(want slot.State) func(slot.Report) bool {
		return func(r slot.Report) bool { return r.State == want }
	}
	up := func() slot.Report {
		t.Helper()
		s.Want()
		asked := until(in(slot.StartingMemory))
		s.Start(asked.Incarnation, slot.Start{Memory: free{}, Launcher: b.of(demoModel("--tokens-per-second 0")), Budget: time.Minute})
		return until(in(slot.Ready))
	}
	first := up()
	leases := make(chan *slot.Lease, 1)
	s.Grant(nil, false, func(l *slot.Lease) bool { leases <- l; return true })
	lease := <-leases
	if err := syscall.Kill(first.PID, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	<-lease.Lost()
	if why := lease.Loss().Why; why != slot.WhyHung {
		t.Errorf("the lease was lost because of %v", why)
	}
	lease.Release()
	until(in(slot.Offline))
	if err := syscall.Kill(first.PID, 0); err != syscall.ESRCH {
		t.Errorf("process %d is still there: %v", first.PID, err)
	}
	if next := up(); next.PID == first.PID || next.Incarnation == first.Incarnation {
		t.Errorf("was %d of %d, is %d of %d", first.PID, first.Incarnation, next.PID, next.Incarnation)
	}
}
