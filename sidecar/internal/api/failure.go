package api

import (
	"crypto/rand"
	"encoding/hex"
	"net/http"
	"path"
	"strconv"
	"strings"

	"github.com/hal0-dev/hal0/plugin/wire"
)

// fail answers with a failure before anything else was sent.
func fail(w http.ResponseWriter, id, family string, f wire.Failure) {
	f.Details.RequestID = id
	body := f.Body(family)
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set(wire.HeaderRequestID, id)
	if s := f.RetryAfter(); s != "" {
		h.Set("Retry-After", s)
	}
	if !f.Details.Retryable {
		h.Set("X-Should-Retry", "false")
	}
	w.WriteHeader(f.Status())
	w.Write(body)
	_ = http.NewResponseController(w).Flush() // before it is logged, which may take as long as a disk
}

// maxRequestID bounds what a client may call its request, in bytes.
const maxRequestID = 128

// requestID is the client's id for the request where it is a plain word, else a
// new one. It is kept in the request, so that it is the same on every call.
func requestID(r *http.Request) string {
	id := r.Header.Get(wire.HeaderRequestID)
	if id == "" || len(id) > maxRequestID || strings.IndexFunc(id, notWord) >= 0 {
		var b [12]byte
		rand.Read(b[:])
		id = "req_" + hex.EncodeToString(b[:])
		r.Header.Set(wire.HeaderRequestID, id)
	}
	return id
}

func notWord(c rune) bool { return c <= ' ' || c > '~' || c == '"' || c == '\\' }

// cleaned is the path as http.ServeMux would have it.
func cleaned(p string) string {
	c := path.Clean(p)
	if c != "/" && strings.HasSuffix(p, "/") {
		c += "/"
	}
	return c
}
