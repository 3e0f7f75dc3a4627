package hub

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

type (
	testHub    = Hub[string, string]
	testFlight = Flight[string, string]
	testSub    = Subscription[string, string]
)

func newHub(t testing.TB, c Config[string]) *testHub {
	c.Broken = func(v any) string { return fmt.Sprint("broken: ", v) }
	h := New[string](c)
	t.Cleanup(func() { h.Close(context.Background()) })
	return h
}

// script is a run whose steps the test hands it one by one.
type script chan func(*testFlight)

func (s script) run(ctx context.Context, f *testFlight) string {
	for {
		select {
		case step, ok := <-s:
			if !ok {
				return "done"
			}
			step(f)
		case <-ctx.Done():
			return context.Cause(ctx).Error()
		}
	}
}

// do has the flight's goroutine take a step and waits until all is quiet.
func (s script) do(step func(*testFlight)) {
	s <- step
	synctest.Wait()
}

func (s script) append(frames ...string) {
	s.do(func(f *testFlight) {
		for _, frame := range frames {
			f.Append([]byte(frame))
		}
	})
}

func subscribe(t *testing.T, h *testHub, a Arrival[string, string]) *testSub {
	t.Helper()
	s, err := h.Subscribe(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// drain takes what there is.
func drain(s *testSub) (string, State) {
	var all bytes.Buffer
	for {
		frames, state := s.Take()
		for _, f := range frames {
			all.Write(f)
		}
		if len(frames) == 0 || state != Open {
			return all.String(), state
		}
	}
}

func want(t *testing.T, s *testSub, text string, state State) {
	t.Helper()
	if got, st := drain(s); got != text || st != state {
		t.Errorf("took %q, %v; want %q, %v", got, st, text, state)
	}
}

func TestLateReaderGetsTheSameBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, work := newHub(t, Config[string]{}), make(script)
		a := Arrival[string, string]{Key: "k", Join: Any, Run: work.run}
		lead := subscribe(t, h, a)
		work.do(func(f *testFlight) { f.SetHead("head") })
		work.append("one ", "two ")
		late := subscribe(t, h, a)
		if !lead.Lead() || late.Lead() {
			t.Error("the first must lead, the second join")
		}
		for _, s := range []*testSub{lead, late} {
			if head, ok := s.Head(); !ok || head != "head" {
				t.Errorf("head %q, %v", head, ok)
			}
			want(t, s, "one two ", Open)
		}
		work.append("three")
		close(work)
		synctest.Wait()
		for _, s := range []*testSub{lead, late} {
			want(t, s, "three", Ended)
			if o := s.Outcome(); o != "done" {
				t.Errorf("outcome %q", o)
			}
			s.Leave()
		}
		if next := subscribe(t, h, Arrival[string, string]{Key: "k", Join: Any, Run: func(context.Context, *testFlight) string { return "" }}); !next.Lead() {
			t.Error("joined a flight that has ended")
		}
	})
}

func TestWakeOnlyWhenParked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, work := newHub(t, Config[string]{}), make(script)
		s := subscribe(t, h, Arrival[string, string]{Join: Own, Run: work.run})
		defer s.Leave()
		work.append("a")
		if len(s.Wake()) != 0 {
			t.Error("woken though it did not wait")
		}
		want(t, s, "a", Open)
		work.append("b")
		if len(s.Wake()) != 1 {
			t.Error("not woken though it waited")
		}
		<-s.Wake()
		want(t, s, "b", Open)
		work.do(func(f *testFlight) { f.SetHead("x") })
	})
}

func TestAskWaitsForTheWord(t *testing.T) {
	for _, open := range []bool{true, false} {
		t.Run(fmt.Sprint(open), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h, work := newHub(t, Config[string]{}), make(script)
				a := Arrival[string, string]{Key: "k", Join: Ask, Run: work.run}
				lead := subscribe(t, h, a)
				second := make(chan *testSub, 1)
				go func() { second <- subscribe(t, h, a) }()
				synctest.Wait()
				if len(second) != 0 {
					t.Fatal("did not wait")
				}
				work.do(func(f *testFlight) { f.Decide(open) })
				s := <-second
				if s.Lead() == open {
					t.Errorf("window open %v, second arrival leads %v", open, s.Lead())
				}
				lead.Leave()
				s.Leave()
			})
		})
	}
}

func TestAskGivesUpWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, work := newHub(t, Config[string]{}), make(script)
		a := Arrival[string, string]{Key: "k", Join: Ask, Run: work.run}
		lead := subscribe(t, h, a)
		defer lead.Leave()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := h.Subscribe(ctx, a); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	})
}

func TestAdmits(t *testing.T) {
	type in struct {
		standing
		join   Join
		repeat bool
	}
	for _, c := range []struct {
		in   in
		want verdict
	}{
		{in{standing{over: true, decided: true, open: true, known: true}, Any, true}, no},
		{in{standing{decided: true, open: true}, Own, false}, no},
		{in{standing{decided: true, open: true}, Ask, false}, yes},
		{in{standing{decided: true, open: true, appended: true}, Any, false}, yes},
		{in{standing{decided: true}, Ask, false}, no},
		{in{standing{decided: true}, Any, false}, no},
		{in{standing{}, Ask, false}, wait},
		{in{standing{}, Any, false}, yes},
		{in{standing{decided: true, known: true}, Own, true}, yes},
		{in{standing{decided: true}, Own, true}, no},
		{in{standing{decided: true, known: true, appended: true}, Own, true}, no},
		{in{standing{known: true}, Ask, true}, yes},
	} {
		if got := c.in.admits(c.in.join, c.in.repeat); got != c.want {
			t.Errorf("%+v: %d, want %d", c.in, got, c.want)
		}
	}
}

func TestLinger(t *testing.T) {
	for _, c := range []struct {
		dispatched, finish bool
		after              time.Duration // 0 = never
	}{
		{after: 10 * time.Second},
		{dispatched: true, after: 100 * time.Millisecond},
		{dispatched: true, finish: true},
		{finish: true},
	} {
		t.Run(fmt.Sprintf("%+v", c), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h, work := newHub(t, Config[string]{}), make(script)
				var ended error
				var at time.Time
				s := subscribe(t, h, Arrival[string, string]{Key: "k", Join: Any, Finish: c.finish,
					Run: func(ctx context.Context, f *testFlight) string {
						out := work.run(ctx, f)
						ended, at = context.Cause(ctx), time.Now()
						return out
					}})
				if c.dispatched {
					work.do(func(f *testFlight) { f.Dispatch() })
				}
				left := time.Now()
				s.Leave()
				s.Leave()
				time.Sleep(time.Hour)
				synctest.Wait()
				switch {
				case c.after == 0 && ended != nil:
					t.Errorf("ended after %v: %v", at.Sub(left), ended)
				case c.after != 0 && (!errors.Is(ended, ErrNobody) || at.Sub(left) != c.after):
					t.Errorf("ended after %v: %v, want %v", at.Sub(left), ended, c.after)
				}
				if c.after == 0 {
					close(work)
				}
			})
		})
	}
}

func TestComingBackWithinTheLinger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, work := newHub(t, Config[string]{}), make(script)
		a := Arrival[string, string]{Key: "k", Join: Any, Run: work.run}
		subscribe(t, h, a).Leave()
		time.Sleep(9 * time.Second)
		back := subscribe(t, h, a)
		if back.Lead() {
			t.Fatal("leads a flight of its own")
		}
		time.Sleep(time.Hour)
		work.append("x")
		want(t, back, "x", Open)
		back.Leave()
	})
}

func TestDispatchForNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, work := newHub(t, Config[string]{}), make(script)
		s := subscribe(t, h, Arrival[string, string]{Join: Own, Run: work.run})
		s.Leave()
		work.do(func(f *testFlight) {
			if f.Dispatch() {
				t.Error("dispatched for nobody")
			}
		})
	})
}

func TestRepeatJoinsWhatBroughtNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, work := newHub(t, Config[string]{}), make(script)
		a := Arrival[string, string]{Key: "k", Join: Own, Origin: "here", Run: work.run}
		lead := subscribe(t, h, a)
		repeat := a
		repeat.Repeat = true
		if s := subscribe(t, h, repeat); s.Lead() {
			t.Error("the repeat leads")
		} else {
			s.Leave()
		}
		other := repeat
		other.Origin, other.Run = "elsewhere", make(script).run
		if s := subscribe(t, h, other); !s.Lead() {
			t.Error("joined somebody else's flight")
		} else {
			s.Leave()
		}
		work.append("x")
		repeat.Run = make(script).run
		if s := subscribe(t, h, repeat); !s.Lead() {
			t.Error("joined a flight that has delivered")
		} else {
			s.Leave()
		}
		lead.Leave()
	})
}

func TestReplayLimitClosesTheWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, work := newHub(t, Config[string]{Replay: 100, Pace: 40}), make(script)
		a := Arrival[string, string]{Key: "k", Join: Any, Run: work.run}
		lead := subscribe(t, h, a)
		defer lead.Leave()
		for range 10 {
			work.append(strings.Repeat("x", 10))
			want(t, lead, strings.Repeat("x", 10), Open)
		}
		if s := subscribe(t, h, a); s.Lead() {
			t.Error("did not join within the limit")
		} else {
			s.Leave()
		}
		work.append("y")
		a.Run = make(script).run
		if s := subscribe(t, h, a); !s.Lead() {
			t.Error("joined beyond the limit")
		} else {
			s.Leave()
		}
		want(t, lead, "y", Open)
		work.append("z")
		if kept := h.Flights()[0].Kept; kept > 41 {
			t.Errorf("%d bytes are kept for nobody", kept)
		}
	})
}

func TestWindowStaysClosedAfterFramesWereDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, work := newHub(t, Config[string]{Pace: 10}), make(script)
		a := Arrival[string, string]{Key: "k", Join: Ask, Run: work.run}
		lead := subscribe(t, h, a)
		defer lead.Leave()
		work.do(func(f *testFlight) { f.Decide(false) })
		for range 5 {
			work.append("0123456789")
			want(t, lead, "0123456789", Open)
		}
		work.do(func(f *testFlight) { f.Decide(true) })
		a.Run = make(script).run
		if s := subscribe(t, h, a); !s.Lead() {
			t.Error("joined a flight whose first frames are gone")
		} else {
			s.Leave()
		}
	})
}

func TestLargestLosesItsHeadFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub(t, Config[string]{Replay: 1000, ReplayTotal: 1000})
		var subs []*testSub
		var works []script
		for i, n := range []int{300, 500, 150} {
			work := make(script)
			s := subscribe(t, h, Arrival[string, string]{Key: Key(fmt.Sprint(i)), Join: Any, Run: work.run})
			work.append(strings.Repeat("x", n))
			drain(s)
			subs, works = append(subs, s), append(works, work)
		}
		works[2].append(strings.Repeat("x", 100)) // 1050 in all
		for i, open := range []bool{true, false, true} {
			s := subscribe(t, h, Arrival[string, string]{Key: Key(fmt.Sprint(i)), Join: Any, Run: make(script).run})
			if s.Lead() == open {
				t.Errorf("flight %d: window open %v, want %v", i, !s.Lead(), open)
			}
			s.Leave()
		}
		for _, s := range subs {
			s.Leave()
		}
	})
}

func TestSlowReaderIsCutOffAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, work := newHub(t, Config[string]{Replay: 50, Pace: 50, Lag: 100}), make(script)
		a := Arrival[string, string]{Key: "k", Join: Any, Run: work.run}
		fast, slow := subscribe(t, h, a), subscribe(t, h, a)
		defer fast.Leave()
		cut := false
		slow.OnCut(func() { cut = true })
		for i := range 30 {
			work.append("0123456789")
			want(t, fast, "0123456789", Open)
			if early := i < 10; early && cut {
				t.Fatalf("cut off after %d bytes", 10*(i+1))
			}
		}
		if !cut {
			t.Error("not told of the cut")
		}
		want(t, slow, "", Cut)
		if n := h.Flights()[0].Readers; n != 1 {
			t.Errorf("%d readers", n)
		}
	})
}

