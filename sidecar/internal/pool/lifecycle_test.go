package pool

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hal0-dev/hal0/plugin/wire"
	"github.com/hal0-dev/hal0/sidecar/internal/slot"
	"github.com/hal0-dev/hal0/sidecar/internal/slot/slottest"
)

func TestCrashOnEveryBoot(t *testing.T) {
	bubble("held through pauses, then the breaker, then again", t, func(t *testing.T) {
		l := slottest.New(slottest.Behaviour{Boot: time.Hour, CrashAfter: time.Second, Crash: slot.Exit{Code: 1, Class: slot.ClassCrash}})
		b := newBench(t, Config{}, spec("a", l))
		var at time.Duration
		for i, pause := range []time.Duration{0, 1, 2, 4, 8} {
			at += pause*time.Second + time.Second // held through the pause, then told of the boot
			r := b.refused("a")
			b.wantAt(at)
			if r.Code != wire.CodeLoadFailed || r.Status() != 502 || r.Details.Exit != "crash" {
				t.Errorf("refusal %d is %+v", i, r)
			}
		}
		for range 3 { // the breaker is open: at once
			r := b.refused("a")
			b.wantAt(at)
			if r.Code != wire.CodeCrashLooping || r.Details.RetryAfterS < 16 || r.Details.RetryAfterS > 20 || !r.Details.Retryable {
				t.Errorf("refusal is %+v", r)
			}
		}
		if got := l.Launches(); got != 5 {
			t.Errorf("%d launches, want 5", got)
		}
		l.Set(slottest.Behaviour{})
		time.Sleep(16*time.Second + time.Millisecond)
		b.get("a").Release()
	})
	bubble("a mass failure does not come back at once", t, func(t *testing.T) {
		b := newBench(t, Config{}, spec("a", slottest.New(slottest.Behaviour{LaunchErr: &slot.LaunchError{Class: slot.ClassGPU, Err: errors.New("x")}, LaunchTime: time.Second})))
		var tickets []*Ticket
		for range 10 {
			tickets = append(tickets, b.Request(Request{Slot: "a"}))
		}
		seen := map[string]int{}
		for _, ticket := range tickets {
			_, err := ticket.Lease(t.Context())
			if r, ok := errors.AsType[*Refusal](err); ok {
				seen[r.RetryAfter()]++
			}
		}
		if len(seen) != 5 || seen["1"] != 2 {
			t.Errorf("Retry-After is %v", seen)
		}
	})
	bubble("a file that is missing", t, func(t *testing.T) {
		l := slottest.New(slottest.Behaviour{LaunchErr: &slot.LaunchError{Class: slot.ClassBadModel, Err: errors.New("/secret/path")}})
		b := newBench(t, Config{}, spec("a", l))
		for range 3 {
			r := b.refused("a")
			if r.Code != wire.CodeLoadFailed || r.Details.Retryable || r.RetryAfter() != "" || strings.Contains(r.Message, "secret") {
				t.Errorf("refusal is %+v", r)
			}
		}
		b.wantAt(0)
		if got := l.Launches(); got != 1 {
			t.Errorf("%d launches, want 1", got)
		}
		l.Set(slottest.Behaviour{})
		l.SetStamp("it is there")
		time.Sleep(2100 * time.Millisecond)
		b.get("a").Release()
	})
	bubble("by hand it is tried again", t, func(t *testing.T) {
		l := slottest.New(slottest.Behaviour{LaunchErr: &slot.LaunchError{Class: slot.ClassBadModel, Err: errors.New("x")}})
		b := newBench(t, Config{}, spec("a", l))
		err := b.Load(t.Context(), "a")
		if r, ok := errors.AsType[*Refusal](err); !ok || r.Code != wire.CodeLoadFailed {
			t.Errorf("load: %v", err)
		}
		l.Set(slottest.Behaviour{})
		if err := b.Load(t.Context(), "a"); err != nil {
			t.Errorf("load: %v", err)
		}
		b.wantState("a", slot.Ready)
		if err := b.Load(t.Context(), "a"); err != nil { // it is up
			t.Errorf("load: %v", err)
		}
		b.wantAt(0)
	})
	bubble("the port was taken: nobody hears of it", t, func(t *testing.T) {
		l := slottest.New(slottest.Behaviour{Boot: time.Hour, CrashAfter: time.Second, Crash: slot.Exit{Code: 1, Class: slot.ClassPort}})
		b := newBench(t, Config{}, spec("a", l))
		ticket := b.Request(Request{Slot: "a"})
		time.Sleep(1500 * time.Millisecond)
		l.Set(slottest.Behaviour{Boot: time.Second})
		lease, err := ticket.Lease(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		lease.Release()
		b.wantAt(3 * time.Second)
	})
}

func TestUnloadByHand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := slottest.New(slottest.Behaviour{Boot: time.Second, TermTime: time.Second})
		b := newBench(t, Config{Drain: 5 * time.Second}, spec("a", l))
		lease := b.get("a")
		waiting := b.Request(Request{Slot: "a"})
		done := make(chan error)
		go func() { done <- b.Unload(t.Context(), "a") }()
		_, err := waiting.Lease(t.Context())
		if r, ok := errors.AsType[*Refusal](err); !ok || r.Code != wire.CodeUnloading || r.Status() != 503 {
			t.Errorf("who waited hears %v", err)
		}
		late := b.Request(Request{Slot: "a"}) // starts it again
		<-lease.Lost()
		b.wantAt(6 * time.Second)
		if err := <-done; err != nil {
			t.Error(err)
		}
		b.wantAt(7 * time.Second)
		if l, err := late.Lease(t.Context()); err != nil {
			t.Error(err)
		} else {
			l.Release()
		}
		b.wantAt(8 * time.Second)
		if err := b.Unload(t.Context(), "nothing"); err == nil {
			t.Error("a slot that is not there was unloaded")
		}
	})
}

func TestRestartHoldsWhoWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := slottest.New(slottest.Behaviour{Boot: time.Second})
		b := newBench(t, Config{}, spec("a", l))
		lease := b.get("a")
		waiting := b.Request(Request{Slot: "a"})
		time.AfterFunc(3*time.Second, lease.Release)
		if err := b.Restart(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		got, err := waiting.Lease(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		got.Release()
		b.wantAt(5 * time.Second)
		if got := l.Launches(); got != 2 {
			t.Errorf("%d launches, want 2", got)
		}
	})
}

func TestConfigureMovesOnlyWhatChanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		la, lb := slottest.New(slottest.Behaviour{}), slottest.New(slottest.Behaviour{})
		b := newBench(t, Config{}, spec("a", la), spec("b", lb), spec("c", slottest.New(slottest.Behaviour{})))
		a, c := b.get("a"), b.get("b")
		gone := b.get("c")
		pid := b.state("a").PID
		waiting := b.Request(Request{Slot: "b", Lane: "x"})
		nowhere := b.Request(Request{Slot: "c", Lane: "x"})
		lb2 := slottest.New(slottest.Behaviour{})
		changed := spec("b", lb2, parallel(2))
		b.Configure([]Spec{spec("a", la), changed, spec("d", slottest.New(slottest.Behaviour{}))})

		if _, err := nowhere.Lease(t.Context()); err == nil {
			t.Error("a lease of a slot that is gone was granted")
		} else if r, _ := errors.AsType[*Refusal](err); r.Code != wire.CodeModelNotFound {
			t.Errorf("refusal is %v", r)
		}
		time.Sleep(10 * time.Second)
		if waiting.gone() {
			t.Error("a slot that changed grants a lease")
		}
		c.Release()
		lease, err := waiting.Lease(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if lb.Launches() != 1 || lb2.Launches() != 1 {
			t.Errorf("%d launches of the old engine, %d of the new", lb.Launches(), lb2.Launches())
		}
		second := b.get("b") // beside the first, as now declared
		if s := b.state("a"); s.PID != pid || s.State != slot.Serving {
			t.Errorf("a moved: %+v", s)
		}
		select {
		case <-a.Lost():
			t.Error("a's stream was cut")
		default:
		}
		b.get("d").Release()
		<-gone.Lost() // drained for 30 s
		if got := gone.Loss(); got.Why != slot.WhyRemoved || got.Code() != wire.CodeUnloading {
			t.Errorf("loss is %+v", got)
		}
		b.wantAt(30 * time.Second)
		for _, l := range []*slot.Lease{a, lease, second, gone} {
			l.Release()
		}
		time.Sleep(time.Second)
		var ids []string
		for _, s := range b.Snapshot() {
			ids = append(ids, s.ID)
		}
		if want := []string{"a", "b", "d"}; !slices.Equal(ids, want) {
			t.Errorf("slots are %v, want %v", ids, want)
		}
	})
}

