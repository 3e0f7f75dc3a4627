package api

import "sync"

const (
	remembered = 100 // requests
	heardLate  = 64  // requests that a follower may lag
)

// history remembers the last requests. The zero value is empty and ready.
type history struct {
	mu        sync.Mutex
	ring      []Answered // guarded by mu; oldest at next once it is full
	next      int
	followers map[chan Answered]struct{}
}

// add never waits: a follower that is slow misses requests.
func (h *history) add(a Answered) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.ring) < remembered {
		h.ring = append(h.ring, a)
	} else {
		h.ring[h.next] = a
		h.next = (h.next + 1) % remembered
	}
	for f := range h.followers {
		select {
		case f <- a:
		default:
		}
	}
}

func (h *history) allLocked() []Answered {
	return append(append(make([]Answered, 0, len(h.ring)), h.ring[h.next:]...), h.ring[:h.next]...)
}

// recent returns what is remembered, oldest first.
func (h *history) recent() []Answered {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.allLocked()
}

// follow returns what is remembered and a channel of what comes. stop must be
// called; again is nothing.
func (h *history) follow() (past []Answered, coming <-chan Answered, stop func()) {
	f := make(chan Answered, heardLate)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.followers == nil {
		h.followers = map[chan Answered]struct{}{}
	}
	h.followers[f] = struct{}{}
	return h.allLocked(), f, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.followers, f)
	}
}
