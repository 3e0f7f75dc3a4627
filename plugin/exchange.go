//go:build go1.21

package plugin

import (
	"context"
	"net/http"
	"time"

	"github.com/hal0-dev/hal0/plugin/wire"
)

// exchange is one request on its way: what was decided about it, and what its
// answer needs. It belongs to the goroutine that serves the request.
type exchange struct {
	e         *endpoint
	path      string // escaped
	id        string
	client    string      // address
	key       string      // name of the API key
	scope     string      // who may share a flight
	quoted    string      // the model's name as it stands in JSON, "" = none
	origin    string      // of a web page that may read the answer, "" = none
	model     *wire.Model // nil for the endpoints that need none
	draft     string      // of the proof
	began     time.Time
	refusal   *wire.Failure
	preflight bool // it is answered without asking anybody
	share     *share
	upload    *upload
	replay    *replay

	declarer *declarer // nil = nobody declares
	watch    *watch    // nil = nobody watches
	takeBack func() bool
	ctx      context.Context
	cancel   context.CancelCauseFunc
}

// no refuses the request; it returns false for its callers to return.
func (x *exchange) no(code, message string) bool {
	f := wire.NewFailure(code, message)
	x.refusal = &f
	return false
}

// noJSON is no for a body that cannot be understood.
func (x *exchange) noJSON(message string) bool { return x.no(wire.CodeInvalidJSON, message) }

// noParam is no for a wrong parameter.
func (x *exchange) noParam(code, message, param string) bool {
	x.no(code, message)
	x.refusal.Param = param
	return false
}

// decorate writes what every answer carries.
func (x *exchange) decorate(h http.Header) {
	h[wire.HeaderRequestID] = []string{x.id}
	if x.e.anthropic || x.origin != "" {
		x.adorn(h)
	}
}

// adorn writes what answers to some clients carry.
func (x *exchange) adorn(h http.Header) {
	if x.e.anthropic {
		h["Request-Id"] = []string{x.id}
	}
	if x.origin != "" {
		allow(h, x.origin)
	}
}

func (x *exchange) detailed(f wire.Failure) wire.Failure {
	f.Details.RequestID = x.id
	if x.model != nil && f.Details.Slot == "" {
		f.Details.Slot = x.model.Slot
	}
	return f
}

// guard begins to watch the exchange, and to listen for the end of Traefik.
func (x *exchange) guard(sidecar string, shutdownAfter time.Duration) {
	cancel := x.cancel
	x.watch = newWatch(sidecar, x.id, cancel)
	x.takeBack = stopping.after(shutdownAfter, func() { cancel(errShutdown) })
}

// quiet ends the watch: nothing promises a sign of life from here on.
func (x *exchange) quiet() {
	if x.watch != nil {
		x.watch.stop()
		x.watch = nil
	}
}

// done ends all that the exchange began.
func (x *exchange) done() {
	x.quiet()
	if x.takeBack != nil {
		x.takeBack()
	}
	x.cancel(nil)
	x.free()
}

// free gives back the room that the body took.
func (x *exchange) free() {
	if x.share != nil {
		x.share.release()
	}
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

// ending says why a stream ends before it is complete; whole says that the
// upstream ended it properly.
func (x *exchange) ending(whole bool) wire.Failure {
	if f := x.cause(); f.Code != "" {
		return f
	}
	if whole {
		return wire.NewFailure(wire.CodeTruncated, "The stream ended before it was complete.")
	}
	return wire.NewFailure(wire.CodeLost, "The sidecar was lost in the middle of the stream.")
}
