package slot

import "sync"

// Mailbox is an unbounded queue of messages for one goroutine: two owners that
// write to each other can then never block each other. What bounds it is that
// every message answers to something bounded (a ticket, a process, a timer).
type Mailbox[T any] struct {
	mu     sync.Mutex // guards messages, closed
	queue  []T
	closed bool
	some   chan struct{} // holds a token while messages wait
}

// NewMailbox makes an empty mailbox.
func NewMailbox[T any]() *Mailbox[T] { return &Mailbox[T]{some: make(chan struct{}, 1)} }

// Put leaves a message. It never blocks; it reports false once Close was
// called, and the message is dropped.
func (m *Mailbox[T]) Put(v T) bool {
	m.mu.Lock()
	if m.closed {
		m.mu.Unlock()
		return false
	}
	m.queue = append(m.queue, v)
	m.mu.Unlock()
	select {
	case m.some <- struct{}{}:
	default:
	}
	return true
}

// Some is received from when messages may wait; then Take.
func (m *Mailbox[T]) Some() <-chan struct{} { return m.some }

// Take returns every message that waits, in order.
func (m *Mailbox[T]) Take() []T {
	m.mu.Lock()
	defer m.mu.Unlock()
	q := m.queue
	m.queue = nil
	return q
}

// Close ends the mailbox and returns what nobody took.
func (m *Mailbox[T]) Close() []T {
	m.mu.Lock()
	defer m.mu.Unlock()
	q := m.queue
	m.queue, m.closed = nil, true
	return q
}
