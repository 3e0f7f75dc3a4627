package api

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/hal0-dev/hal0/plugin/wire"
)

// feed writes the control side's own events, many per flush.
type feed struct {
	w       http.ResponseWriter
	control *http.ResponseController
	buf     bytes.Buffer
	begun   bool // headers were sent
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
	if s.buf.Len() == 0 && s.begun {
		return nil
	}
	s.begun = true
	if _, err := s.w.Write(s.buf.Bytes()); err != nil {
		return err
	}
	s.buf.Reset()
	return s.control.Flush()
}
