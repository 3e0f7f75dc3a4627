package api

import (
	"encoding/json"
	"io"
	"net/http"
	"time"

	"github.com/hal0-dev/hal0/plugin/wire"
)

// maxDeclaration bounds a declared route, in bytes.
const maxDeclaration = 4 << 20

// Control is the handler of the control listener.
func (s *Server) Control() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", s.healthz)
	mux.HandleFunc("GET /readyz", s.readyz)
	mux.HandleFunc("PUT /api/routes/{name}", s.declare)
	if s.cfg.Metrics != nil {
		mux.Handle("GET /metrics", s.guard(s.cfg.Metrics))
	}
	guarded := func(pattern string, h http.HandlerFunc) { mux.Handle(pattern, s.guard(h)) }
	guarded("GET /api/slots", s.slots)
	guarded("GET /api/slots/{id}", s.slot)
	guarded("GET /api/slots/{id}/logs", s.logs)
	guarded("GET /api/events", s.events)
	guarded("POST /api/slots/{id}/load", s.move(s.cfg.Slots.Load))
	guarded("POST /api/slots/{id}/unload", s.move(s.cfg.Slots.Unload))
	guarded("POST /api/slots/{id}/restart", s.move(s.cfg.Slots.Restart))
	guarded("GET /api/routes", s.routes)
	guarded("DELETE /api/routes/{name}", s.forget)
	guarded("GET /api/version", s.version)
	return contained(s.cfg.Log, mux)
}

// declare takes PUT /api/routes/{name}: a route's whole declaration, proven by a
// MAC that covers the body.
func (s *Server) declare(w http.ResponseWriter, r *http.Request) {
	id := requestID(r)
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxDeclaration))
	if err != nil {
		fail(w, id, wire.FamilyPlain, wire.NewFailure(wire.CodeTooLarge, "the declaration is cut short or larger than 4 MiB"))
		return
	}
	p, f := s.verify(r, wire.PurposeDeclare, body)
	if f != nil {
		fail(w, id, wire.FamilyPlain, *f)
		return
	}
	var declared wire.Route
	if err := json.Unmarshal(body, &declared); err != nil || declared.Name != p.Route || declared.Name != r.PathValue("name") {
		fail(w, id, wire.FamilyPlain, wire.NewFailure(wire.CodeInvalidJSON, "the body is not the declaration of the route that the path and the proof name"))
		return
	}
	view, err := s.cfg.Routes.Put(r.Context(), declared, false)
	if err != nil {
		fail(w, id, wire.FamilyPlain, wire.NewFailure(wire.CodeShutdown, "the sidecar is shutting down"))
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{"problems": view.ProblemsOf(declared.Name)})
}

func (s *Server) slots(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]any{"slots": s.cfg.Slots.Snapshot()})
}

func (s *Server) slot(w http.ResponseWriter, r *http.Request) {
	for _, snap := range s.cfg.Slots.Snapshot() {
		if snap.ID == r.PathValue("id") {
			writeJSON(w, http.StatusOK, snap)
			return
		}
	}
	s.noSlot(w, r)
}

func (s *Server) noSlot(w http.ResponseWriter, r *http.Request) {
	f := wire.NewFailure(wire.CodeModelNotFound, "there is no slot "+r.PathValue("id"))
	fail(w, requestID(r), wire.FamilyPlain, f)
}

// move answers load, unload and restart when they are done.
func (s *Server) move(do mover) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := do(r.Context(), r.PathValue("id")); err != nil {
			fail(w, requestID(r), wire.FamilyPlain, asFailure(err))
			return
		}
		s.slot(w, r)
	}
}

func (s *Server) routes(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]any{"routes": s.cfg.Routes.View().Listing(time.Now())})
}

func (s *Server) forget(w http.ResponseWriter, r *http.Request) {
	if _, err := s.cfg.Routes.Remove(r.Context(), r.PathValue("name")); err != nil {
		fail(w, requestID(r), wire.FamilyPlain, asFailure(err))
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (s *Server) version(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]any{"version": s.cfg.Version, "wire": wire.Version})
}
