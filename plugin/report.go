//go:build go1.21

package plugin

import (
	"net/http"
	"strings"
)

// late hears of a second head: FastProxy reports a failure after the first.
func (w *writer) late(status int) {
	if status >= 500 && (w.mode == modeEvents || w.mode == modeBody) {
		w.mode = modeBroken
		w.usual = never
	}
}

// reported tells FastProxy's report from content: a middleware in between, such
// as Traefik's retry, keeps the second head to itself and lets the text pass.
func reported(p []byte) bool {
	switch string(p) {
	case "Bad Gateway", "Internal Server Error", "Gateway Timeout", "Client Closed Request":
		return true
	}
	return false
}

// worded reports whether an error is in words for people, as Traefik's are.
func worded(h http.Header) bool {
	return h["Content-Type"] == nil || strings.HasPrefix(h.Get("Content-Type"), "text/")
}

// word turns an error in words into a coded one, unless the request is sent
// again.
func (w *writer) word(status int, h http.Header) {
	if h["Content-Type"] == nil && w.x.replay.due(status, w.x.ctx) { // Traefik's own; an upstream's has a type
		w.mode = modeLost
		return
	}
	w.answer(w.x.meaning(status))
}