func TestConfigureWhileGoing(t *testing.T) {
	bubble("declared again before it is gone", t, func(t *testing.T) {
		old, fresh := slottest.New(slottest.Behaviour{}), slottest.New(slottest.Behaviour{})
		b := newBench(t, Config{}, spec("a", old))
		lease := b.get("a")
		b.Configure(nil)
		b.Configure([]Spec{spec("a", fresh, parallel(3))})
		time.AfterFunc(2*time.Second, lease.Release)
		time.Sleep(3 * time.Second)
		b.get("a").Release()
		if old.Launches() != 1 || fresh.Launches() != 1 {
			t.Errorf("%d launches of the old engine, %d of the new", old.Launches(), fresh.Launches())
		}
	})
	bubble("changed while it boots", t, func(t *testing.T) {
		old, fresh := slottest.New(slottest.Behaviour{Boot: time.Minute}), slottest.New(slottest.Behaviour{Boot: time.Second})
		b := newBench(t, Config{}, spec("a", old))
		ticket := b.Request(Request{Slot: "a"})
		time.Sleep(10 * time.Second)
		b.Configure([]Spec{spec("a", fresh, parallel(3))})
		lease, err := ticket.Lease(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		lease.Release()
		b.wantAt(11 * time.Second)
	})
	bubble("changed after it failed for good", t, func(t *testing.T) {
		old := slottest.New(slottest.Behaviour{LaunchErr: &slot.LaunchError{Class: slot.ClassBadArgument, Err: errors.New("x")}})
		b := newBench(t, Config{}, spec("a", old))
		b.refused("a")
		b.Configure([]Spec{spec("a", slottest.New(slottest.Behaviour{}), parallel(3))})
		b.get("a").Release()
		b.wantAt(0)
	})
	bubble("only the idle time changes", t, func(t *testing.T) {
		l := slottest.New(slottest.Behaviour{})
		s := spec("a", l)
		s.Fingerprint = "same"
		b := newBench(t, Config{}, s)
		b.get("a").Release()
		s.Model.UnloadAfterMS = 5000
		b.Configure([]Spec{s})
		time.Sleep(4 * time.Second)
		b.wantState("a", slot.Idle)
		time.Sleep(2 * time.Second)
		b.wantState("a", slot.Offline)
	})
}

// TestRetries: what went down with an engine is tried again at the head of its
// lane, one at a time until one has got a frame.
func TestRetries(t *testing.T) {
	bubble("at the head of their lane, one at a time", t, func(t *testing.T) {
		l := slottest.New(slottest.Behaviour{})
		b := newBench(t, Config{}, spec("a", l, parallel(4)))
		var leases []*slot.Lease
		for range 4 {
			leases = append(leases, b.get("a"))
		}
		other := b.Request(Request{Slot: "a", Lane: "a"})
		l.Last().Crash(slot.Exit{Code: 139, Class: slot.ClassCrash})
		var retries []*Ticket
		for _, l := range leases {
			<-l.Lost()
			l.Release()
			retries = append(retries, b.Request(Request{Slot: "a", Lane: "a", Front: true}))
		}
		time.Sleep(10 * time.Second)
		granted := func() (n int) {
			for _, r := range retries {
				if r.gone() {
					n++
				}
			}
			return n
		}
		if got := granted(); got != 1 || other.gone() {
			t.Errorf("%d retries were granted, and the one behind them: %t; want one alone", got, other.gone())
		}
		i := slices.IndexFunc(retries, func(r *Ticket) bool { return r.gone() })
		first, err := retries[i].Lease(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		first.Proved()
		time.Sleep(time.Second)
		if got := granted(); got != 4 {
			t.Errorf("%d retries were granted after one got a frame, want 4", got)
		}
		first.Release()
		lease, err := other.Lease(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		lease.Release()
	})
	bubble("a poisonous one goes down alone", t, func(t *testing.T) {
		l := slottest.New(slottest.Behaviour{})
		b := newBench(t, Config{}, spec("a", l, parallel(4)))
		one, two := b.Request(Request{Slot: "a", Front: true}), b.Request(Request{Slot: "a", Front: true})
		lease, err := two.Lease(t.Context()) // the head of its lane: the last that came
		if err != nil {
			t.Fatal(err)
		}
		l.Last().Crash(slot.Exit{Code: 139, Class: slot.ClassCrash})
		<-lease.Lost()
		lease.Release()
		lease, err = one.Lease(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		lease.Proved()
		lease.Release()
	})
}

func TestCancel(t *testing.T) {
	bubble("gives back what was granted meanwhile", t, func(t *testing.T) {
		b := newBench(t, Config{}, spec("a", slottest.New(slottest.Behaviour{})))
		b.get("a").Release()
		ticket := b.Request(Request{Slot: "a"})
		synctest.Wait()
		b.wantState("a", slot.Serving)
		ticket.Cancel()
		ticket.Cancel()
		synctest.Wait()
		b.wantState("a", slot.Idle)
		if _, err := ticket.Lease(t.Context()); !errors.Is(err, context.Canceled) {
			t.Errorf("error is %v", err)
		}
	})
	bubble("lets a lease alone that its owner has", t, func(t *testing.T) {
		b := newBench(t, Config{}, spec("a", slottest.New(slottest.Behaviour{})))
		ticket := b.Request(Request{Slot: "a"})
		lease, err := ticket.Lease(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		ticket.Cancel()
		synctest.Wait()
		b.wantState("a", slot.Serving)
		lease.Release()
	})
	bubble("leaves the queue", t, func(t *testing.T) {
		b := newBench(t, Config{}, spec("a", slottest.New(slottest.Behaviour{Boot: time.Second})))
		ticket := b.Request(Request{Slot: "a"})
		synctest.Wait()
		ticket.Cancel()
		if got := b.state("a").Waiting; got != 0 {
			t.Errorf("%d wait", got)
		}
	})
}

func TestAbandon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := slottest.New(slottest.Behaviour{Boot: 2 * time.Hour})
		s := spec("a", l)
		s.Boot = 3 * time.Hour
		b := newBench(t, Config{}, s)
		ticket := b.Request(Request{Slot: "a"})
		time.Sleep(time.Minute)
		ticket.Cancel()
		time.Sleep(9 * time.Minute)
		b.wantState("a", slot.Starting)
		time.Sleep(2 * time.Minute)
		b.wantState("a", slot.Offline)
		if now, _ := l.Alive(); now != 0 {
			t.Error("the engine is alive")
		}
	})
}

func TestPreload(t *testing.T) {
	preload := func(m *wire.Model) { m.Preload = true }
	bubble("in the order of priority, as far as there is room", t, func(t *testing.T) {
		var specs []Spec
		for i, id := range []string{"a", "b", "c"} {
			specs = append(specs, spec(id, slottest.New(slottest.Behaviour{Boot: time.Second}), preload, memoryOf(4*gib), func(m *wire.Model) { m.Priority = int64(i) }))
		}
		b := newBench(t, Config{Devices: gpusOf(10 * gib)}, specs...)
		time.Sleep(time.Minute)
		b.wantState("c", slot.Ready)
		b.wantState("b", slot.Ready)
		b.wantState("a", slot.Offline)
		if c, d := b.state("c"), b.state("b"); !c.UpSince.Before(d.UpSince) {
			t.Error("b came up before c")
		}
		b.get("a").Release() // whoever asks may push them out
	})
	bubble("is tried again after a failure", t, func(t *testing.T) {
		l := slottest.New(slottest.Behaviour{LaunchErr: errors.New("x")})
		b := newBench(t, Config{}, spec("a", l, preload))
		time.Sleep(20 * time.Second)
		l.Set(slottest.Behaviour{})
		time.Sleep(time.Minute)
		b.wantState("a", slot.Ready)
		if err := b.Unload(t.Context(), "a"); err != nil { // by hand it stays away
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		b.wantState("a", slot.Offline)
	})
}

// fetcher is a launcher whose files have to be fetched.
type fetcher struct {
	*slottest.Launcher
	speed int64 // bytes a second of 1000
}

func (f fetcher) Fetch(ctx context.Context, progress func(slot.Progress)) error {
	for done := int64(0); done < 1000; done += f.speed {
		progress(slot.Progress{Done: done, Total: 1000})
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func TestPulling(t *testing.T) {
	bubble("held where it fits", t, func(t *testing.T) {
		b := newBench(t, Config{}, spec("a", fetcher{slottest.New(slottest.Behaviour{}), 20}))
		b.get("a").Release()
		b.wantAt(50 * time.Second)
	})
	bubble("told how long where it does not", t, func(t *testing.T) {
		b := newBench(t, Config{}, spec("a", fetcher{slottest.New(slottest.Behaviour{}), 1}))
		r := b.refused("a")
		b.wantAt(2 * time.Second) // as soon as anybody can know
		if r.Code != wire.CodeSlotLoading || r.Details.RetryAfterS < 800 || !strings.Contains(r.Message, "0 %") {
			t.Errorf("refusal is %v, %+v", r, r.Details)
		}
		time.Sleep(500 * time.Second)
		if r = b.refused("a"); !strings.Contains(r.Message, "50 %") || r.Details.RetryAfterS < 490 || r.Details.RetryAfterS > 510 {
			t.Errorf("refusal is %v, %+v", r, r.Details)
		}
		time.Sleep(460 * time.Second) // it goes on without anybody
		b.get("a").Release()
		b.wantAt(1000 * time.Second)
	})
}

func TestClose(t *testing.T) {
	bubble("drains, refuses, joins", t, func(t *testing.T) {
		l := slottest.New(slottest.Behaviour{TermTime: time.Second})
		b := newBench(t, Config{}, spec("a", l))
		lease := b.get("a")
		waiting := b.Request(Request{Slot: "a"})
		time.AfterFunc(3*time.Second, lease.Release)
		done := make(chan error)
		go func() { done <- b.Close(t.Context()) }()
		_, err := waiting.Lease(t.Context())
		if r, ok := errors.AsType[*Refusal](err); !ok || r.Code != wire.CodeShutdown {
			t.Errorf("who waits hears %v", err)
		}
		if r := b.refused("a"); r.Code != wire.CodeShutdown {
			t.Errorf("refusal is %v", r)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
		b.wantAt(4 * time.Second)
		if r := b.refused("a"); r.Code != wire.CodeShutdown { // also after the end
			t.Errorf("refusal is %v", r)
		}
		if err := b.Load(t.Context(), "a"); !errors.Is(err, ErrClosed) {
			t.Errorf("load: %v", err)
		}
		if now, _ := l.Alive(); now != 0 {
			t.Error("the engine is alive")
		}
	})
	bubble("in a hurry", t, func(t *testing.T) {
		l := slottest.New(slottest.Behaviour{IgnoreTerm: true})
		b := newBench(t, Config{}, spec("a", l), spec("b", slottest.New(slottest.Behaviour{Boot: time.Hour})))
		lease := b.get("a")
		b.Request(Request{Slot: "b"})
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		if err := b.Close(ctx); err != nil {
			t.Error(err)
		}
		if got := b.at(); got > 2500*time.Millisecond {
			t.Errorf("took %s", got)
		}
		<-lease.Lost()
		if got := lease.Loss().Code(); got != wire.CodeShutdown {
			t.Errorf("code is %s", got)
		}
	})
	bubble("names what nobody can end", t, func(t *testing.T) {
		l := slottest.New(slottest.Behaviour{IgnoreTerm: true, IgnoreKill: true})
		p := New(Config{Devices: hostOf(10 * gib)})
		p.Configure([]Spec{spec("a", l, memoryOf(gib))})
		if err := p.Load(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		if err := p.Close(t.Context()); err == nil || !strings.Contains(err.Error(), "slot a") {
			t.Errorf("close: %v", err)
		}
		l.Last().Crash(slot.Exit{})
	})
}

func TestWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{}, spec("a", slottest.New(slottest.Behaviour{Boot: time.Second})), spec("b", slottest.New(slottest.Behaviour{})))
		changes, stop := b.Watch()
		first := map[string]slot.State{}
		for range 2 {
			s := <-changes
			first[s.ID] = s.State
		}
		if fmt.Sprint(first) != "map[a:offline b:offline]" {
			t.Errorf("it begins with %v", first)
		}
		b.get("a").Release()
		synctest.Wait() // a slow reader: only the latest is kept, beside the one it was handed
		var last slot.Snapshot
		for range 2 {
			last = <-changes
		}
		if last.ID != "a" || last.State != slot.Idle {
			t.Errorf("the latest is %s %s", last.ID, last.State)
		}
		stop()
		stop()
		if _, ok := <-changes; ok {
			t.Error("a change after stop")
		}
		other, _ := b.Watch()
		if err := b.Close(t.Context()); err != nil {
			t.Error(err)
		}
		for range other {
		}
		late, stop := b.Watch()
		if _, ok := <-late; ok {
			t.Error("a change after the end")
		}
		stop()
	})
}

func TestUnknownSlot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{})
		if r := b.refused("x"); r.Code != wire.CodeModelNotFound || r.State != 0 || r.Error() == "" {
			t.Errorf("refusal is %+v", r)
		}
		if err := b.Load(t.Context(), "x"); err == nil {
			t.Error("a slot that is not there was loaded")
		}
	})
}
