package hub

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"time"
)

var modelSteps = flag.Int("hub.steps", 50_000, "random steps of TestModel")

// model drives one flight by a sequence of choices and compares every reader
// with what was appended: its bytes are a prefix of the log, or all of it and
// then exactly one ending.
type model struct {
	t       testing.TB
	hub     *testHub
	choose  func(n int) int
	work    chan func(*testFlight) bool // false ends the flight
	idle    chan struct{}               // has an element while the writer has nothing to do
	flight  *testFlight
	log     bytes.Buffer // what was appended; of the writer's goroutine while it works
	headed  bool
	readers []*modelReader
	past    []*modelReader // they have left, or were cut off
	number  int
}

// modelReader is one subscription and what came of it.
type modelReader struct {
	sub *testSub

	mu   sync.Mutex
	got  bytes.Buffer
	ends int
	last State
}

func newModel(t testing.TB, choose func(int) int) *model {
	m := &model{t: t, choose: choose, work: make(chan func(*testFlight) bool), idle: make(chan struct{}, 1)}
	m.hub = New[string](Config[string]{
		Replay: 400, ReplayTotal: 350, Pace: 100, Lag: 300, Patience: time.Hour,
		LingerBefore: time.Hour, LingerAfter: time.Hour, Broken: func(v any) string { return fmt.Sprint(v) },
	})
	return m
}

func (m *model) run(ctx context.Context, f *testFlight) string {
	for {
		m.idle <- struct{}{}
		select {
		case step := <-m.work:
			if !step(f) {
				return "outcome"
			}
		case <-ctx.Done():
			return "outcome"
		}
	}
}

// write has the writer do something, once it has done what it was told before;
// false if nobody is left that it does it for.
func (m *model) write(step func(*testFlight) bool) bool {
	if !m.settle() {
		return false
	}
	m.work <- step
	return true
}

// settle waits until the writer has nothing to do. The writer may wait for
// readers, so they read meanwhile.
func (m *model) settle() bool {
	for {
		select {
		case <-m.idle:
			return true
		default:
		}
		if len(m.readers) == 0 && !m.join(Any) {
			return false
		}
		m.take(m.choose(len(m.readers)))
		runtime.Gosched()
	}
}

// take has a reader read; one that is cut off is over.
func (m *model) take(i int) {
	r := m.readers[i]
	if r.take(m); r.last == Cut {
		m.past = append(m.past, r)
		m.readers = append(m.readers[:i], m.readers[i+1:]...)
	}
}

// join adds a reader; false if it would lead a flight of its own.
func (m *model) join(how Join) bool {
	m.number++
	a := Arrival[string, string]{Key: "k", Join: how, Repeat: m.choose(4) == 0, Origin: fmt.Sprint(m.choose(3)),
		Run: func(ctx context.Context, f *testFlight) string { return "other" }}
	first := m.flight == nil
	if first {
		a.Run = m.run
	}
	ctx, cancel := context.WithCancel(context.Background())
	if how == Ask && !first {
		cancel() // whoever would have to wait gives up
	}
	defer cancel()
	s, err := m.hub.Subscribe(ctx, a)
	if err != nil {
		return false
	}
	if s.Lead() && !first {
		for s.State() == Open { // a flight that ends at once
			runtime.Gosched()
		}
		s.Leave()
		return false
	}
	r := &modelReader{sub: s}
	m.flight = s.flight
	m.readers = append(m.readers, r)
	if m.choose(2) == 0 {
		s.Direct(func(frames [][]byte) error { r.add(frames); return nil })
	}
	return true
}

// State is for tests: whether the flight has ended.
func (s *Subscription[H, O]) State() State {
	s.flight.mu.Lock()
	defer s.flight.mu.Unlock()
	if s.flight.ended {
		return Ended
	}
	return Open
}

func (r *modelReader) add(frames [][]byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, f := range frames {
		r.got.Write(f)
	}
}

