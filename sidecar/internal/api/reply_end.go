package api

import (
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/hal0-dev/hal0/plugin/wire"
	"github.com/hal0-dev/hal0/sidecar/internal/relay"
)

// gone tells the outcome of a client that left before it was told any. One that
// has all events needs no more.
func (p *replier) gone() {
	switch {
	case p.told.Outcome != "":
	case p.lagged.Load():
		p.told.Outcome, p.told.Code = outcomeFailed, wire.CodeLagged
	case !p.broken && p.sub.Whole():
		p.told.Outcome = outcomeOK
	default:
		p.told.Outcome = outcomeCancelled
	}
}

// end tells the outcome in the way that is left: a status, a last event, or
// none at all.
func (p *replier) end(o relay.Outcome) {
	switch o.Kind {
	case relay.Complete:
		p.told.Outcome = outcomeOK
		if p.phase == phaseHeld {
			p.head() // an answer without a body
		}
	case relay.Abandoned:
		p.told.Outcome = outcomeCancelled
	case relay.Failed:
		p.fail(o)
	}
}

func (p *replier) fail(o relay.Outcome) {
	f := o.Failure
	f.Details.RequestID = p.o.RequestID
	if f.Details.Slot == "" {
		f.Details.Slot = p.o.Slot
	}
	p.told.Outcome, p.told.Code = outcomeFailed, f.Code
	if f.Code == wire.CodeTruncated {
		p.told.Outcome = outcomeTruncated
	}
	p.hurry() // the server gives the next request on the connection all the time again
	switch p.phase {
	case phaseHeld:
		p.refuse(f)
	case phaseStream:
		f.Details.EventsDelivered = p.told.Events
		if !o.Told {
			p.last(o.Final(p.o.Family, f))
		}
	case phaseBody:
		p.told.Aborted = true
	}
}

// last writes the last event. The client may be gone; there is nobody else to
// tell then.
func (p *replier) last(event []byte) {
	if _, err := p.w.Write(event); err == nil {
		_ = p.control.Flush()
	}
}

// refuse answers with a status and the error as JSON.
func (p *replier) refuse(f wire.Failure) {
	p.describe(p.w.Header())
	p.told.Status = f.Status()
	fail(p.w, p.o.RequestID, p.o.Family, f)
}

// describe sets the headers that say what became of the request.
func (p *replier) describe(h http.Header) {
	p.told.Wait = time.Since(p.arrived)
	h.Set(wire.HeaderRequestID, p.o.RequestID)
	if p.o.Family == wire.FamilyMessages {
		h.Set("Request-Id", p.o.RequestID) // as Anthropic calls it
	}
	h.Set(wire.HeaderSlot, p.o.Slot)
	h.Set(wire.HeaderFlight, p.told.Flight)
	h.Set(wire.HeaderWait, strconv.FormatInt(p.told.Wait.Milliseconds(), 10))
	if p.sub.Cold() {
		h.Set(wire.HeaderColdStart, "true")
	}
}

func (p *replier) send(status int) {
	p.told.Status = status
	p.w.WriteHeader(status)
}

// commitTime is when a client that asked for events gets its headers at the
// latest: half of what the client itself says that it waits, if that is sooner.
func commitTime(arrived time.Time, h http.Header, stream bool, after time.Duration) time.Time {
	if !stream || after < 0 {
		return time.Time{}
	}
	for _, name := range []string{"X-Stainless-Timeout", "X-Stainless-Read-Timeout"} {
		if s, err := strconv.ParseFloat(h.Get(name), 64); err == nil && s >= 2 && s <= 3600 {
			after = min(after, time.Duration(s*float64(time.Second)/2))
		}
	}
	return arrived.Add(after)
}

// seconds is a duration in whole seconds, rounded up, as headers have it.
func seconds(d time.Duration) string { return strconv.Itoa(int(math.Ceil(d.Seconds()))) }
