package api

import "sync"

// served is the set of requests that are being served, by id. The plugin asks
// for them while it holds a connection: an id that is gone means that nobody
// works on it any more.
type served struct {
	mu  sync.Mutex
	ids map[string]int // guarded by mu; a client may use an id twice at a time
}

// begin adds an id and returns what takes it away again.
func (s *served) begin(id string) (end func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ids == nil {
		s.ids = map[string]int{}
	}
	s.ids[id]++
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.ids[id]--; s.ids[id] == 0 {
			delete(s.ids, id)
		}
	}
}

func (s *served) has(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ids[id] > 0
}
