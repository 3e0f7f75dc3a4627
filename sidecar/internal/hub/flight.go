package hub

import (
	"context"
	"slices"
	"sync"
	"time"
)

// Flight is one run of some work. Its exported methods are for the goroutine
// that runs it, its writer.
type Flight[H, O any] struct {
	hub    *Hub[H, O]
	key    Key
	label  string
	value  any
	finish bool // it runs on without readers
	since  time.Time
	ctx    context.Context // of the run
	cancel context.CancelCauseFunc
	room   chan struct{} // capacity 1: a reader took something, and the writer waits for that

	mu         sync.Mutex
	decided    chan struct{} // closed once the writer's word is known
	undecided  bool
	open       bool // the window
	dispatched bool
	over       bool // ended, or given up because nobody reads
	ended      bool // outcome is set
	headed     bool // head is set
	head       H
	outcome    O
	log        log
	written    int64 // bytes appended in all
	largest    int64 // the largest frame
	blocked    bool  // the writer waits in room
	origins    []string
	readers    []*Subscription[H, O]
	parked     []*Subscription[H, O] // the readers that have read everything
	spare      []*Subscription[H, O] // the array for the next parked; the writer's
	linger     *time.Timer
	left       int // how often the last reader left: a linger timer of another time is stale
}

func newFlight[H, O any](h *Hub[H, O], a Arrival[H, O]) *Flight[H, O] {
	f := &Flight[H, O]{
		hub: h, key: a.Key, label: a.Label, value: a.Value, finish: a.Finish,
		since:   time.Now(),
		room:    make(chan struct{}, 1),
		decided: make(chan struct{}),
		open:    a.Key != "" && a.Join != Own,
	}
	if f.open {
		h.windows.Add(1)
	}
	f.ctx, f.cancel = context.WithCancelCause(context.Background())
	f.undecided = a.Join == Ask && f.open
	if !f.undecided {
		close(f.decided)
	}
	return f
}

// fly runs the work and ends the flight, however the work ends.
func (f *Flight[H, O]) fly(run func(context.Context, *Flight[H, O]) O) {
	returned := false
	var outcome O
	defer func() {
		if !returned {
			outcome = f.hub.config.Broken(recover())
		}
		f.end(outcome)
	}()
	outcome = run(f.ctx, f)
	returned = true
}

// Decide says whether Ask may join the flight. It may be said again, also with
// another word; a window that has lost frames stays closed.
func (f *Flight[H, O]) Decide(open bool) {
	f.mu.Lock()
	f.decideLocked(open)
	f.mu.Unlock()
}

func (f *Flight[H, O]) decideLocked(open bool) {
	open = open && f.log.first == 0 && f.key != ""
	if open != f.open {
		f.open = open
		if open {
			f.hub.windows.Add(1)
		} else {
			f.hub.windows.Add(-1)
		}
	}
	if f.undecided {
		f.undecided = false
		close(f.decided)
	}
}

// Dispatch says that from now on the work costs something. False if nobody
// reads the flight; then its context has ended.
func (f *Flight[H, O]) Dispatch() bool {
	f.mu.Lock()
	idle := len(f.readers) == 0 && !f.finish
	f.dispatched = true
	if idle {
		f.over = true
	}
	f.mu.Unlock()
	if idle {
		f.cancel(ErrNobody)
	}
	return !idle
}

// Recall takes Dispatch back: the work will be done anew.
func (f *Flight[H, O]) Recall() {
	f.mu.Lock()
	f.dispatched = false
	f.mu.Unlock()
}

// SetHead sets the head, once, before the first frame.
func (f *Flight[H, O]) SetHead(head H) {
	f.mu.Lock()
	if f.headed || f.written > 0 {
		f.mu.Unlock()
		panic("hub: the head was set before, or after a frame")
	}
	f.head, f.headed = head, true
	parked := f.unparkLocked()
	f.mu.Unlock()
	kick(parked)
}

// Appended returns the number of frames so far.
func (f *Flight[H, O]) Appended() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.log.end()
}

// end sets the outcome.
func (f *Flight[H, O]) end(o O) {
	f.mu.Lock()
	f.outcome, f.ended, f.over = o, true, true
	f.decideLocked(false)
	if f.linger != nil {
		f.linger.Stop()
	}
	f.hub.size.Add(-f.log.size) // readers keep the log alive, nobody else
	parked := f.unparkLocked()
	f.mu.Unlock()
	kick(parked)
	f.cancel(nil)
	f.hub.remove(f)
}

// admit lets an arrival join if the flight admits it.
func (f *Flight[H, O]) admit(join Join, repeat bool, origin string) (*Subscription[H, O], verdict) {
	f.mu.Lock()
	defer f.mu.Unlock()
	known := slices.Contains(f.origins, origin)
	v := standing{
		over: f.over, decided: !f.undecided, open: f.open,
		appended: f.written > 0, known: known,
	}.admits(join, repeat)
	if v != yes {
		return nil, v
	}
	if !known {
		f.origins = append(f.origins, origin)
	}
	return f.readLocked(false), yes
}

func (f *Flight[H, O]) lead(origin string) *Subscription[H, O] {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.origins = []string{origin}
	return f.readLocked(true)
}

// readLocked adds a reader at the beginning of the log.
func (f *Flight[H, O]) readLocked(lead bool) *Subscription[H, O] {
	s := &Subscription[H, O]{flight: f, lead: lead, place: len(f.readers), wake: make(chan struct{}, 1)}
	f.readers = append(f.readers, s)
	f.roomLocked()
	if f.linger != nil {
		f.linger.Stop()
	}
	return s
}

// dropLocked removes a reader; without any left, the flight begins to linger.
func (f *Flight[H, O]) dropLocked(s *Subscription[H, O]) {
	last := len(f.readers) - 1
	f.readers[s.place] = f.readers[last]
	f.readers[s.place].place = s.place
	f.readers[last] = nil
	f.readers = f.readers[:last]
	f.roomLocked()
	if last > 0 || f.over || f.finish {
		return
	}
	d := f.hub.config.LingerBefore
	if f.dispatched {
		d = f.hub.config.LingerAfter
	}
	f.left++
	left := f.left
	f.linger = time.AfterFunc(d, func() { f.giveUp(left) })
}

// giveUp ends the flight if nobody came back.
func (f *Flight[H, O]) giveUp(left int) {
	f.mu.Lock()
	if f.left != left || len(f.readers) > 0 || f.over {
		f.mu.Unlock()
		return
	}
	f.over = true
	f.mu.Unlock()
	f.cancel(ErrNobody)
}

func (f *Flight[H, O]) info() Info {
	f.mu.Lock()
	defer f.mu.Unlock()
	return Info{
		Label: f.label, Since: f.since, Readers: len(f.readers), Frames: f.log.end(), Bytes: f.written,
		Kept: f.log.size, Open: f.open && !f.over, Dispatched: f.dispatched,
	}
}