func TestOnlyReaderSetsThePace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub(t, Config[string]{Pace: 100})
		written := 0
		s := subscribe(t, h, Arrival[string, string]{Join: Own, Run: func(_ context.Context, f *testFlight) string {
			for ; written < 50; written++ {
				if _, err := f.Append([]byte("0123456789")); err != nil {
					break
				}
			}
			return "done"
		}})
		defer s.Leave()
		synctest.Wait()
		if written != 10 {
			t.Errorf("%d frames written before any was read, want 10", written)
		}
		total := 0
		for {
			text, state := drain(s)
			total += len(text)
			if state != Open {
				break
			}
			time.Sleep(50 * time.Second) // slower than that is too slow
			<-s.Wake()
		}
		if total != 500 {
			t.Errorf("%d bytes arrived", total)
		}
	})
}

func TestReaderThatTakesNothingIsCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub(t, Config[string]{Pace: 100})
		s := subscribe(t, h, Arrival[string, string]{Join: Own, Run: func(_ context.Context, f *testFlight) string {
			f.Dispatch()
			for {
				if _, err := f.Append([]byte("0123456789")); err != nil {
					return "stopped"
				}
				time.Sleep(time.Millisecond)
			}
		}})
		time.Sleep(59 * time.Second)
		synctest.Wait()
		if len(h.Flights()) != 1 {
			t.Fatal("gave up early")
		}
		time.Sleep(2 * time.Minute)
		want(t, s, "", Cut)
		if len(h.Flights()) != 0 {
			t.Error("the flight goes on for nobody")
		}
		s.Leave()
	})
}

func TestEveryEndingIsHeard(t *testing.T) {
	for name, c := range map[string]struct {
		run  func(context.Context, *testFlight) string
		want string
	}{
		"return": {func(context.Context, *testFlight) string { return "fine" }, "fine"},
		"panic":  {func(context.Context, *testFlight) string { panic("ouch") }, "broken: ouch"},
		"goexit": {func(context.Context, *testFlight) string { runtime.Goexit(); return "" }, "broken: <nil>"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHub(t, Config[string]{})
				s := subscribe(t, h, Arrival[string, string]{Join: Own, Run: c.run})
				synctest.Wait()
				want(t, s, "", Ended)
				if got := s.Outcome(); got != c.want {
					t.Errorf("outcome %q, want %q", got, c.want)
				}
				if len(h.Flights()) != 0 {
					t.Error("the hub still knows the flight")
				}
			})
		})
	}
}

func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, work := newHub(t, Config[string]{}), make(script)
		s := subscribe(t, h, Arrival[string, string]{Join: Own, Run: work.run})
		if err := h.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		want(t, s, "", Ended)
		if got := s.Outcome(); got != ErrClosed.Error() {
			t.Errorf("outcome %q", got)
		}
		if _, err := h.Subscribe(t.Context(), Arrival[string, string]{Join: Own, Run: work.run}); !errors.Is(err, ErrClosed) {
			t.Errorf("subscribed to a closed hub: %v", err)
		}
	})
}

func TestCloseDoesNotWaitForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, release := newHub(t, Config[string]{}), make(chan struct{})
		subscribe(t, h, Arrival[string, string]{Join: Own, Run: func(context.Context, *testFlight) string { <-release; return "" }})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := h.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		close(release)
	})
}

func TestSizesAddUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub(t, Config[string]{Replay: 100, Pace: 50})
		for i := range 5 {
			work := make(script)
			s := subscribe(t, h, Arrival[string, string]{Key: Key(fmt.Sprint(i)), Join: Any, Run: work.run})
			for range 7 * i {
				work.append("0123456789")
				drain(s)
			}
			close(work)
			synctest.Wait()
			s.Leave()
		}
		if n := h.size.Load(); n != 0 {
			t.Errorf("%d bytes are still counted", n)
		}
		if n := h.windows.Load(); n != 0 {
			t.Errorf("%d windows are still counted", n)
		}
	})
}
