//go:build go1.21

package plugin

import (
	"context"
	"net/http"
	"net/http/httptrace"
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
	reached context.Context // done when this attempt has reached the sidecar
	token   string
	draft   string // of the proof
	subject wire.Subject
	moment  wire.Moment
}

// trace makes the context of one attempt, by which replay hears that the sidecar
// was reached. What the transport calls then is a cancel function, not one of
// ours: nothing is interpreted on its way.
func (r *replay) trace(ctx context.Context) context.Context {
	reached, reach := context.WithCancel(context.Background())
	r.reached = reached
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteHeaders: reach})
}

// due reports whether an answer that is an error in text means that the request
// should be sent again.
func (r *replay) due(status int, ctx context.Context) bool {
	return status == http.StatusBadGateway && r.left > 0 && r.reached.Err() != nil && ctx.Err() == nil
}

// begin signs the first attempt. A body that is streamed cannot be sent again.
func (r *replay) begin(x *exchange, req *http.Request, token string) {
	r.token = token
	r.draft = x.draft
	r.subject = wire.Subject{Purpose: wire.PurposeRequest, Method: req.Method, Path: x.path}
	r.moment = wire.Moment{RequestID: x.id, Scope: x.scope, Lane: x.scope + " " + x.client, Client: x.client}
	if x.upload == nil {
		r.left = maxReplays
	}
	r.sign(req)
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
	r.sign(req)
	return true
}

// sign puts the proof on the request, with the time of this attempt: the one
// before may have waited for longer than a proof is good for.
func (r *replay) sign(req *http.Request) {
	r.moment.TimeMS = time.Now().UnixMilli()
	req.Header[wire.HeaderProof] = []string{wire.SignDraft(r.token, r.subject, r.draft, r.moment)}
}
