package api

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/hal0-dev/hal0/plugin/wire"
)

// keepAlive is how often a silent stream of events says that it lives.
const keepAlive = 15 * time.Second

// events streams slot changes: first every slot as it is, then each change.
func (s *Server) events(w http.ResponseWriter, r *http.Request) {
	changes, stop := s.cfg.Slots.Watch()
	defer stop()
	out := newFeed(w)
	for _, snap := range s.cfg.Slots.Snapshot() {
		out.event("slot", snap)
	}
	tick := time.NewTicker(keepAlive)
	defer tick.Stop()
	for out.flush() == nil {
		select {
		case snap, open := <-changes:
			if !open {
				return
			}
			out.event("slot", snap)
		case <-tick.C:
			out.comment()
		case <-r.Context().Done():
			return
		}
	}
}

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

// feed writes the control side's own events, many per flush.
type feed struct {
	w       http.ResponseWriter
	control *http.ResponseController
	buf     bytes.Buffer
}

func newFeed(w http.ResponseWriter) *feed {
	h := w.Header()
	h.Set("Content-Type", "text/event-stream; charset=utf-8")
	h.Set("Cache-Control", "no-cache")
	h.Set("X-Accel-Buffering", "no")
	return &feed{w: w, control: http.NewResponseController(w)}
}

func (s *feed) event(name string, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		b = wire.NewFailure(wire.CodeInternal, "the event cannot be encoded").Body(wire.FamilyPlain)
	}
	s.buf.WriteString("event: " + strings.TrimSpace(name) + "\ndata: ")
	s.buf.Write(b)
	s.buf.WriteString("\n\n")
}

func (s *feed) comment() { s.buf.WriteString(":\n\n") }

// flush sends what was collected. A reader that takes nothing for long is cut.
func (s *feed) flush() error {
	_ = s.control.SetWriteDeadline(time.Now().Add(keepAlive)) // a recorder cannot; the server's writer can
	if _, err := s.w.Write(s.buf.Bytes()); err != nil {
		return err
	}
	s.buf.Reset()
	return s.control.Flush()
}
