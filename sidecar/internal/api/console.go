package api

import (
	"bytes"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/hal0-dev/hal0/plugin/wire"
)

const (
	consoleScope     = "console" // who looks after the box shares no flight with others
	consolePath      = "/v1/chat/completions"
	consoleHeartbeat = 10 * time.Second
	maxConsole       = 16 << 20 // bytes of a chat
)

// console serves a chat to who looks after the box, without an API key: the
// request gets a proof of the sidecar's own and goes the way of all others.
func (s *Server) console(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxConsole))
	var ask struct {
		Model string `json:"model"`
	}
	if err != nil || json.Unmarshal(body, &ask) != nil {
		fail(w, requestID(r), wire.FamilyPlain, wire.NewFailure(wire.CodeInvalidJSON, "the body is not the JSON of a chat"))
		return
	}
	p, f := s.consoleProof(r, ask.Model)
	if f != nil {
		fail(w, requestID(r), wire.FamilyPlain, *f)
		return
	}
	inner := r.Clone(r.Context())
	inner.URL.Path, inner.URL.RawPath = consolePath, ""
	inner.Body = io.NopCloser(bytes.NewReader(body))
	inner.Header.Del("Cookie")
	inner.Header.Del("Authorization")
	inner.Header.Set(wire.HeaderProof, wire.Sign(s.cfg.Tokens()[0], wire.Subject{Purpose: wire.PurposeRequest, Method: r.Method, Path: consolePath}, p))
	s.proven(w, inner)
}

// consoleProof finds a route that has the slot, for chats.
func (s *Server) consoleProof(r *http.Request, slot string) (wire.Proof, *wire.Failure) {
	view := s.cfg.Routes.View()
	for _, declared := range view.Slots() {
		if declared.Model.Slot != slot || len(declared.Routes) == 0 {
			continue
		}
		e, known := view.Route(declared.Routes[0])
		if !known {
			continue
		}
		if can := declared.Model.Capabilities; len(can) > 0 && !slices.Contains(can, "chat") {
			f := wire.NewFailure(wire.CodeCapability, "slot "+slot+" does not declare the capability chat")
			return wire.Proof{}, &f
		}
		client := r.RemoteAddr
		if host, _, err := net.SplitHostPort(client); err == nil {
			client = host
		}
		return wire.Proof{
			TimeMS: time.Now().UnixMilli(), RequestID: requestID(r),
			Route: e.Route.Name, Fingerprint: e.Route.Fingerprint(), Since: e.Route.Since,
			Slot: slot, Scope: consoleScope, Lane: consoleScope, Client: client,
			HeartbeatMS: consoleHeartbeat.Milliseconds(),
		}, nil
	}
	f := wire.NewFailure(wire.CodeModelNotFound, "there is no slot "+slot)
	return wire.Proof{}, &f
}
