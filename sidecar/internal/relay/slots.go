package relay

import (
	"context"
	"time"

	"github.com/hal0-dev/hal0/sidecar/internal/pool"
	"github.com/hal0-dev/hal0/sidecar/internal/slot"
)

// Slots gives out leases.
type Slots interface {
	// Request never blocks.
	Request(pool.Request) Ticket
}

// Ticket is a place in a slot's queue.
type Ticket interface {
	// Cold reports whether the slot was not up when the ticket was made.
	Cold() bool
	// Lease returns a lease, or an error: *pool.Refusal or ctx's cause.
	Lease(context.Context) (Lease, error)
	// Cancel gives the place up, and a lease that Lease did not return.
	Cancel()
}

// Lease is the right to send an engine one request; see slot.Lease.
type Lease interface {
	Endpoint() slot.Endpoint
	Incarnation() uint64
	Up() time.Time // since when the engine is up
	Lost() <-chan struct{}
	Loss() slot.Loss
	Proved()
	Loading(context.Context) error
	Release()
}

// FromPool makes a pool's slots known to a relay.
func FromPool(p *pool.Pool) Slots { return pooled{p} }

type pooled struct{ pool *pool.Pool }

func (p pooled) Request(r pool.Request) Ticket { return pooledTicket{p.pool.Request(r)} }

type pooledTicket struct{ *pool.Ticket }

func (t pooledTicket) Lease(ctx context.Context) (Lease, error) {
	l, err := t.Ticket.Lease(ctx)
	if err != nil {
		return nil, err
	}
	return l, nil
}
