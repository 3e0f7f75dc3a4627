package pool

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/hal0-dev/hal0/plugin/wire"
	"github.com/hal0-dev/hal0/sidecar/internal/slot"
)

// Request asks for one lease.
type Request struct {
	Slot string
	Lane string // the fair queue; lanes are served in turn
	// Front puts the ticket at the head of its lane: the request went down
	// with an engine before a frame came, and is tried once more. Such tickets
	// are granted one at a time until one of them proved itself.
	Front bool
}

// Refusal is why a ticket gets no lease.
type Refusal struct {
	wire.Failure
	State slot.State // of the slot; 0 = there is none
}

func (r *Refusal) Error() string { return fmt.Sprintf("%s: %s", r.Code, r.Message) }

// Ticket is a place in a slot's queue. Its methods may be called from any
// goroutine.
type Ticket struct {
	pool    *Pool
	request Request
	number  uint64    // of the pool's tickets; set by the pool's goroutine
	since   time.Time // when it was made

	decided chan struct{} // closed when cold is known
	cold    bool          // written before decided is closed

	done chan struct{} // closed when the ticket is granted, refused or cancelled

	mu      sync.Mutex // guards all below
	over    bool       // done is closed
	owned   bool       // Lease returned the lease
	lease   *slot.Lease
	refusal *Refusal
}

func newTicket(p *Pool, r Request) *Ticket {
	return &Ticket{pool: p, request: r, since: time.Now(), decided: make(chan struct{}), done: make(chan struct{})}
}

// Cold reports whether the slot was not up when the ticket was made. A full
// queue of a slot that is up is not cold.
func (t *Ticket) Cold() bool {
	<-t.decided
	return t.cold
}

// Lease waits for the ticket's end: a lease, which the caller then releases,
// or an error, which is a *Refusal or ctx's cause. After ctx's end the ticket
// waits on, until Cancel.
func (t *Ticket) Lease(ctx context.Context) (*slot.Lease, error) {
	select {
	case <-t.done:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.refusal != nil {
		return nil, t.refusal
	}
	if t.lease == nil {
		return nil, context.Canceled
	}
	t.owned = true
	return t.lease, nil
}

// Cancel gives the place up, and a lease that was granted but that Lease has
// not returned. Again is nothing.
func (t *Ticket) Cancel() {
	if lease := t.end(nil, nil); lease != nil {
		lease.Release()
		return
	}
	t.pool.in.Put(func() { t.pool.cancelled(t) })
}

// end closes the ticket, once: granted with a lease, refused, or neither. It
// returns the lease that nobody has taken, if this is a late cancel.
func (t *Ticket) end(l *slot.Lease, r *Refusal) *slot.Lease {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.over {
		if l == nil && r == nil && t.lease != nil && !t.owned {
			lease := t.lease
			t.lease = nil
			return lease
		}
		return nil
	}
	t.over, t.lease, t.refusal = true, l, r
	close(t.done)
	return nil
}

// take is called by the slot's goroutine; false means that nobody wants the
// lease any more.
func (t *Ticket) take(l *slot.Lease) bool {
	t.end(l, nil)
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.lease == l
}

// refuse ends the ticket without a lease.
func (t *Ticket) refuse(r *Refusal) { t.end(nil, r) }

// gone reports whether nobody waits for the ticket any more.
func (t *Ticket) gone() bool {
	select {
	case <-t.done:
		return true
	default:
		return false
	}
}

// decide fixes whether the ticket is cold; called once, by the pool's
// goroutine.
func (t *Ticket) decide(cold bool) {
	t.cold = cold
	close(t.decided)
}
