//go:build go1.21

package plugin

import (
	"net/http"
	"strconv"

	"github.com/hal0-dev/hal0/plugin/wire"
)

// refuse answers a request with a coded JSON error in the shape of its family.
// A Retry-After that already stands in the header is kept.
func refuse(rw http.ResponseWriter, family string, f wire.Failure) {
	refuseWith(rw, family, f, f.Status())
}

func refuseWith(rw http.ResponseWriter, family string, f wire.Failure, status int) {
	body := f.Body(family)
	out := rw.Header()
	out.Set("Content-Type", "application/json")
	out.Set("Content-Length", strconv.Itoa(len(body)))
	out.Set("Cache-Control", "no-store")
	if after := f.RetryAfter(); after != "" && out.Get("Retry-After") == "" {
		out.Set("Retry-After", after)
	}
	if !f.Details.Retryable && status >= 500 {
		out.Set("X-Should-Retry", "false")
	}
	rw.WriteHeader(status)
	_, _ = rw.Write(body) // a client that has gone needs no answer
}

// translated says what a text error of something behind the edge (Traefik's
// proxy, its other middlewares) means. The status stays the original one where
// the code leaves it open.
func translated(status int) (wire.Failure, int) {
	code, message := wire.CodeRejected, "The request was refused on the way to the sidecar."
	switch {
	case status == 502 || status == 503 || status == 504:
		return wire.NewFailure(wire.CodeUnreachable, "The sidecar cannot be reached; it may be restarting."), 503
	case status >= 500:
		return wire.NewFailure(wire.CodeInternal, "Something on the way to the sidecar failed."), 500
	case status == 401:
		code, message = wire.CodeInvalidAPIKey, "The request was not authenticated."
	case status == 403:
		code, message = wire.CodeForbidden, "The request is not allowed here."
	case status == 404:
		code, message = wire.CodeRouteUnknown, "Nothing behind this route answers for that path."
	case status == 405:
		code, message = wire.CodeMethod, "The method is not allowed here."
	case status == 413:
		code, message = wire.CodeTooLarge, "The request's body is too large."
	case status == 421:
		code, message = wire.CodeHost, "The host is not served here."
	case status == 429:
		code, message = wire.CodeRateLimited, "Too many requests."
	}
	return wire.NewFailure(code, message), status
}
