// Package relaytest is what tests of relay and of its users need in place of a
// pool and an engine: Slots that grant and lose leases as a test says, and an
// Engine, an HTTP server in memory. Both work under testing/synctest.
package relaytest

import (
	"context"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hal0-dev/hal0/plugin/wire"
	"github.com/hal0-dev/hal0/sidecar/internal/pool"
	"github.com/hal0-dev/hal0/sidecar/internal/relay"
	"github.com/hal0-dev/hal0/sidecar/internal/slot"
)

// Engine is an HTTP server in memory.
type Engine struct {
	queue  chan net.Conn
	closed chan struct{}

	mu    sync.Mutex
	conns []net.Conn // the server's ends
	down  bool
	over  bool // closed is closed
}

// NewEngine serves h until the test ends.
func NewEngine(t testing.TB, h http.Handler) *Engine {
	e := &Engine{queue: make(chan net.Conn, 64), closed: make(chan struct{})}
	server := &http.Server{Handler: h, ConnContext: func(ctx context.Context, _ net.Conn) context.Context {
		return context.WithValue(ctx, uses{}, new(atomic.Int64))
	}}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(e) // it ends with the listener
	}()
	t.Cleanup(func() {
		// Handlers may sleep, so they are waited for; one that hangs is not.
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		_ = server.Shutdown(ctx)
		server.Close()
		<-done
	})
	return e
}

// uses is the key of a connection's count.
type uses struct{}

// Use counts a request, and returns the how manyth it is on its connection.
func Use(r *http.Request) int64 { return r.Context().Value(uses{}).(*atomic.Int64).Add(1) }

// Dial connects to the engine; it fits relay.Config.Dial.
func (e *Engine) Dial(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.down {
		return nil, &net.OpError{Op: "dial", Err: net.ErrClosed}
	}
	e.conns = append(e.conns, server)
	e.queue <- server
	return client, nil
}

// Crash closes every connection, as the end of the process does. Later ones are
// refused until Restart.
func (e *Engine) Crash() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.down = true
	for _, c := range e.conns {
		c.Close()
	}
	e.conns = nil
}

// Restart takes connections again.
func (e *Engine) Restart() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.down = false
}

// Accept is for the server.
func (e *Engine) Accept() (net.Conn, error) {
	select {
	case c := <-e.queue:
		return c, nil
	case <-e.closed:
		return nil, net.ErrClosed
	}
}

// Close is for the server.
func (e *Engine) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.down = true
	if !e.over {
		e.over = true
		close(e.closed)
	}
	return nil
}

// Addr is for the server.
func (e *Engine) Addr() net.Addr { return &net.UnixAddr{Name: "engine", Net: "unix"} }

// Slots gives out leases as a test says.
type Slots struct {
	mu      sync.Mutex
	cold    bool
	hold    bool          // tickets wait for Grant
	refusal *pool.Refusal // every ticket gets this
	waiting []*Ticket
	leases  []*Lease
	asked   []pool.Request
}

// Cold makes tickets cold, and hold makes them wait for Grant.
func (s *Slots) Cold(cold, hold bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cold, s.hold = cold, hold
}

// Refuse makes every ticket, also those that wait, be refused.
func (s *Slots) Refuse(f wire.Failure) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refusal = &pool.Refusal{Failure: f}
	for _, t := range s.waiting {
		close(t.done)
	}
	s.waiting = nil
}

// Grant gives every waiting ticket its lease.
func (s *Slots) Grant() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.waiting {
		s.grant(t)
	}
	s.waiting = nil
}

// Asked returns the requests so far.
func (s *Slots) Asked() []pool.Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked
}

// Leased returns the leases that were granted and not given back.
func (s *Slots) Leased() []*Lease {
	s.mu.Lock()
	defer s.mu.Unlock()
	var held []*Lease
	for _, l := range s.leases {
		if !l.released {
			held = append(held, l)
		}
	}
	return held
}

// Waiting returns how many tickets wait.
func (s *Slots) Waiting() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.waiting)
}

// Request implements relay.Slots.
func (s *Slots) Request(r pool.Request) relay.Ticket {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := &Ticket{slots: s, cold: s.cold, done: make(chan struct{})}
	s.asked = append(s.asked, r)
	switch {
	case s.refusal != nil:
		close(t.done)
	case s.hold:
		s.waiting = append(s.waiting, t)
	default:
		s.grant(t)
	}
	return t
}

func (s *Slots) grant(t *Ticket) {
	t.lease = &Lease{slots: s, lost: make(chan struct{}), number: uint64(len(s.leases) + 1)}
	s.leases = append(s.leases, t.lease)
	close(t.done)
}

// Ticket implements relay.Ticket.
type Ticket struct {
	slots *Slots
	cold  bool
	done  chan struct{} // closed when granted or refused
	lease *Lease        // nil after done: refused
	taken bool
}

// Cold implements relay.Ticket.
func (t *Ticket) Cold() bool { return t.cold }

// Lease implements relay.Ticket.
func (t *Ticket) Lease(ctx context.Context) (relay.Lease, error) {
	select {
	case <-t.done:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	t.slots.mu.Lock()
	defer t.slots.mu.Unlock()
	if t.lease == nil {
		return nil, t.slots.refusal
	}
	t.taken = true
	return t.lease, nil
}

// Cancel implements relay.Ticket.
func (t *Ticket) Cancel() {
	t.slots.mu.Lock()
	defer t.slots.mu.Unlock()
	if t.lease != nil && !t.taken {
		t.lease.released = true
	}
	for i, w := range t.slots.waiting {
		if w == t {
			t.slots.waiting = append(t.slots.waiting[:i:i], t.slots.waiting[i+1:]...)
			return
		}
	}
}

// Lease implements relay.Lease.
type Lease struct {
	slots    *Slots
	number   uint64
	lost     chan struct{}
	loss     slot.Loss
	released bool
	proved   atomic.Int64
}

// Lose revokes the lease.
func (l *Lease) Lose(loss slot.Loss) {
	l.loss = loss
	close(l.lost)
}

// Proofs returns how often Proved was called.
func (l *Lease) Proofs() int {
	return int(l.proved.Load())
}

// Endpoint implements relay.Lease.
func (l *Lease) Endpoint() slot.Endpoint {
	return slot.Endpoint{URL: "http://engine", Key: "launch-key"}
}

// Incarnation implements relay.Lease.
func (l *Lease) Incarnation() uint64 { return l.number }

// Up implements relay.Lease: it was up before anybody came.
func (l *Lease) Up() time.Time { return time.Unix(1, 0) }

// Lost implements relay.Lease.
func (l *Lease) Lost() <-chan struct{} { return l.lost }

// Loss implements relay.Lease.
func (l *Lease) Loss() slot.Loss { return l.loss }

// Proved implements relay.Lease.
func (l *Lease) Proved() { l.proved.Add(1) }

// Loading implements relay.Lease: the engine is up again at once.
func (l *Lease) Loading(context.Context) error { return nil }

// Release implements relay.Lease.
func (l *Lease) Release() {
	l.slots.mu.Lock()
	defer l.slots.mu.Unlock()
	l.released = true
}
