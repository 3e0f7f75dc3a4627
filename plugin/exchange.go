//go:build go1.21

package plugin

import (
	"context"
	"net/http"
	"time"

	"github.com/hal0-dev/hal0/plugin/wire"
)

// exchange is one request on its way: what was decided about it, and what its
// answer needs.
type exchange struct {
	id     string
	family string
	chatty bool // the family's events have no names: chat and completions
	slot   string
	origin string // of a web page that may read the answer, "" = none
	upload *upload
	replay *replay

	declarer *declarer // nil = nobody declares
	watch    *watch    // nil = nobody watches
	ctx      context.Context
	cancel   context.CancelCauseFunc
}

// decorate writes what every answer carries.
func (x *exchange) decorate(h http.Header) {
	h.Set(wire.HeaderRequestID, x.id)
	if x.family == wire.FamilyMessages {
		h.Set("Request-Id", x.id)
	}
	if x.origin != "" {
		allow(h, x.origin)
	}
}

// refuse answers instead of the upstream.
func (x *exchange) refuse(rw http.ResponseWriter, f wire.Failure) {
	x.decorate(rw.Header())
	refuse(rw, x.family, x.detailed(f))
}

func (x *exchange) detailed(f wire.Failure) wire.Failure {
	f.Details.RequestID = x.id
	if f.Details.Slot == "" {
		f.Details.Slot = x.slot
	}
	return f
}

func (x *exchange) declareAgain() {
	if x.declarer != nil {
		x.declarer.again()
	}
}

// committed hears that the answer has begun.
func (x *exchange) committed(heartbeat string) (*time.Timer, time.Duration) {
	if x.watch == nil {
		return nil, 0
	}
	return x.watch.commit(heartbeat)
}

// cause is the failure for which the edge itself cancelled the exchange; its
// code is "" if it did not.
func (x *exchange) cause() wire.Failure {
	switch context.Cause(x.ctx) {
	case errShutdown:
		return wire.NewFailure(wire.CodeEdgeShutdown, "Traefik is shutting down.")
	case errSilent:
		return wire.NewFailure(wire.CodeLost, "The sidecar fell silent in the middle of the stream.")
	case errHold:
		return wire.NewFailure(wire.CodeUnreachable, "The sidecar was lost while it held the request.")
	case errEvent:
		return wire.NewFailure(wire.CodeTruncated, "The stream held an event that is too large.")
	}
	return wire.Failure{}
}

// meaning says what an error in text, from behind the edge, means here.
func (x *exchange) meaning(status int) (wire.Failure, int) {
	if f := x.cause(); f.Code != "" {
		return f, f.Status()
	}
	if x.upload != nil && x.upload.tooLarge() {
		f := wire.NewFailure(wire.CodeTooLarge, "The upload is larger than this route allows.")
		return f, f.Status()
	}
	return translated(status)
}

// ending says why a stream ends before it is complete.
func (x *exchange) ending(returned bool) wire.Failure {
	if f := x.cause(); f.Code != "" {
		return f
	}
	if returned {
		return wire.NewFailure(wire.CodeTruncated, "The stream ended before it was complete.")
	}
	return wire.NewFailure(wire.CodeLost, "The sidecar was lost in the middle of the stream.")
}