func (r *modelReader) take(m *model) {
	frames, state := r.sub.Take()
	r.add(frames)
	r.mu.Lock()
	defer r.mu.Unlock()
	if state != Open && r.last != state {
		r.ends++
		r.last = state
	}
}

// step does one random thing; false when the flight has ended.
func (m *model) step() bool {
	switch c := m.choose(100); {
	case c < 35 && len(m.readers) > 0:
		m.take(m.choose(len(m.readers)))
	case c < 70:
		frames := make([][]byte, 1+m.choose(3))
		for i := range frames {
			m.number++
			frames[i] = fmt.Appendf(nil, "%d,%*d;", m.number, 1+m.choose(60), 0)
		}
		return m.write(func(f *testFlight) bool {
			for _, frame := range frames {
				m.log.Write(frame)
			}
			f.Append(frames...)
			return true
		})
	case c < 85:
		m.join(Join(1 + m.choose(3)))
	case c < 94 && len(m.readers) > 1:
		i := m.choose(len(m.readers))
		m.readers[i].sub.Leave()
		m.past = append(m.past, m.readers[i])
		m.readers = append(m.readers[:i], m.readers[i+1:]...)
	case c < 97:
		open := m.choose(2) == 0
		return m.write(func(f *testFlight) bool {
			if m.log.Len() == 0 {
				f.Decide(open)
			}
			return true
		})
	case c < 99 && !m.headed:
		m.headed = true
		return m.write(func(f *testFlight) bool {
			if m.log.Len() == 0 {
				f.SetHead("head")
			}
			return true
		})
	case c == 99 && m.choose(5) == 0:
		return false
	}
	return true
}

// check ends the flight and compares every reader with the log.
func (m *model) check() {
	if m.write(func(*testFlight) bool { return false }) {
		m.hub.runs.Wait()
	} else { // nobody is left to hear it
		m.hub.Close(context.Background())
	}
	for i := len(m.readers) - 1; i >= 0; i-- {
		r := m.readers[i]
		for r.last == 0 {
			r.take(m)
		}
		r.take(m)
		if r.ends != 1 {
			m.t.Fatalf("a reader heard %d endings", r.ends)
		}
		if r.last == Ended && !bytes.Equal(r.got.Bytes(), m.log.Bytes()) {
			m.t.Fatalf("a reader that heard the outcome got %q of %q", r.got.Bytes(), m.log.Bytes())
		}
	}
	for _, r := range append(m.past, m.readers...) {
		if !bytes.HasPrefix(m.log.Bytes(), r.got.Bytes()) {
			m.t.Fatalf("a reader got %q, which is not the beginning of %q", r.got.Bytes(), m.log.Bytes())
		}
		r.sub.Leave()
	}
	if n := m.hub.size.Load(); n != 0 {
		m.t.Fatalf("%d bytes are still counted", n)
	}
	if n := m.hub.windows.Load(); n != 0 {
		m.t.Fatalf("%d windows are still counted", n)
	}
}

// play runs one flight of at most so many steps and returns how many it took.
func play(t testing.TB, most int, choose func(int) int) int {
	m := newModel(t, choose)
	m.join(Any - Join(choose(2)))
	n := 1
	for n < most && m.step() {
		n++
	}
	m.check()
	return n
}

func TestModel(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	for left := *modelSteps; left > 0; {
		left -= play(t, 2000, r.IntN)
	}
}

func FuzzModel(f *testing.F) {
	f.Add([]byte("any bytes are a sequence of choices"))
	f.Add(bytes.Repeat([]byte{40, 1, 200, 90, 3, 17}, 50))
	f.Fuzz(func(t *testing.T, choices []byte) {
		play(t, len(choices), func(n int) int {
			if len(choices) == 0 {
				return 0
			}
			c := int(choices[0])
			choices = choices[1:]
			return c % n
		})
	})
}
