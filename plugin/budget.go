//go:build go1.21

package plugin

import "sync"

const (
	budgetBytes = 256 << 20 // of all request bodies that are buffered at once
	budgetLarge = 16        // large bodies that one address may have buffered at once
	largeBody   = 64 << 10
)

// budget bounds the memory that request bodies take in all instances.
type budget struct {
	mu    sync.Mutex
	left  int64
	large map[string]int // by client address
}

var bodies = &budget{left: budgetBytes, large: map[string]int{}}

// share is the right to buffer one body. It belongs to one request.
type share struct {
	from   *budget
	client string
	bytes  int64
	large  bool
}

// grow makes room for n more bytes, or reports that there is none.
func (s *share) grow(n int64) bool {
	b := s.from
	b.mu.Lock()
	defer b.mu.Unlock()
	if n > b.left {
		return false
	}
	if !s.large && s.bytes+n > largeBody {
		if b.large[s.client] >= budgetLarge {
			return false
		}
		b.large[s.client]++
		s.large = true
	}
	b.left -= n
	s.bytes += n
	return true
}

// shrink gives back what was reserved beyond n bytes.
func (s *share) shrink(n int64) {
	b := s.from
	b.mu.Lock()
	defer b.mu.Unlock()
	if s.bytes > n {
		b.left += s.bytes - n
		s.bytes = n
	}
}

// read ends the reading: what stays buffered counts in bytes only, so that one
// address may have any number of requests in flight.
func (s *share) read() {
	b := s.from
	b.mu.Lock()
	defer b.mu.Unlock()
	s.settle()
}

// release gives everything back; a second call changes nothing.
func (s *share) release() {
	b := s.from
	b.mu.Lock()
	defer b.mu.Unlock()
	s.settle()
	b.left += s.bytes
	s.bytes = 0
}

// settle runs under the budget's mutex.
func (s *share) settle() {
	if !s.large {
		return
	}
	s.large = false
	b := s.from
	b.large[s.client]--
	if b.large[s.client] <= 0 {
		delete(b.large, s.client)
	}
}
