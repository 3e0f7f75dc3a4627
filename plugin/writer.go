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
	send    func(p []byte) (int, error) // rw's Write
	flush   func()                      // rw's Flush, or nothing
	flushes bool
	x       *exchange

	mode     int
	usual    []byte // how an event ends that needs no look, or never
	events   bool   // the client was promised an event stream
	held     []byte // events: what follows the last whole event
	closed   bool   // events: the last whole event says that the stream is complete
	tail     []byte // events of other families than chat's: the last whole event
	gone     error  // what the client's connection answered
	returned bool   // the upstream came to its own end
	abort    bool   // only breaking off can tell the client that this is not whole

	sign  *time.Timer // reset by signs of life, nil = nobody watches
	every time.Duration
	count int // writes since the last reset
}

// never is the end of no event.
var never = []byte{0, 255, 0, 255}

// headAlone is the age from which a request's head is sent at once: it was held,
// and nothing may follow for long. A younger one's goes with the first event.
const headAlone = time.Second

// unwatched is a count of writes that never comes to markEvery.
const unwatched = -1 << 62

func newWriter(rw http.ResponseWriter, x *exchange) *writer {
	w := &writer{rw: rw, x: x, mode: modeWaiting, usual: never}
	w.send = rw.Write
	w.flush = func() {}
	if f, ok := rw.(http.Flusher); ok {
		w.flush = f.Flush
		w.flushes = true
	}
	return w
}

// Header implements http.ResponseWriter.
func (w *writer) Header() http.Header { return w.rw.Header() }

// Write implements http.ResponseWriter. Of an event stream, only what ends in a
// whole event passes. This is what runs for each token, so it is no longer than
// it must be: the event ends like the ones before it, or write looks at it.
func (w *writer) Write(p []byte) (n int, err error) {
	w.count++
	if w.count > markEvery {
		return w.write(p)
	}
	if bytes.HasSuffix(p, w.usual) {
		n, err = w.send(p) // net/http cancels the request if this fails
		w.flush()
		return
	}
	return w.write(p)
}

// WriteHeader implements http.ResponseWriter: it decides what becomes of the
// answer.
func (w *writer) WriteHeader(status int) {
	h := w.rw.Header()
	switch {
	case status < 200:
		if w.mode == modeWaiting {
			w.rw.WriteHeader(status)
		}
	case w.mode != modeWaiting:
		w.late(status)
	case status >= 400 && worded(h):
		w.word(status, h)
	default:
		w.begin(status, h)
	}
}

// answer replaces the upstream's answer by a coded one.
func (w *writer) answer(f wire.Failure, status int) {
	w.mode = modeAnswered
	w.x.quiet()
	h := w.rw.Header()
	h.Del("Content-Encoding")
	h.Del("Transfer-Encoding")
	w.x.decorate(h)
	refuseWith(w.rw, w.x.e.Family, w.x.detailed(f), status)
}

// begin passes the head on.
func (w *writer) begin(status int, h http.Header) {
	if h[wire.HeaderDeclare] != nil {
		delete(h, wire.HeaderDeclare)
		if w.x.declarer != nil {
			w.x.declarer.again()
		}
	}
	w.x.decorate(h)
	if status < 300 && strings.HasPrefix(h.Get("Content-Type"), "text/event-stream") && h["Content-Encoding"] == nil {
		w.beginEvents(status, h)
		return
	}
	w.mode = modeBody
	w.x.quiet()
	if strings.HasPrefix(h.Get("Content-Type"), "text/plain") {
		w.usual = nil // all that comes ends like this
	}
	w.count = unwatched
	if status >= 300 || h["Content-Length"] != nil {
		w.flush = func() {}
	}
	w.rw.WriteHeader(status)
}

func (w *writer) beginEvents(status int, h http.Header) {
	w.mode = modeEvents
	w.events = true
	if w.x.watch != nil {
		w.sign, w.every = w.x.watch.commit(h.Get(wire.HeaderHeartbeat))
	}
	if w.sign == nil {
		w.count = unwatched
	}
	delete(h, wire.HeaderHeartbeat)
	delete(h, "Content-Length")
	w.rw.WriteHeader(status)
	if time.Since(w.x.began) > headAlone {
		w.flush()
	}
}

// write is Write for all that is not the common case.
func (w *writer) write(p []byte) (int, error) {
	if w.mode == modeWaiting {
		w.WriteHeader(http.StatusOK)
	}
	if len(p) < 24 && reported(p) {
		w.late(http.StatusBadGateway)
	}
	switch w.mode {
	case modeEvents:
		if w.sign != nil {
			w.count = 0
			w.sign.Reset(w.every)
		}
		if len(w.held) == 0 && w.x.e.chatty && w.plain(p) {
			return w.pass(p)
		}
		return w.event(p)
	case modeBody:
		return w.pass(p)
	}
	return len(p), nil // answered, lost or broken: swallowed
}

// pass writes and flushes.
func (w *writer) pass(p []byte) (int, error) {
	n, err := w.rw.Write(p)
	if err != nil {
		w.gone = err
	} else {
		w.flush()
	}
	return n, err
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
	w.note(whole[:end])
	if _, err := w.pass(whole[:end]); err != nil {
		return 0, err
	}
	w.hold(whole[end:])
	return len(p), nil
}

// plain reports whether p is whole events, seen by its end alone, and not one
// that completes the stream, but for [DONE] by itself. What completes a stream
// ends with "]" or with two braces.
func (w *writer) plain(p []byte) bool {
	n := len(p)
	if n > 4 && p[n-1] == '\n' && p[n-2] == '\n' && p[n-3] == '}' && p[n-4] != '}' {
		w.closed = false
		w.learn(p[n-4:])
		return true
	}
	if string(p) == "data: [DONE]\n\n" {
		w.closed = true
		w.usual = never
		return true
	}
	return false
}

// learn has Write pass what ends like this event.
func (w *writer) learn(end []byte) {
	if w.flushes && !bytes.Equal(end, w.usual) {
		w.usual = append([]byte(nil), end...)
	}
}

// hold keeps a copy of the beginning of an event, if there is one.
func (w *writer) hold(rest []byte) {
	w.held = append([]byte(nil), rest...)
	w.usual = never
}

// note remembers how far the stream is after whole events.
func (w *writer) note(whole []byte) {
	last := lastEvent(whole)
	if len(last) == 0 {
		return // comments
	}
	w.closed = final(w.x.e.Family, last)
	w.tail = last
}

// Flush implements http.Flusher for compiled callers.
func (w *writer) Flush() {
	if w.mode == modeEvents || w.mode == modeBody {
		w.flush()
	}
}

// Unwrap serves http.ResponseController for compiled callers (deadlines).
func (w *writer) Unwrap() http.ResponseWriter { return w.rw }
