package hub

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Why a flight's context ended.
var (
	ErrNobody = errors.New("nobody reads the flight any more")
	ErrClosed = errors.New("the hub is closed")
)

// Config of a Hub. Every field but Broken has a default.
type Config[O any] struct {
	// Replay is how many bytes of one flight are kept for those who join later
	// (4 MiB), ReplayTotal how many of all flights together (256 MiB).
	Replay, ReplayTotal int64
	// Lag is how many bytes a reader may be behind the fastest one (8 MiB, but
	// never less than four of the flight's largest frames).
	Lag int64
	// Pace is how many bytes the only reader of a flight may be behind before
	// the writer waits for it (256 KiB).
	Pace int64
	// Patience is how long the writer waits for a reader that takes nothing
	// (1 min).
	Patience time.Duration
	// LingerBefore and LingerAfter are how long a flight lives on without
	// readers, before (10 s) and after (100 ms) it was dispatched.
	LingerBefore, LingerAfter time.Duration
	// Broken is the outcome of a run that panicked, or left by Goexit (nil).
	Broken func(recovered any) O
}

func (c Config[O]) withDefaults() Config[O] {
	size := func(p *int64, d int64) {
		if *p <= 0 {
			*p = d
		}
	}
	size(&c.Replay, 4<<20)
	size(&c.ReplayTotal, 256<<20)
	size(&c.Lag, 8<<20)
	size(&c.Pace, 256<<10)
	span := func(p *time.Duration, d time.Duration) {
		if *p <= 0 {
			*p = d
		}
	}
	span(&c.Patience, time.Minute)
	span(&c.LingerBefore, 10*time.Second)
	span(&c.LingerAfter, 100*time.Millisecond)
	return c
}

// Hub knows the flights that are under way.
type Hub[H, O any] struct {
	config  Config[O]
	size    atomic.Int64   // bytes in all logs
	windows atomic.Int64   // how many are open
	runs    sync.WaitGroup // one for each flight's goroutine

	mu      sync.Mutex
	closed  bool
	flights map[*Flight[H, O]]struct{}
	byKey   map[Key][]*Flight[H, O] // oldest first
}

// New makes a Hub.
func New[H, O any](c Config[O]) *Hub[H, O] {
	if c.Broken == nil {
		panic("hub: Config.Broken is not set")
	}
	return &Hub[H, O]{
		config:  c.withDefaults(),
		flights: map[*Flight[H, O]]struct{}{},
		byKey:   map[Key][]*Flight[H, O]{},
	}
}

// Arrival is a reader that asks for a flight.
type Arrival[H, O any] struct {
	Key    Key
	Join   Join
	Repeat bool   // the reader asked for this before, and gave up
	Origin string // who asks; a repeat joins only where its origin was before
	Label  string // for Flights
	Value  any    // if this leads a flight, what all its readers can ask for
	Finish bool   // if this leads a flight, it runs on without readers
	// Run does the work of a flight that this arrival leads. Its result is the
	// outcome.
	Run func(ctx context.Context, f *Flight[H, O]) O
}

// Subscribe joins a flight or leads a new one. It waits only where Ask finds a
// flight whose writer has not decided yet. It returns ErrClosed, or the
// context's cause.
func (h *Hub[H, O]) Subscribe(ctx context.Context, a Arrival[H, O]) (*Subscription[H, O], error) {
	if a.Run == nil || a.Join < Own || a.Join > Any {
		panic(fmt.Sprintf("hub: invalid arrival: join %v", a.Join))
	}
	for {
		s, undecided, err := h.subscribe(a)
		if undecided == nil {
			return s, err
		}
		select {
		case <-undecided:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// subscribe returns a subscription, or what to wait for before it is asked
// again.
func (h *Hub[H, O]) subscribe(a Arrival[H, O]) (*Subscription[H, O], <-chan struct{}, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil, nil, ErrClosed
	}
	var undecided <-chan struct{}
	for _, f := range h.byKey[a.Key] {
		s, v := f.admit(a.Join, a.Repeat, a.Origin)
		if v == yes {
			return s, nil, nil
		}
		if v == wait && undecided == nil {
			undecided = f.decided
		}
	}
	if undecided != nil {
		return nil, undecided, nil
	}
	f := newFlight(h, a)
	s := f.lead(a.Origin)
	h.flights[f] = struct{}{}
	if a.Key != "" {
		h.byKey[a.Key] = append(h.byKey[a.Key], f)
	}
	h.runs.Go(func() { f.fly(a.Run) })
	return s, nil, nil
}

// remove forgets an ended flight.
func (h *Hub[H, O]) remove(f *Flight[H, O]) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.flights, f)
	rest := slices.DeleteFunc(h.byKey[f.key], func(g *Flight[H, O]) bool { return f == g })
	if len(rest) == 0 {
		delete(h.byKey, f.key)
	} else {
		h.byKey[f.key] = rest
	}
}

// relieve closes windows, the largest log's first, until all logs together are
// within bounds or no window is left.
func (h *Hub[H, O]) relieve() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for h.size.Load() > h.config.ReplayTotal {
		var largest *Flight[H, O]
		var most int64
		for f := range h.flights {
			if n := f.window(); n > most {
				largest, most = f, n
			}
		}
		if largest == nil {
			return
		}
		largest.closeWindow()
	}
}

// Close ends every flight and waits until their runs have returned, or for ctx.
// Readers hear the outcomes as always. Later arrivals get ErrClosed.
func (h *Hub[H, O]) Close(ctx context.Context) error {
	h.mu.Lock()
	h.closed = true
	for f := range h.flights {
		f.cancel(ErrClosed)
	}
	h.mu.Unlock()
	done := make(chan struct{})
	go func() {
		h.runs.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("close hub: %w", context.Cause(ctx))
	}
}

// Info describes a flight for people.
type Info struct {
	Label      string
	Since      time.Time
	Readers    int
	Frames     int   // appended so far
	Bytes      int64 // appended so far
	Kept       int64 // bytes in the log now
	Open       bool  // may be joined
	Dispatched bool
}

// Flights describes the flights under way, oldest first.
func (h *Hub[H, O]) Flights() []Info {
	h.mu.Lock()
	var all []Info
	for f := range h.flights {
		all = append(all, f.info())
	}
	h.mu.Unlock()
	slices.SortFunc(all, func(a, b Info) int { return a.Since.Compare(b.Since) })
	return all
}
