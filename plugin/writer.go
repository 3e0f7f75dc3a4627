//go:build go1.21

package plugin

import (
	"bytes"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/hal0-dev/hal0/plugin/wire"
)

// What a writer is doing.
const (
	modeWaiting  = iota + 1 // no head yet
	modeEvents              // an event stream: whole events pass
	modeBody                // any other body: passes as it is
	modeAnswered            // the edge answered in its stead; the rest is swallowed
	modeLost                // the sidecar was lost before it answered; the rest is swallowed
	modeBroken              // FastProxy reported a failure after the head; the rest is swallowed
)

// maxEvent bounds what is held back in wait for the end of an event.
const maxEvent = 32 << 20

var errEvent = errors.New("event is too large")

// writer stands between the upstream's answer and the client. It is a pointer
// type whose own Write flushes, because an interpreted Flush is never seen by
// compiled code. Its methods do not panic: FastProxy calls them from a goroutine
// where a panic ends Traefik.
type writer struct {
	rw      http.ResponseWriter
	flusher http.Flusher // nil = flush nothing
	x       *exchange

	mode   int
	fast   bool   // events: nothing is held, and the last bytes tell what an event is
	events bool   // the client was promised an event stream
	held   []byte // events: what follows the last whole event
	closed bool   // events: the last whole event says that the stream is complete
	tail   []byte // events of other families than chat's: the last whole event
	gone   error  // what the client's connection answered

	sign  *time.Timer // reset by signs of life, nil = nobody watches
	every time.Duration
	count int // writes since the last reset
}

func newWriter(rw http.ResponseWriter, x *exchange) *writer {
	w := &writer{rw: rw, x: x, mode: modeWaiting}
	w.flusher, _ = rw.(http.Flusher)
	return w
}

// Header implements http.ResponseWriter.
func (w *writer) Header() http.Header { return w.rw.Header() }

// WriteHeader implements http.ResponseWriter: it decides what becomes of the
// answer.
func (w *writer) WriteHeader(status int) {
	if status >= 100 && status < 200 {
		if w.mode == modeWaiting {
			w.rw.WriteHeader(status)
		}
		return
	}
	if w.mode != modeWaiting {
		if status >= 500 && (w.mode == modeEvents || w.mode == modeBody) {
			w.mode, w.fast = modeBroken, false
		}
		return
	}
	h := w.rw.Header()
	if h.Get(wire.HeaderDeclare) != "" {
		h.Del(wire.HeaderDeclare)
		w.x.declareAgain()
	}
	beat := h.Get(wire.HeaderHeartbeat)
	h.Del(wire.HeaderHeartbeat)
	kind := h.Get("Content-Type")
	switch {
	case status >= 400 && (kind == "" || strings.HasPrefix(kind, "text/")):
		if kind == "" && w.x.replay.due(status, w.x.ctx) { // Traefik's own; an upstream's has a type
			w.mode = modeLost
			return
		}
		w.answer(w.x.meaning(status))
		return
	case status < 300 && strings.HasPrefix(kind, "text/event-stream") && h.Get("Content-Encoding") == "":
		w.mode = modeEvents
		h.Del("Content-Length")
	default:
		w.mode = modeBody
	}
	if w.mode != modeEvents {
		beat = ""
		if status >= 300 || h.Get("Content-Length") != "" {
			w.flusher = nil
		}
	}
	w.sign, w.every = w.x.committed(beat)
	w.events = w.mode == modeEvents
	w.fast = w.events && w.flusher != nil && w.x.chatty
	w.x.decorate(h)
	w.rw.WriteHeader(status)
	if w.mode == modeEvents && w.flusher != nil {
		w.flusher.Flush()
	}
}

// answer replaces the upstream's answer by a coded one.
func (w *writer) answer(f wire.Failure, status int) {
	w.mode = modeAnswered
	_, _ = w.x.committed("")
	h := w.rw.Header()
	h.Del("Content-Encoding")
	h.Del("Transfer-Encoding")
	w.x.decorate(h)
	refuseWith(w.rw, w.x.family, w.x.detailed(f), status)
}

