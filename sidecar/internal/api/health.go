package api

import (
	"encoding/json"
	"net/http"

	"github.com/hal0-dev/hal0/plugin/wire"
)

// healthz answers 200 while the sidecar can answer at all; with ?request=ID, 404
// where it does not work on that request.
func (s *Server) healthz(w http.ResponseWriter, r *http.Request) {
	if id := r.URL.Query().Get("request"); id != "" && !s.served.has(id) {
		http.Error(w, "no such request", http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Write([]byte("ok\n"))
}

// readyz answers 200 where a request could be served; with ?slot=ID, by that
// slot. A cold slot is ready: it boots on request. One that is being unloaded,
// or that nobody declared, is not.
func (s *Server) readyz(w http.ResponseWriter, r *http.Request) {
	id := r.URL.Query().Get("slot")
	if id == "" {
		s.healthz(w, r)
		return
	}
	for _, snap := range s.cfg.Slots.Snapshot() {
		if snap.ID != id {
			continue
		}
		if snap.State.Going() || snap.State.Failed() {
			http.Error(w, snap.State.String(), http.StatusServiceUnavailable)
			return
		}
		w.Write([]byte("ok\n"))
		return
	}
	http.Error(w, "no such slot", http.StatusNotFound)
}

// writeJSON answers a program.
func writeJSON(w http.ResponseWriter, status int, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		fail(w, "", wire.FamilyPlain, wire.NewFailure(wire.CodeInternal, "the answer cannot be encoded"))
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write(append(b, '\n'))
}
