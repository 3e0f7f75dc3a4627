package relay

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/hal0-dev/hal0/plugin/wire"
	"github.com/hal0-dev/hal0/sidecar/internal/hub"
	"github.com/hal0-dev/hal0/sidecar/internal/pool"
)

// holdAfter is how long an upload waits for its slot before it is kept in a
// file: one that is up needs no file.
const holdAfter = 100 * time.Millisecond

type hubFlight = hub.Flight[Head, Outcome]

// flight is the work of one lead. Its goroutine is the hub's; what readers may
// see of it is atomic.
type flight struct {
	relay  *Relay
	slot   string
	key    hub.Key // "" = it has none
	lane   string
	family string
	stream bool
	path   string // at the engine
	header http.Header
	body   sending
	upload *Upload // what body is, if it is a form
	limits limits

	shared  bool // others may join also where the slot is up
	choices int  // how many the answer has

	hub     *hubFlight
	retried bool
	final   final

	cold  atomic.Bool
	whole atomic.Bool // every frame of a complete answer was appended
	// Unix nanoseconds, 0 = not yet; see Times.
	queued, up, dispatched, first atomic.Int64
}

// run is the flight: one attempt, or two.
func (f *flight) run(ctx context.Context, h *hubFlight) Outcome {
	f.hub = h
	if f.upload != nil {
		defer f.upload.Close()
		var cancel context.CancelCauseFunc
		ctx, cancel = context.WithCancelCause(ctx)
		defer cancel(nil)
		f.upload.onFailure(func(err error) { cancel(&brokenUpload{err}) })
	}
	suspect := f.relay.suspects.has(f.key)
	for second := false; ; second = true {
		end := f.attempt(ctx, second)
		end.second, end.suspect = second, suspect
		f.remember(end)
		out, again := end.conclude()
		f.tell(end, out, again)
		if !again {
			out.Retried, out.final = second, f.final
			if out.Kind == Failed {
				out.Failure.Details.Slot = f.slot
			}
			return out
		}
		h.Recall()
	}
}

// remember keeps in mind whether an engine goes down under the request.
func (f *flight) remember(end ending) {
	switch {
	case end.crashed():
		f.relay.suspects.add(f.key)
	case end.how == whole:
		f.relay.suspects.clear(f.key)
	}
}

// tell writes what the operator wants to know of an ending. The engine's
// message stays out: it may quote the prompt.
func (f *flight) tell(end ending, out Outcome, again bool) {
	if out.Kind != Failed && !again || end.how == refused {
		return
	}
	level := hclog.Warn
	if out.Kind == Failed && out.Failure.Status() < http.StatusInternalServerError {
		level = hclog.Debug // the client's fault
	}
	f.relay.log.Log(level, "attempt failed", "slot", f.slot, "path", f.path, "ending", end.how, "code", out.Failure.Code,
		"again", again, "exit", end.loss.Exit.Class, "detail", end.loss.Exit.Detail, "error", end.err)
}

// attempt asks for a lease and makes one call under it.
func (f *flight) attempt(ctx context.Context, second bool) ending {
	f.queued.CompareAndSwap(0, time.Now().UnixNano())
	ticket := f.relay.slots.Request(pool.Request{Slot: f.slot, Lane: f.lane, Front: second})
	defer ticket.Cancel()
	cold := ticket.Cold()
	if cold {
		f.cold.Store(true)
	}
	f.hub.Decide(cold || f.shared)
	lease, err := f.lease(ctx, ticket)
	if err != nil {
		return unleased(ctx, err)
	}
	defer lease.Release()
	if !f.hub.Dispatch() {
		return ending{how: unwanted}
	}
	f.up.Store(lease.Up().UnixNano())
	f.dispatched.Store(time.Now().UnixNano())
	c := &call{flight: f, lease: lease, guard: newGuard(f.limits)}
	end := c.make(ctx)
	end.appended, end.spent = f.hub.Appended() > 0, f.body.spent()
	return end
}

// lease waits for the slot.
func (f *flight) lease(ctx context.Context, ticket Ticket) (Lease, error) {
	if f.upload != nil {
		held := time.AfterFunc(holdAfter, f.upload.hold)
		defer held.Stop()
	}
	return ticket.Lease(ctx)
}

// unleased is the ending of a wait for a lease.
func unleased(ctx context.Context, err error) ending {
	var refusal *pool.Refusal
	switch {
	case errors.As(err, &refusal):
		failure := refusal.Failure
		if failure.Details.State == "" && refusal.State != 0 {
			failure.Details.State = refusal.State.String()
		}
		return ending{how: refused, failure: failure, err: err}
	case ctx.Err() != nil:
		return cancelled(ctx)
	}
	return ending{how: refused, failure: wire.NewFailure(wire.CodeInternal, "the slot gave no lease"), err: err}
}

// cancelled is the ending of a flight whose context ended.
func cancelled(ctx context.Context) ending {
	var broken *brokenUpload
	if errors.As(context.Cause(ctx), &broken) {
		return ending{how: refused, failure: broken.failure(), err: broken}
	}
	if errors.Is(context.Cause(ctx), hub.ErrNobody) {
		return ending{how: unwanted}
	}
	return ending{how: closing}
}
