//go:build go1.21

package plugin

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/hal0-dev/hal0/plugin/wire"
)

// Handler is one instance of the middleware. It is immutable.
type Handler struct {
	next        http.Handler
	settings    settings
	table       table
	fingerprint string
	declarer    *declarer // nil = nobody declares
}

// New makes an instance. It needs neither the token file nor the sidecar to be
// there. What it starts ends with ctx; requests that it serves do not.
func New(ctx context.Context, next http.Handler, config *Config, name string) (http.Handler, error) {
	s, err := newSettings(config, name, time.Now())
	if err != nil {
		return nil, err
	}
	if next == nil {
		return nil, errors.New("configure " + name + ": there is no next handler")
	}
	h := &Handler{next: next, settings: s, table: newTable(s.route), fingerprint: s.route.Fingerprint()}
	if s.sidecar != "" {
		stopping.listen()
		h.declarer = declaring.join(ctx, s)
	}
	return h, nil
}

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(rw http.ResponseWriter, req *http.Request) {
	strip(req)
	escaped := req.URL.EscapedPath()
	e, code := h.table.endpoint(req.Method, escaped)
	if code == wire.PathOutside {
		if !disguised(req.URL.Path) {
			h.next.ServeHTTP(rw, req)
			return
		}
		code = wire.CodePath
	}
	x := &exchange{id: requestID(req.Header), family: familyOf(escaped), declarer: h.declarer, replay: &replay{}}
	if code == "" {
		x.family = e.Family
		x.chatty = e.Family == wire.FamilyChat || e.Family == wire.FamilyCompletions
	}
	if origin := req.Header.Get("Origin"); originListed(h.settings.cors, origin) {
		x.origin = origin
	}
	key, f := h.admit(req, code)
	if f.Code != "" {
		h.turnAway(rw, req, x, f, escaped)
		return
	}
	if preflight(req) {
		answerPreflight(rw, req, x)
		return
	}
	s := &share{from: bodies, client: clientAddress(req.RemoteAddr)}
	defer s.release()
	if f = h.prepare(req, e, x, s, key); f.Code != "" {
		x.refuse(rw, f)
		return
	}
	h.forward(rw, req, x)
}

// admit decides whether the request may ask anything here; code is what the
// table said about its path. It returns the name of the API key.
func (h *Handler) admit(req *http.Request, code string) (string, wire.Failure) {
	if code == wire.CodePath {
		return "", wire.NewFailure(code, "The path holds an encoded slash, a backslash or a dot segment.")
	}
	if !hostAllowed(h.settings.hosts, req.Host) {
		return "", wire.NewFailure(wire.CodeHost, "This route does not serve that host; its list of hosts says which it does.")
	}
	asks := preflight(req)
	key := ""
	if !asks {
		key = keyOf(h.settings.keys, req.Header)
	}
	if key == "" && foreign(h.settings.cors, req.Header, req.Host) {
		return "", wire.NewFailure(wire.CodeOrigin, "Web pages of that origin may not use this route; its list of origins (cors) says which may.")
	}
	if asks {
		return "", wire.Failure{}
	}
	if key == "" && len(h.settings.keys) > 0 {
		return "", wire.NewFailure(wire.CodeInvalidAPIKey, "The API key is missing or wrong.")
	}
	switch code {
	case wire.CodeMethod:
		return "", wire.NewFailure(code, "This endpoint does not take "+shorten(req.Method)+".")
	case wire.CodeRouteUnknown:
		return "", wire.NewFailure(code, "There is no such endpoint: "+shorten(req.URL.Path))
	}
	return key, wire.Failure{}
}

// turnAway refuses a request whose body was not looked at.
func (h *Handler) turnAway(rw http.ResponseWriter, req *http.Request, x *exchange, f wire.Failure, escaped string) {
	switch f.Code {
	case wire.CodeMethod:
		rw.Header().Set("Allow", h.table.methods(escaped))
	case wire.CodeInvalidAPIKey:
		rw.Header().Set("Www-Authenticate", "Bearer")
	}
	x.refuse(rw, f)
}

