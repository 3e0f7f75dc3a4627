package pool

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/hal0-dev/hal0/plugin/wire"
	"github.com/hal0-dev/hal0/sidecar/internal/slot"
	"github.com/hal0-dev/hal0/sidecar/internal/slot/slottest"
)

// bench is one pool under test, in a bubble.
type bench struct {
	*Pool
	t     *testing.T
	start time.Time
}

func newBench(t *testing.T, c Config, specs ...Spec) *bench {
	t.Helper()
	c.Log = hclog.New(&hclog.LoggerOptions{Output: testWriter{t}, Level: hclog.Info, DisableTime: false})
	c.Illegal = func(err error) { t.Error(err) }
	b := &bench{Pool: New(c), t: t, start: time.Now()}
	b.Configure(specs)
	t.Cleanup(func() {
		if err := b.Close(context.Background()); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return b
}

type testWriter struct{ t *testing.T }

func (w testWriter) Write(b []byte) (int, error) { w.t.Logf("%s", b); return len(b), nil }

func spec(id string, l slot.Launcher, change ...func(*wire.Model)) Spec {
	m := wire.Model{Slot: id, Parallel: 1}
	for _, c := range change {
		c(&m)
	}
	return Spec{Model: m, Launcher: l}
}

func parallel(n int64) func(*wire.Model) { return func(m *wire.Model) { m.Parallel = n } }
func memoryOf(n int64) func(*wire.Model) { return func(m *wire.Model) { m.Memory = n } }
func unload(d time.Duration) func(*wire.Model) {
	return func(m *wire.Model) { m.UnloadAfterMS = d.Milliseconds() }
}

// get waits for a lease.
func (b *bench) get(id string) *slot.Lease {
	b.t.Helper()
	l, err := b.Request(Request{Slot: id, Lane: "a"}).Lease(context.Background())
	if err != nil {
		b.t.Fatalf("lease of %s: %v", id, err)
	}
	return l
}

// refused waits for a refusal.
func (b *bench) refused(id string) *Refusal {
	b.t.Helper()
	l, err := b.Request(Request{Slot: id, Lane: "a"}).Lease(context.Background())
	if err == nil {
		l.Release()
		b.t.Fatalf("lease of %s was granted", id)
	}
	r, ok := errors.AsType[*Refusal](err)
	if !ok {
		b.t.Fatalf("lease of %s: %v", id, err)
	}
	return r
}

func (b *bench) at() time.Duration { return time.Since(b.start) }

func (b *bench) wantAt(want time.Duration) {
	b.t.Helper()
	if got := b.at(); got != want {
		b.t.Errorf("now is %s, want %s", got, want)
	}
}

func (b *bench) state(id string) slot.Snapshot {
	b.t.Helper()
	for _, s := range b.Snapshot() {
		if s.ID == id {
			return s
		}
	}
	b.t.Fatalf("there is no slot %s", id)
	return slot.Snapshot{}
}

func (b *bench) wantState(id string, want slot.State) {
	b.t.Helper()
	if got := b.state(id).State; got != want {
		b.t.Errorf("%s is %s, want %s", id, got.Full(), want.Full())
	}
}

func TestHundredWaitersOneLaunch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := slottest.New(slottest.Behaviour{Boot: 40 * time.Second})
		b := newBench(t, Config{}, spec("a", l, parallel(4)))
		var wg sync.WaitGroup
		var mu sync.Mutex
		var served []time.Duration
		for i := range 100 {
			ticket := b.Request(Request{Slot: "a", Lane: fmt.Sprint(i % 7)})
			if !ticket.Cold() {
				t.Error("ticket is not cold")
			}
			wg.Go(func() {
				lease, err := ticket.Lease(t.Context())
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				served = append(served, b.at())
				mu.Unlock()
				time.Sleep(time.Second)
				lease.Release()
			})
		}
		wg.Wait()
		if got := l.Launches(); got != 1 {
			t.Errorf("%d launches, want 1", got)
		}
		for i, at := range served {
			// the engine's own "listening" line at 40 s is probed at once
			if want := 40*time.Second + time.Duration(i/4)*time.Second; at != want {
				t.Errorf("flight %d was served at %s, want %s", i, at, want)
			}
		}
		if b.Request(Request{Slot: "a"}).Cold() {
			t.Error("a ticket of a slot that is up is cold")
		}
	})
}

func TestRequesterLeavesLoadStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := slottest.New(slottest.Behaviour{Boot: 40 * time.Second})
		b := newBench(t, Config{}, spec("a", l))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		ticket := b.Request(Request{Slot: "a"})
		if _, err := ticket.Lease(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("error is %v, want the context's", err)
		}
		ticket.Cancel()
		time.Sleep(44 * time.Second)
		b.wantState("a", slot.Ready)
		warm := b.Request(Request{Slot: "a"})
		if warm.Cold() {
			t.Error("the next request is cold")
		}
		lease, err := warm.Lease(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		lease.Release()
		b.wantAt(45 * time.Second)
		if got := l.Launches(); got != 1 {
			t.Errorf("%d launches, want 1", got)
		}
	})
}

func TestLoadingAfterReadyLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := slottest.New(slottest.Behaviour{Boot: 5 * time.Second, LoadingFor: 3 * time.Second})
		b := newBench(t, Config{}, spec("a", l, parallel(3)))
		var wg sync.WaitGroup
		for range 10 {
			ticket := b.Request(Request{Slot: "a", Lane: "x"})
			wg.Go(func() {
				lease, err := ticket.Lease(t.Context())
				if err != nil {
					t.Error(err)
					return
				}
				defer lease.Release()
				for l.Last().Busy() { // the engine answers 503 Loading model
					if err := lease.Loading(t.Context()); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		wg.Wait()
		if at := b.at(); at < 8*time.Second || at > 8*time.Second+260*time.Millisecond {
			t.Errorf("served at %s, want within a probe of 8 s", at)
		}
		if got := l.Launches(); got != 1 {
			t.Errorf("%d launches, want 1", got)
		}
	})
}

func TestQueueFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{Queue: 2}, spec("a", slottest.New(slottest.Behaviour{Boot: time.Second})))
		first, second := b.Request(Request{Slot: "a"}), b.Request(Request{Slot: "a"})
		r := b.refused("a")
		if r.Code != wire.CodeQueueFull || r.Status() != 429 || r.RetryAfter() == "" {
			t.Errorf("refusal is %v, status %d, Retry-After %q", r, r.Status(), r.RetryAfter())
		}
		first.Cancel()
		third := b.Request(Request{Slot: "a"})
		for _, ticket := range []*Ticket{second, third} {
			lease, err := ticket.Lease(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			lease.Release()
		}
	})
}

func TestIdleUnload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := slottest.New(slottest.Behaviour{Boot: time.Second, TermTime: 2 * time.Second})
		b := newBench(t, Config{}, spec("a", l, unload(time.Minute)))
		lease := b.get("a")
		time.Sleep(2 * time.Minute) // a lease keeps it
		b.wantState("a", slot.Serving)
		lease.Release()
		time.Sleep(59 * time.Second)
		b.wantState("a", slot.Idle)
		time.Sleep(2 * time.Second)
		b.wantState("a", slot.UnloadingStop)
		// a request that comes now is held and starts it again
		b.get("a").Release()
		b.wantAt(time.Second + 2*time.Minute + time.Minute + 2*time.Second + time.Second)
		if got := l.Launches(); got != 2 {
			t.Errorf("%d launches, want 2", got)
		}
	})
}

func TestCrashRevokesAndRestarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := slottest.New(slottest.Behaviour{Boot: time.Second})
		b := newBench(t, Config{}, spec("a", l))
		lease := b.get("a")
		waiting := b.Request(Request{Slot: "a", Lane: "b"})
		l.Last().Crash(slot.Exit{Code: -1, Signal: "killed", Class: slot.ClassCrash})
		<-lease.Lost()
		if loss := lease.Loss(); loss.Why != slot.WhyCrashed || loss.Code() != wire.CodeCrashed || loss.Exit.Signal != "killed" {
			t.Errorf("loss is %+v", loss)
		}
		b.wantAt(time.Second)
		lease.Release()
		_, err := waiting.Lease(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		b.wantAt(time.Second + time.Second + time.Second) // boot, pause, boot
		if got := b.state("a").Failures; got != 1 {
			t.Errorf("%d failures are counted, want 1", got)
		}
	})
}
