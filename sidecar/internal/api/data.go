package api

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/hal0-dev/hal0/plugin/wire"
	"github.com/hal0-dev/hal0/sidecar/internal/pool"
	"github.com/hal0-dev/hal0/sidecar/internal/relay"
)

// bodyIdle is how long a client may pause while it sends its body.
const bodyIdle = 30 * time.Second

// proven serves a request that brings a proof.
func (s *Server) proven(w http.ResponseWriter, r *http.Request) {
	e, code := wire.Match(r.Method, r.URL.EscapedPath())
	id := requestID(r)
	if code != "" {
		s.turnAway(w, id, e, unserved(code, r))
		return
	}
	p, f := s.verify(r, wire.PurposeRequest, nil)
	if f != nil {
		s.turnAway(w, id, e, *f)
		return
	}
	if p.RequestID != "" {
		id = p.RequestID
	}
	defer s.served.begin(id)()
	if e.Family == wire.FamilyModels {
		s.models(w, r, p, id)
		return
	}
	s.infer(w, r, e, p, id)
}

// unserved is the failure for what the table of endpoints does not hold.
func unserved(code string, r *http.Request) wire.Failure {
	switch code {
	case wire.CodeMethod:
		return wire.NewFailure(code, r.Method+" is not served at "+r.URL.Path)
	case wire.CodePath:
		return wire.NewFailure(code, "the path holds an encoded slash, a backslash or a dot segment")
	}
	return wire.NewFailure(wire.CodeRouteUnknown, "there is no "+r.URL.Path+" here")
}

// verify reads the proof of a request. A wrong one is never taken for none.
func (s *Server) verify(r *http.Request, purpose string, body []byte) (wire.Proof, *wire.Failure) {
	header := r.Header.Values(wire.HeaderProof)
	if len(header) != 1 {
		f := wire.NewFailure(wire.CodeUntrusted, "exactly one X-Hal0 header is needed")
		return wire.Proof{}, &f
	}
	subject := wire.Subject{Purpose: purpose, Method: r.Method, Path: r.URL.EscapedPath(), Body: body}
	p, err := wire.Verify(s.cfg.Tokens(), subject, header[0], time.Now())
	if err == nil {
		return p, nil
	}
	f := wire.NewFailure(wire.CodeUntrusted, "the X-Hal0 header is not signed with this sidecar's token, or is too old: do plugin and sidecar share the token file, and are their clocks right?")
	if errors.Is(err, wire.ErrVersion) {
		f = wire.NewFailure(wire.CodeWireVersion, "the plugin speaks a version that this sidecar does not know; restart Traefik after an upgrade, so that it loads the new plugin")
	}
	return p, &f
}

// infer serves a request that needs an engine.
func (s *Server) infer(w http.ResponseWriter, r *http.Request, e wire.Endpoint, p wire.Proof, id string) {
	found, declare, f := s.cfg.Routes.View().Find(p)
	if f != nil && f.Code == wire.CodeSlotLoading && p.Model != nil {
		if view, err := s.cfg.Routes.Learn(r.Context(), p.Route, *p.Model); err == nil {
			found, declare, f = view.Find(p)
		}
	}
	if declare {
		w.Header().Set(wire.HeaderDeclare, "1")
	}
	if f != nil {
		s.turnAway(w, id, e, *f)
		return
	}
	ask := relay.Request{
		ID: id, Route: p.Route, Slot: p.Slot, Scope: p.Scope, Lane: p.Lane,
		Endpoint: e, Model: found.Model, Header: r.Header, Retry: retryCount(r),
		CoalesceOff: r.Header.Get(wire.HeaderCoalesce) == wire.CoalesceOff,
	}
	if err := readBody(w, r, &ask); err != nil {
		if r.Context().Err() == nil {
			s.turnAway(w, id, e, unread(err))
		}
		return
	}
	s.answer(w, r, ask, p)
}

func (s *Server) answer(w http.ResponseWriter, r *http.Request, ask relay.Request, p wire.Proof) {
	sub, err := s.cfg.Relay.Open(r.Context(), ask)
	if err != nil {
		if r.Context().Err() == nil {
			s.turnAway(w, ask.ID, ask.Endpoint, asFailure(err))
		}
		return
	}
	ask.Body = nil // the flight keeps it as long as it needs it
	began := time.Now()
	told := reply(w, r, sub, replyOptions{
		Family: ask.Endpoint.Family, RequestID: ask.ID, Slot: ask.Slot,
		CommitAfter: time.Duration(p.CommitAfterMS) * time.Millisecond,
		Heartbeat:   time.Duration(p.HeartbeatMS) * time.Millisecond,
	})
	a := answered(ask, p, told, began)
	s.log(a)
	s.history.add(a)
	s.cfg.Observe.Answered(a)
	if told.Aborted {
		panic(http.ErrAbortHandler)
	}
}

// asFailure is what a client is told of an error.
func asFailure(err error) wire.Failure {
	var refusal *pool.Refusal
	switch {
	case errors.As(err, &refusal):
		return refusal.Failure
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return wire.NewFailure(wire.CodeShutdown, "the sidecar is shutting down")
	}
	return wire.NewFailure(wire.CodeInternal, "something that should not happen did; the sidecar's log has more under this request's id")
}

// readBody reads the whole body; each read may take bodyIdle. The plugin has
// bounded it already.
func readBody(w http.ResponseWriter, r *http.Request, ask *relay.Request) (err error) {
	control := http.NewResponseController(w)
	body := &patient{r: r.Body, allow: func() {
		// Not every writer can set deadlines (a test's recorder); the server's can.
		_ = control.SetReadDeadline(time.Now().Add(bodyIdle))
	}}
	defer func() { _ = control.SetReadDeadline(time.Time{}) }()
	if ask.Endpoint.Multipart {
		ask.Upload, err = relay.ReadUpload(body, r.Header.Get("Content-Type"), "")
		return err
	}
	ask.Body, err = io.ReadAll(body)
	return err
}

// unread is the failure for a body that could not be read.
func unread(err error) wire.Failure {
	if errors.Is(err, relay.ErrNoForm) {
		return wire.NewFailure(wire.CodeRejected, "the endpoint takes multipart/form-data")
	}
	return wire.NewFailure(wire.CodeInvalidJSON, "the body ended before it was complete")
}

// patient calls allow before every read.
type patient struct {
	r     io.Reader
	allow func()
}

func (p *patient) Read(b []byte) (int, error) {
	p.allow()
	return p.r.Read(b)
}

func retryCount(r *http.Request) int {
	n, err := strconv.Atoi(r.Header.Get("X-Stainless-Retry-Count"))
	if err != nil || n < 0 {
		return 0
	}
	return n
}
