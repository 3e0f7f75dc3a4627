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

// proven serves a request that brings a proof.
func (s *Server) proven(w http.ResponseWriter, r *http.Request) {
	e, code := wire.Match(r.Method, r.URL.EscapedPath())
	v := &visit{id: requestID(r), endpoint: e, end: func(Answered) {}}
	if code != "" {
		s.turnAway(w, v, unserved(code, r))
		return
	}
	p, f := s.verify(r, wire.PurposeRequest, nil)
	if f != nil {
		s.turnAway(w, v, *f)
		return
	}
	if p.RequestID != "" {
		v.id = p.RequestID
	}
	defer s.served.begin(v.id)()
	if e.Family == wire.FamilyModels {
		s.models(w, r, p, v.id)
		return
	}
	s.infer(w, r, v, p)
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
func (s *Server) infer(w http.ResponseWriter, r *http.Request, v *visit, p wire.Proof) {
	v.trace, v.end = s.cfg.Trace.Begin(r.Header, v.endpoint.Path, time.Now())
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
		s.turnAway(w, v, *f)
		return
	}
	ask := relay.Request{
		ID: v.id, Route: p.Route, Slot: p.Slot, Scope: p.Scope, Lane: p.Lane,
		Endpoint: v.endpoint, Model: found.Model, Header: r.Header, Retry: retryCount(r),
		CoalesceOff: r.Header.Get(wire.HeaderCoalesce) == wire.CoalesceOff,
	}
	over, err := s.readBody(w, r, &ask)
	if err != nil {
		if r.Context().Err() == nil {
			s.turnAway(w, v, unread(err))
		}
		return
	}
	t := told{Aborted: true} // what a panic leaves
	defer func() { over(t.Aborted || t.Code == wire.CodeShutdown) }()
	if t = s.answer(w, r, v, &ask, p); t.Aborted {
		panic(http.ErrAbortHandler)
	}
}

func (s *Server) answer(w http.ResponseWriter, r *http.Request, v *visit, ask *relay.Request, p wire.Proof) told {
	whole := time.Now()
	sub, err := s.cfg.Relay.Open(r.Context(), *ask)
	if err != nil {
		f := asFailure(err)
		if r.Context().Err() == nil {
			s.turnAway(w, v, f)
		}
		return told{Code: f.Code}
	}
	ask.Body = nil // the flight keeps it as long as it needs it
	t := reply(w, r, sub, replyOptions{
		Family: ask.Endpoint.Family, RequestID: ask.ID, Slot: ask.Slot, Whole: whole,
		CommitAfter: time.Duration(p.CommitAfterMS) * time.Millisecond,
		Heartbeat:   time.Duration(p.HeartbeatMS) * time.Millisecond,
	})
	s.finish(v, answered(*ask, p, t, whole))
	return t
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

// readBody reads the whole body, or as much of a form as is needed to go on;
// each read may take bodyIdle. The plugin has bounded it already. over must be
// called when the request is answered; cut says that nobody waits for the client
// to send the rest.
func (s *Server) readBody(w http.ResponseWriter, r *http.Request, ask *relay.Request) (over func(cut bool), err error) {
	body := &patient{r: r.Body, control: http.NewResponseController(w)}
	if !ask.Endpoint.Multipart {
		ask.Body, err = io.ReadAll(body)
		return func(bool) {}, err
	}
	// What follows is read while the answer may have begun. Not every writer can
	// do that and has to be told (a test's recorder, HTTP/2).
	_ = body.control.EnableFullDuplex()
	upload, err := s.cfg.Relay.Upload(body, r.Header.Get("Content-Type"), r.ContentLength)
	if err != nil {
		return func(bool) {}, err
	}
	ask.Upload = upload
	return func(cut bool) { body.finish(upload, cut || r.Context().Err() != nil) }, nil
}

// unread is the failure for a body that could not be read.
func unread(err error) wire.Failure {
	switch {
	case errors.Is(err, relay.ErrNoForm):
		return wire.NewFailure(wire.CodeRejected, "the endpoint takes multipart/form-data")
	case errors.Is(err, wire.ErrTooLarge):
		return wire.NewFailure(wire.CodeTooLarge, "the request's body is larger than this route allows")
	}
	return wire.NewFailure(wire.CodeIncomplete, "the request's body ended before it was complete, or came too slowly")
}

func retryCount(r *http.Request) int {
	n, err := strconv.Atoi(r.Header.Get("X-Stainless-Retry-Count"))
	if err != nil || n < 0 {
		return 0
	}
	return n
}
