package pool

import (
	"sync"

	"github.com/hal0-dev/hal0/sidecar/internal/slot"
)

// watches are the subscriptions to changes.
type watches struct {
	mu     sync.Mutex // guards all below, and each watch's pending
	all    map[*watch]bool
	closed bool
	wg     sync.WaitGroup
}

// watch is one subscription: of each slot, only the latest change waits.
type watch struct {
	order   []string // slots whose change waits
	pending map[string]slot.Snapshot
	some    chan struct{} // holds a token while changes wait
	stop    chan struct{}
	out     chan slot.Snapshot
}

func (w *watches) init() { w.all = map[*watch]bool{} }

// Watch returns the changes of all slots, beginning with their present state.
// A reader that is slow misses the states between. The channel is closed by
// stop and at the pool's end.
func (p *Pool) Watch() (changes <-chan slot.Snapshot, stop func()) {
	w := &watch{
		pending: map[string]slot.Snapshot{}, some: make(chan struct{}, 1),
		stop: make(chan struct{}), out: make(chan slot.Snapshot),
	}
	added := false
	p.ask(func() {
		for _, e := range p.entries {
			w.put(e.show())
		}
		added = p.watches.add(w)
	})
	if !added {
		close(w.out)
		return w.out, func() {}
	}
	return w.out, sync.OnceFunc(func() { p.watches.remove(w) })
}

func (w *watches) add(one *watch) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return false
	}
	w.all[one] = true
	w.wg.Go(func() { w.run(one) })
	return true
}

// remove ends one watch and waits for its goroutine.
func (w *watches) remove(one *watch) {
	w.mu.Lock()
	known := w.all[one]
	delete(w.all, one)
	w.mu.Unlock()
	if known {
		close(one.stop)
	}
}

func (w *watches) close() {
	w.mu.Lock()
	w.closed = true
	for one := range w.all {
		delete(w.all, one)
		close(one.stop)
	}
	w.mu.Unlock()
	w.wg.Wait()
}

// put leaves a change for every watch.
func (w *watches) put(s slot.Snapshot) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for one := range w.all {
		one.put(s)
	}
}

func (w *watch) put(s slot.Snapshot) {
	if _, ok := w.pending[s.ID]; !ok {
		w.order = append(w.order, s.ID)
	}
	w.pending[s.ID] = s
	select {
	case w.some <- struct{}{}:
	default:
	}
}

// take removes the oldest change.
func (w *watches) take(one *watch) (s slot.Snapshot, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(one.order) == 0 {
		return s, false
	}
	id := one.order[0]
	one.order = one.order[1:]
	s = one.pending[id]
	delete(one.pending, id)
	return s, true
}

// run is a watch's goroutine.
func (w *watches) run(one *watch) {
	defer close(one.out)
	for {
		select {
		case <-one.some:
		case <-one.stop:
			return
		}
		for s, ok := w.take(one); ok; s, ok = w.take(one) {
			select {
			case one.out <- s:
			case <-one.stop:
				return
			}
		}
	}
}
