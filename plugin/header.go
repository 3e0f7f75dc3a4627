//go:build go1.21

package plugin

import (
	"crypto/rand"
	"encoding/hex"
	"net/http"
	"strings"

	"github.com/hal0-dev/hal0/plugin/wire"
)

// ours reports whether a header's name is one that only the edge may set, in
// any spelling that a later hop could fold into it.
func ours(name string) bool {
	if len(name) < len(wire.Prefix) {
		return false
	}
	if c := name[0]; c != 'X' && c != 'x' {
		return false
	}
	head := name[:len(wire.Prefix)]
	if !strings.EqualFold(head, wire.Prefix) && !strings.EqualFold(head, "x_hal0") {
		return false
	}
	return len(name) == len(head) || name[len(head)] == '-' || name[len(head)] == '_'
}

// strip removes what a client may not say, on every path. X-Hal0-Coalesce: off
// is the one wish that it may have.
func strip(h http.Header) {
	for name := range h {
		// Most names are told apart without a call.
		if len(name) > 5 && (name[2] == 'H' || name[2] == 'h') && ours(name) {
			stripOne(h, name)
		}
	}
	if h["Connection"] != nil {
		stripConnection(h, h["Connection"])
	}
}

// stripOne removes a header as it is spelt; Del would look for the canonical
// form.
func stripOne(h http.Header, name string) {
	wish := name == wire.HeaderCoalesce && strings.EqualFold(h.Get(name), wire.CoalesceOff)
	delete(h, name)
	if wish {
		h[wire.HeaderCoalesce] = []string{wire.CoalesceOff}
	}
}

// stripConnection keeps a client from declaring our headers hop-by-hop, which
// would have the proxy remove them.
func stripConnection(h http.Header, values []string) {
	var kept []string
	for _, value := range values {
		for _, token := range strings.Split(value, ",") {
			if token = strings.TrimSpace(token); token != "" && !ours(token) {
				kept = append(kept, token)
			}
		}
	}
	if len(kept) == 0 {
		h.Del("Connection")
		return
	}
	h.Set("Connection", strings.Join(kept, ", "))
}

const idLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:"

// requestID returns the client's id if it is harmless, else a new one.
func requestID(h http.Header) string {
	if h[wire.HeaderRequestID] != nil {
		if id := h.Get(wire.HeaderRequestID); id != "" && len(id) <= 128 && strings.Trim(id, idLetters) == "" {
			return id
		}
	}
	return newID()
}

func newID() string {
	b := make([]byte, 12)
	if _, err := rand.Read(b); err != nil {
		return "req_unknown"
	}
	return "req_" + hex.EncodeToString(b)
}

// withhold removes what neither engines nor logs must see: credentials and
// cookies were for the edge, and a compressed answer has no events that anyone could tell apart.
func withhold(h http.Header) {
	delete(h, "Authorization")
	delete(h, "X-Api-Key")
	delete(h, "Api-Key")
	delete(h, "Cookie")
	delete(h, "Proxy-Authorization")
	// Without the header, the proxy's own transport would ask for gzip.
	h["Accept-Encoding"] = []string{"identity"}
}

// markSlot repeats the decision in plain, for Traefik's child routers.
func markSlot(h http.Header, m *wire.Model) {
	h[wire.HeaderSlot] = []string{m.Slot}
	if m.Node != "" {
		h[wire.HeaderNode] = []string{m.Node}
	}
}
