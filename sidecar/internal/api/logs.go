package api

import (
	"net/http"
	"time"
)

// logs answers with the last lines of a slot's engine; with ?follow=1, as a
// stream that goes on.
func (s *Server) logs(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	if !s.hasSlot(id) {
		s.noSlot(w, r)
		return
	}
	if r.URL.Query().Get("follow") == "" {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		for _, line := range s.cfg.Logs.Lines(id) {
			w.Write([]byte(line + "\n"))
		}
		return
	}
	past, coming, stop := s.cfg.Logs.Follow(id)
	defer stop()
	changes, end := s.cfg.Slots.Watch() // closed at the pool's end: a reader must not hold up a shutdown
	defer end()
	out := newFeed(w)
	for _, line := range past {
		out.event("line", line)
	}
	tick := time.NewTicker(keepAlive)
	defer tick.Stop()
	for out.flush() == nil {
		select {
		case line := <-coming:
			out.event("line", line)
		case _, open := <-changes:
			if !open {
				return
			}
		case <-tick.C:
			out.comment()
		case <-r.Context().Done():
			return
		}
	}
}

func (s *Server) hasSlot(id string) bool {
	for _, snap := range s.cfg.Slots.Snapshot() {
		if snap.ID == id {
			return true
		}
	}
	return false
}
