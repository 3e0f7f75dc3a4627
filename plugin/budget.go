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
	if !s.large && s.bytes+n > largeBody && !s.big() {
		return false
	}
	b.left -= n
	s.bytes += n
	return true
}

// big runs under the budget's mutex.
func (s *share) big() bool {
	b := s.from
	if b.large[s.client] >= budgetLarge {
		return false
	}
	b.large[s.client]++
	s.large = true
	return true
}

// settle ends the reading: n bytes stay buffered, and they count as bytes only,
// so that one address may have any number of requests in flight.
func (s *share) settle(n int64) {
	b := s.from
	b.mu.Lock()
	defer b.mu.Unlock()
	if s.bytes > n {
		b.left += s.bytes - n
		s.bytes = n
	}
	if s.large {
		s.small()
	}
}

// release gives everything back; a second call changes nothing.
func (s *share) release() { s.settle(0) }

// small runs under the budget's mutex.
func (s *share) small() {
	s.large = false
	b := s.from
	b.large[s.client]--
	if b.large[s.client] <= 0 {
		delete(b.large, s.client)
	}
}