// prepare reads the body, chooses the model and signs what was decided.
func (h *Handler) prepare(req *http.Request, e wire.Endpoint, x *exchange, s *share, key string) wire.Failure {
	token, problem := tokens.get(h.settings.tokenFile)
	if problem != "" {
		return wire.NewFailure(wire.CodeUnreachable, problem)
	}
	who := scope(key, h.tenant(req), h.settings.route.Name)
	p := wire.Proof{
		RequestID:     x.id,
		Route:         h.settings.route.Name,
		Fingerprint:   h.fingerprint,
		Since:         h.settings.route.Since,
		Scope:         who,
		Lane:          who + " " + s.client,
		Client:        s.client,
		CommitAfterMS: h.settings.commitAfter.Milliseconds(),
		HeartbeatMS:   h.settings.heartbeat.Milliseconds(),
	}
	if e.Family != wire.FamilyModels {
		model, f := h.read(req, e, x, s)
		if f.Code != "" {
			return f
		}
		x.slot = model.Slot
		p.Slot = model.Slot
		p.Model = &model
		req.Header.Set(wire.HeaderSlot, model.Slot)
		if model.Node != "" {
			req.Header.Set(wire.HeaderNode, model.Node)
		}
	}
	withhold(req.Header)
	req.Header.Set(wire.HeaderRequestID, x.id)
	x.replay.token = token
	x.replay.proof = p
	if x.upload == nil { // a streamed body cannot be sent twice
		x.replay.left = maxReplays
	}
	x.replay.sign(req)
	return wire.Failure{}
}

// read takes the model's name from the body and finds the model.
func (h *Handler) read(req *http.Request, e wire.Endpoint, x *exchange, s *share) (wire.Model, wire.Failure) {
	var n named
	if e.Multipart {
		n, x.upload = readForm(req, h.settings.maxUpload, s)
	} else {
		n = readJSON(req, h.settings.maxBody, s)
	}
	if n.code != "" {
		f := wire.NewFailure(n.code, n.message)
		return wire.Model{}, f
	}
	return h.table.choose(e, n)
}

// tenant is who the header that scopeHeader names says that asks.
func (h *Handler) tenant(req *http.Request) string {
	if h.settings.scopeHeader == "" {
		return ""
	}
	return strings.TrimSpace(req.Header.Get(h.settings.scopeHeader))
}

// forward hands the request on and sees to it that its answer has an ending.
func (h *Handler) forward(rw http.ResponseWriter, req *http.Request, x *exchange) {
	client := req.Context()
	x.ctx, x.cancel = context.WithCancelCause(client)
	cancel := x.cancel
	defer cancel(nil)
	if h.settings.sidecar != "" {
		x.watch = newWatch(h.settings.sidecar, x.id, cancel)
		defer x.watch.stop()
		takeBack := stopping.after(h.settings.shutdownAfter, func() { cancel(errShutdown) })
		defer takeBack()
	}
	w := newWriter(rw, x)
	returned := false
	defer func() {
		if !returned {
			// Nobody listens, or only breaking off tells that the body is not
			// whole: the proxy's own panic goes on. It must not be recovered and
			// thrown again, because Traefik would not recognise it.
			if client.Err() != nil || w.gone != nil || w.mode == modeBody {
				return
			}
			_ = recover()
		}
		if w.finish(returned) {
			panic(http.ErrAbortHandler)
		}
	}()
	ctx := x.replay.trace(x.ctx)
	h.next.ServeHTTP(w, req.WithContext(ctx))
	for w.mode == modeLost {
		if !x.replay.renew(req) {
			break
		}
		w.mode = modeWaiting
		h.next.ServeHTTP(w, req.WithContext(ctx))
	}
	returned = true
}
