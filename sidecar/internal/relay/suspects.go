package relay

import (
	"sync"
	"time"

	"github.com/hal0-dev/hal0/sidecar/internal/hub"
)

const (
	// suspectFor is how long a request is remembered under which an engine went
	// down: longer than its client tries again by itself.
	suspectFor = 10 * time.Minute
	// maxSuspects bounds the memory; the oldest goes first.
	maxSuspects = 1024
)

// suspects are the requests, by their keys, under which an engine's process
// ended. Most of them only happened to be there; those that are answered later
// are forgotten. Requests that have no key are not remembered.
type suspects struct {
	mu   sync.Mutex
	seen map[hub.Key]time.Time
}

// add remembers a request.
func (s *suspects) add(key hub.Key) {
	if key == "" {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if s.seen == nil {
		s.seen = map[hub.Key]time.Time{}
	}
	s.seen[key] = now
	oldest := key
	for k, at := range s.seen {
		if now.Sub(at) >= suspectFor {
			delete(s.seen, k)
		} else if at.Before(s.seen[oldest]) {
			oldest = k
		}
	}
	if len(s.seen) > maxSuspects {
		delete(s.seen, oldest)
	}
}

// has reports whether a request is remembered.
func (s *suspects) has(key hub.Key) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	at, ok := s.seen[key]
	return ok && time.Since(at) < suspectFor
}

// clear forgets a request.
func (s *suspects) clear(key hub.Key) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.seen, key)
}
