//go:build go1.21

package plugin

import (
	"context"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"time"

	"github.com/hal0-dev/hal0/plugin/wire"
)

// maxReplays bounds how often one request is sent again. A request that itself
// ends the sidecar must not do so for ever.
const maxReplays = 2

// replay sends a held request again when its connection to the sidecar breaks
// before anything came back: the sidecar was restarted while the request waited
// for a boot. Traefik's retry does not do that; it only repeats what could not
// be sent at all, which is how the repetition then finds the sidecar.
type replay struct {
	left    int
	reached atomic.Bool // the sidecar accepted a connection for this attempt
	token   string
	proof   wire.Proof
}

// trace makes a context by which replay hears that the sidecar was reached.
func (r *replay) trace(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(_ httptrace.GotConnInfo) { r.reached.Store(true) }})
}

// due reports whether an answer that is an error in text means that the request
// should be sent again.
func (r *replay) due(status int, ctx context.Context) bool {
	return status == http.StatusBadGateway && r.left > 0 && r.reached.Load() && ctx.Err() == nil
}

// renew makes a request ready to be sent again; false if its body is gone.
func (r *replay) renew(req *http.Request) bool {
	if req.GetBody != nil {
		body, err := req.GetBody()
		if err != nil {
			return false
		}
		req.Body = body
	}
	r.left--
	r.reached.Store(false)
	r.sign(req)
	return true
}

// sign puts the proof on the request, with the time of this attempt: the one
// before may have waited for longer than a proof is good for.
func (r *replay) sign(req *http.Request) {
	r.proof.TimeMS = time.Now().UnixMilli()
	subject := wire.Subject{Purpose: wire.PurposeRequest, Method: req.Method, Path: req.URL.EscapedPath()}
	req.Header.Set(wire.HeaderProof, wire.Sign(r.token, subject, r.proof))
}
