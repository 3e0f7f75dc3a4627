package relay

import (
	"context"
	"errors"
	"io"
	"mime"
	"net"
	"time"

	"github.com/hal0-dev/hal0/plugin/wire"
)

const (
	// maxComplaint is how much of an engine's error is read.
	maxComplaint = 64 << 10
	// attribution is how long a broken connection waits for the news that the
	// process behind it has ended.
	attribution = 500 * time.Millisecond
)

// call is one HTTP exchange with an engine under a lease.
type call struct {
	*flight
	lease  Lease
	guard  *guard
	cancel context.CancelCauseFunc // ends the exchange
	begun  bool                    // the head is set
}

// make makes the call and returns how it ended.
func (c *call) make(ctx context.Context) ending {
	callCtx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	c.cancel = cancel
	c.guard.watch(c.lease.Lost(), cancel)
	defer c.guard.close()
	for {
		end, loading := c.exchange(callCtx)
		if loading {
			if c.lease.Loading(callCtx) == nil {
				continue
			}
			end = ending{how: torn, err: errLost}
		}
		return c.attribute(ctx, callCtx, end)
	}
}

// exchange sends the request and relays the answer. loading means that the
// engine wants to be asked again when it is up.
func (c *call) exchange(ctx context.Context) (end ending, loading bool) {
	defer c.body.leave()
	resp, err := c.relay.upstream.post(ctx, c.slot, c.lease.Endpoint(), c.path, c.header, c.body)
	if err != nil {
		var op *net.OpError
		if errors.As(err, &op) && op.Op == "dial" {
			return ending{how: unreached, err: err}, false
		}
		return ending{how: torn, err: err}, false
	}
	defer resp.Body.Close()
	body := c.guard.listen(resp.Body)
	if resp.StatusCode < 200 || resp.StatusCode >= 300 {
		text, err := io.ReadAll(io.LimitReader(body, maxComplaint))
		if err != nil {
			return ending{how: torn, err: err}, false
		}
		said := readComplaint(resp.StatusCode, text)
		return ending{how: complains, failure: said.failure()}, said.isLoading()
	}
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	head := Head{Status: resp.StatusCode, Header: clientHeader(resp.Header), SSE: kind == "text/event-stream"}
	switch {
	case head.SSE:
		return c.relayEvents(head, resp.Body), false
	case c.stream:
		return c.notEvents(kind, body), false
	case kind == "application/json":
		return c.relayJSON(head, body), false
	}
	if resp.ContentLength > 0 {
		head.Header.Set("Content-Length", resp.Header.Get("Content-Length"))
	}
	return c.relayBytes(head, body, nil), false
}

// notEvents is the ending of a stream for which the engine answered something
// else with a good status.
func (c *call) notEvents(kind string, body io.Reader) ending {
	text, err := io.ReadAll(io.LimitReader(body, maxComplaint))
	if err != nil {
		return ending{how: torn, err: err}
	}
	if isError(text) || kind != "application/json" {
		said := readComplaint(0, text)
		return ending{how: odd, failure: said.failure()}
	}
	return ending{how: odd, failure: wire.NewFailure(wire.CodeEngine, "the engine answered a request for a stream with one body")}
}

// attribute finds the cause behind what the call saw.
func (c *call) attribute(ctx, callCtx context.Context, end ending) ending {
	if end.how != torn && end.how != unreached && end.how != clipped {
		return end
	}
	var late *stalled
	switch cause := context.Cause(callCtx); {
	case ctx.Err() != nil:
		return cancelled(ctx)
	case errors.As(cause, &late):
		return lateEnding(late)
	case end.how == clipped: // a proper end: the process was alive to send it
	default:
		timer := time.NewTimer(attribution)
		defer timer.Stop()
		select {
		case <-c.lease.Lost():
		case <-timer.C:
		case <-ctx.Done():
			return cancelled(ctx)
		}
	}
	select {
	case <-c.lease.Lost():
		end.how, end.loss = lost, c.lease.Loss()
	default:
	}
	return end
}

func lateEnding(s *stalled) ending {
	return ending{how: late, failure: wire.NewFailure(wire.CodeStalled, s.message), err: s}
}

// begin sets the head, once, before the first frame.
func (c *call) begin(head Head) {
	if c.begun {
		return
	}
	c.begun = true
	c.body.release()
	c.guard.begun.Store(true)
	if c.first.CompareAndSwap(0, time.Now().UnixNano()) {
		c.hub.SetHead(head)
	}
}

// push appends frames. If kept, they must not be written again; an error means
// that the flight's context has ended.
func (c *call) push(frames ...[]byte) (kept bool, err error) {
	c.guard.busy.Store(true)
	kept, err = c.hub.Append(frames...)
	c.guard.busy.Store(false)
	c.lease.Proved()
	return kept, err
}
