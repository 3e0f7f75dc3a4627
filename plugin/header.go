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
func strip(req *http.Request) {
	h := req.Header
	coalesce := h.Get(wire.HeaderCoalesce)
	for name := range h {
		if ours(name) {
			delete(h, name) // as it is spelt; Del would look for the canonical form
		}
	}
	for name := range req.Trailer {
		if ours(name) {
			delete(req.Trailer, name)
		}
	}
	if strings.EqualFold(coalesce, wire.CoalesceOff) {
		h.Set(wire.HeaderCoalesce, wire.CoalesceOff)
	}
	if connection, ok := h["Connection"]; ok {
		stripConnection(h, connection)
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

// requestID returns the client's id if it is harmless, else a new one.
func requestID(h http.Header) string {
	id := h.Get(wire.HeaderRequestID)
	if id != "" && len(id) <= 128 && plainID(id) {
		return id
	}
	var b [12]byte
	if _, err := rand.Read(b[:]); err != nil {
		return "req_unknown"
	}
	return "req_" + hex.EncodeToString(b[:])
}

func plainID(id string) bool {
	for i := 0; i < len(id); i++ {
		c := id[i]
		if c != '-' && c != '_' && c != '.' && c != ':' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return true
}

// withhold removes what engines must not see: credentials and cookies were for
// the edge, and a compressed answer has no events that anyone could tell apart.
func withhold(h http.Header) {
	for _, name := range []string{"Authorization", "X-Api-Key", "Api-Key", "Cookie", "Proxy-Authorization"} {
		h.Del(name)
	}
	// Without the header, the proxy's own transport would ask for gzip.
	h.Set("Accept-Encoding", "identity")
}
