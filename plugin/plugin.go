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
//
// What runs for each request is short, and what is rare stands in functions of
// its own: Yaegi allocates every intermediate value of a function when it enters
// it, also those of branches that are not taken.
type Handler struct {
	next     http.Handler
	settings *settings
	table    *table
	ownScope string
	keyless  bool      // whoever may ask at all, asks for the route
	declarer *declarer // nil = nobody declares
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
	h := &Handler{next: next, settings: s, table: newTable(s), ownScope: "route:" + name}
	h.keyless = len(s.keys) == 0 && s.scopeHeader == ""
	if s.sidecar != "" {
		stopping.listen()
		h.declarer = declaring.join(ctx, s)
	}
	return h, nil
}

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(rw http.ResponseWriter, req *http.Request) {
	strip(req.Header)
	path := req.URL.EscapedPath()
	e := h.table.exact[req.Method+" "+path]
	if e == nil {
		e = h.table.match(req, path)
	}
	if e == nil { // none of ours
		h.next.ServeHTTP(rw, req)
		return
	}
	x := &exchange{e: e, path: path, id: requestID(req.Header), draft: h.table.draft, began: time.Now(), replay: &replay{}, declarer: h.declarer}
	if h.admit(x, req) && h.prepare(x, req) {
		h.forward(x, rw, req)
	} else {
		h.turnAway(x, rw, req)
	}
}

// admit decides whether the request may ask anything here.
func (h *Handler) admit(x *exchange, req *http.Request) bool {
	if h.keyless && x.e.code == "" && req.Header["Origin"] == nil && req.Header["Sec-Fetch-Site"] == nil && h.settings.hosts.MatchString(req.Host) {
		x.scope = h.ownScope
		return true
	}
	return h.examine(x, req)
}

// examine is admit, rule by rule.
func (h *Handler) examine(x *exchange, req *http.Request) bool {
	if x.e.code == wire.CodePath {
		return x.no(wire.CodePath, "The path holds an encoded slash, a backslash or a dot segment.")
	}
	if !h.settings.hosts.MatchString(req.Host) {
		return x.no(wire.CodeHost, "This route does not serve that host; its list of hosts says which it does.")
	}
	x.key = keyOf(h.settings.keys, req.Header)
	if (req.Header["Origin"] != nil || req.Header["Sec-Fetch-Site"] != nil) && !h.admitPage(x, req) {
		return false
	}
	if x.key == "" && len(h.settings.keys) > 0 {
		return x.no(wire.CodeInvalidAPIKey, "The API key is missing or wrong.")
	}
	x.scope = h.scope(x, req)
	return x.e.code == "" || h.unknown(x, req)
}

// admitPage decides about a request that a web page made.
func (h *Handler) admitPage(x *exchange, req *http.Request) bool {
	if origin := req.Header.Get("Origin"); originListed(h.settings.cors, origin) {
		x.origin = origin
	}
	asks := preflight(req) // it never carries a key
	if (asks || x.key == "") && foreign(h.settings.cors, req.Header, req.Host) {
		return x.no(wire.CodeOrigin, "Web pages of that origin may not use this route; its list of origins (cors) says which may.")
	}
	if asks {
		x.preflight = true
		return false
	}
	return true
}

// unknown refuses what the table of endpoints does not have.
func (h *Handler) unknown(x *exchange, req *http.Request) bool {
	if x.e.code == wire.CodeMethod {
		return x.no(wire.CodeMethod, "This endpoint does not take "+shorten(req.Method)+".")
	}
	return x.no(x.e.code, "There is no such endpoint: "+shorten(req.URL.Path))
}

// turnAway answers a request that goes no further.
func (h *Handler) turnAway(x *exchange, rw http.ResponseWriter, req *http.Request) {
	if x.preflight {
		answerPreflight(rw, req, x)
		return
	}
	switch x.refusal.Code {
	case wire.CodeMethod:
		rw.Header().Set("Allow", h.table.methods(req.URL.EscapedPath()))
	case wire.CodeInvalidAPIKey:
		rw.Header().Set("Www-Authenticate", "Bearer")
	}
	withhold(req.Header) // Traefik's access log shows the headers as they are now
	x.decorate(rw.Header())
	refuse(rw, x.e.Family, x.detailed(*x.refusal))
	x.free()
}

// prepare reads the body, chooses the model and signs what was decided, to the
// sidecar; then it takes away what the sidecar must not see.
func (h *Handler) prepare(x *exchange, req *http.Request) bool {
	token, problem := tokens.get(h.settings.tokenFile)
	if problem != "" {
		return x.no(wire.CodeUnreachable, problem)
	}
	x.client = clientAddress(req.RemoteAddr)
	if x.e.asks && !(x.read(req, h.settings) && h.table.choose(x)) {
		return false
	}
	req.Header[wire.HeaderRequestID] = []string{x.id}
	withhold(req.Header)
	if x.model != nil {
		markSlot(req.Header, x.model)
	}
	x.replay.begin(x, req, token)
	return true
}

// scope says who may share a flight; the words before the colon keep a header's
// value from passing for a key's name.
func (h *Handler) scope(x *exchange, req *http.Request) string {
	if x.key != "" {
		return "key:" + x.key
	}
	if h.settings.scopeHeader != "" {
		if tenant := strings.TrimSpace(req.Header.Get(h.settings.scopeHeader)); tenant != "" {
			return "header:" + tenant
		}
	}
	return h.ownScope
}

// forward hands the request on and sees to it that its answer has an ending.
func (h *Handler) forward(x *exchange, rw http.ResponseWriter, req *http.Request) {
	client := req.Context()
	x.ctx, x.cancel = context.WithCancelCause(client)
	if h.settings.sidecar != "" {
		x.guard(h.settings.sidecar, h.settings.shutdownAfter)
	}
	w := newWriter(rw, x)
	defer func() {
		// Nobody listens, or only breaking off tells that the body is not whole:
		// the proxy's own panic goes on. It must not be recovered and thrown again,
		// because Traefik would not recognise it.
		if w.returned || client.Err() == nil && w.gone == nil && w.mode != modeBody {
			if !w.returned {
				_ = recover()
			}
			w.finish()
		}
		x.done()
		if w.abort {
			panic(http.ErrAbortHandler)
		}
	}()
	h.next.ServeHTTP(w, req.WithContext(x.replay.trace(x.ctx)))
	for w.mode == modeLost && x.replay.renew(req) {
		w.mode = modeWaiting
		h.next.ServeHTTP(w, req.WithContext(x.replay.trace(x.ctx)))
	}
	w.returned = true
}
