package relay

import (
	"time"

	"github.com/hal0-dev/hal0/plugin/wire"
	"github.com/hal0-dev/hal0/sidecar/internal/hub"
)

// Subscription is a client's place in a flight; see hub.Subscription. Leave
// must be called.
type Subscription struct {
	*hub.Subscription[Head, Outcome]
	family string
	flight *flight
}

// Flight is wire.FlightLead or wire.FlightJoin.
func (s *Subscription) Flight() string {
	if s.Lead() {
		return wire.FlightLead
	}
	return wire.FlightJoin
}

// Cold reports whether the flight had to wait for a slot that was not up.
func (s *Subscription) Cold() bool { return s.flight.cold.Load() }

// Stream reports whether the request asks for a stream of events.
func (s *Subscription) Stream() bool { return s.flight.stream }

// Whole reports whether the flight's answer is complete, its outcome apart.
func (s *Subscription) Whole() bool { return s.flight.whole.Load() }

// Family is the family of the endpoint.
func (s *Subscription) Family() string { return s.family }

// Times are the flight's.
func (s *Subscription) Times() Times {
	at := func(ns int64) time.Time {
		if ns == 0 {
			return time.Time{}
		}
		return time.Unix(0, ns)
	}
	f := s.flight
	return Times{Queued: at(f.queued.Load()), Up: at(f.up.Load()), Dispatched: at(f.dispatched.Load()), First: at(f.first.Load())}
}

// Outcome is how it ended for this client, once Take has said Ended or Cut.
func (s *Subscription) Outcome(state hub.State) Outcome {
	if state == hub.Cut {
		return failed(wire.NewFailure(wire.CodeLagged, "this reader was too slow for the stream"))
	}
	return s.Subscription.Outcome()
}