// Write implements http.ResponseWriter. Of an event stream, only what ends in a
// whole event passes; the common case (one or more whole events that do not
// complete the stream) is decided by the last four bytes.
func (w *writer) Write(p []byte) (int, error) {
	n := len(p)
	if w.fast && n > 4 && p[n-1] == '\n' && p[n-2] == '\n' && p[n-3] == '}' && p[n-4] != '}' {
		w.closed = false
		if _, err := w.rw.Write(p); err != nil {
			w.gone = err
			return 0, err
		}
		w.flusher.Flush()
		if w.count++; w.count >= markEvery {
			w.live()
		}
		return n, nil
	}
	return w.write(p)
}

// write is Write for all that is not the common case.
func (w *writer) write(p []byte) (int, error) {
	if w.mode == modeWaiting {
		w.WriteHeader(http.StatusOK)
	}
	switch w.mode {
	case modeEvents:
		return w.event(p)
	case modeBody:
		n, err := w.rw.Write(p)
		if err != nil {
			w.gone = err
		} else if w.flusher != nil {
			w.flusher.Flush()
		}
		return n, err
	}
	return len(p), nil // answered, lost or broken: swallowed
}

// event passes on what is whole and holds back the rest.
func (w *writer) event(p []byte) (int, error) {
	whole, from := p, 0
	if len(w.held) > 0 {
		if len(w.held)+len(p) > maxEvent {
			w.x.cancel(errEvent)
			return 0, errEvent
		}
		if len(w.held) > 3 {
			from = len(w.held) - 3 // a boundary may have begun there, but not before
		}
		w.held = append(w.held, p...)
		whole = w.held
	}
	end := boundary(whole, from)
	if end == 0 {
		if len(w.held) == 0 {
			w.hold(p)
		}
		return len(p), nil
	}
	rest := whole[end:]
	whole = whole[:end]
	w.note(whole)
	if _, err := w.rw.Write(whole); err != nil {
		w.gone = err
		return 0, err
	}
	if w.flusher != nil {
		w.flusher.Flush()
	}
	w.held = nil
	w.hold(rest)
	w.live()
	return len(p), nil
}

// hold keeps a copy of the beginning of an event.
func (w *writer) hold(rest []byte) {
	w.held = append([]byte(nil), rest...)
	w.fast = len(rest) == 0 && w.flusher != nil && w.x.chatty
}

// note remembers how far the stream is after whole events.
func (w *writer) note(whole []byte) {
	last := lastEvent(whole)
	if len(last) == 0 {
		return // comments
	}
	w.closed = final(w.x.family, last)
	if !w.x.chatty {
		w.tail = append(w.tail[:0], last...)
	}
}

// live tells the watch that the sidecar lives.
func (w *writer) live() {
	w.count = 0
	if w.sign != nil {
		w.sign.Reset(w.every)
	}
}

// Flush implements http.Flusher for compiled callers.
func (w *writer) Flush() {
	if w.flusher != nil && (w.mode == modeEvents || w.mode == modeBody) {
		w.flusher.Flush()
	}
}

// Unwrap serves http.ResponseController for compiled callers (deadlines).
func (w *writer) Unwrap() http.ResponseWriter { return w.rw }

// boundary is the length of the whole events, and of the whole comments and
// blank lines after them, at the beginning of p. No event ends before from.
func boundary(p []byte, from int) int {
	end := 0
	if i := bytes.LastIndex(p[from:], []byte("\n\n")); i >= 0 {
		end = from + i + 2
	}
	if i := bytes.LastIndex(p[from:], []byte("\r\n\r\n")); i >= 0 && from+i+4 > end {
		end = from + i + 4
	}
	for end < len(p) {
		line := bytes.IndexByte(p[end:], '\n')
		if line < 0 || p[end] != ':' && len(bytes.TrimRight(p[end:end+line], "\r")) > 0 {
			break
		}
		end += line + 1
	}
	return end
}
