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
	writeJSON(w, http.StatusOK, map[string]any{"slots": s.all()})
}

func (s *Server) slot(w http.ResponseWriter, r *http.Request) {
	for _, one := range s.all() {
		if one.ID == r.PathValue("id") {
			writeJSON(w, http.StatusOK, one)
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

// pin answers pin and unpin.
func (s *Server) pin(want bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if _, err := s.cfg.Routes.Pin(r.Context(), r.PathValue("id"), want); err != nil {
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

func (s *Server) flights(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, s.board.look(s.cfg.Flights, time.Now()))
}

func (s *Server) requests(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]any{"requests": s.history.recent()})
}

func (s *Server) metrics() http.HandlerFunc {
	if s.cfg.Metrics == nil {
		return http.NotFound
	}
	return s.cfg.Metrics.ServeHTTP
}
