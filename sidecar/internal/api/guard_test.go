package api

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/hal0-dev/hal0/plugin/wire"
)

func TestGuard(t *testing.T) {
	token := wire.TokenPrefix + strings.Repeat("k", 43)
	s := New(Config{Tokens: func() []string { return []string{token} }})
	h := s.guard(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }))
	for _, c := range []struct {
		name, from, host string
		header           []string // name, value, …
		want             int
	}{
		{"the box itself", "127.0.0.1:5", "localhost:8091", nil, 418},
		{"the box itself, v6", "[::1]:5", "[::1]:8091", nil, 418},
		{"v4 in v6", "[::ffff:127.0.0.1]:5", "127.0.0.1", nil, 418},
		{"another box", "10.0.0.2:5", "hal0.lan", nil, 401},
		{"another box that says localhost", "10.0.0.2:5", "localhost", nil, 401},
		{"another box with the token", "10.0.0.2:5", "hal0.lan", []string{"Authorization", "Bearer " + token}, 418},
		{"another box with a wrong token", "10.0.0.2:5", "hal0.lan", []string{"Authorization", "Bearer " + token + "x"}, 401},
		{"forwarded by a proxy here", "127.0.0.1:5", "localhost", []string{"X-Forwarded-For", "10.0.0.2"}, 401},
		{"a name that was rebound to loopback", "127.0.0.1:5", "evil.example", nil, 401},
		{"a page of another site", "127.0.0.1:5", "localhost:8091", []string{"Origin", "http://evil.example"}, 403},
		{"a page of another site, by metadata", "127.0.0.1:5", "localhost:8091", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"a page of another port", "127.0.0.1:5", "localhost:8091", []string{"Origin", "http://localhost:9"}, 403},
		{"our own page", "127.0.0.1:5", "localhost:8091", []string{"Origin", "http://localhost:8091", "Sec-Fetch-Site", "same-origin"}, 418},
		{"a sandboxed page", "127.0.0.1:5", "localhost:8091", []string{"Origin", "null"}, 403},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := httptest.NewRequest("POST", "/api/slots/x/load", nil)
			r.RemoteAddr, r.Host = c.from, c.host
			for i := 0; i < len(c.header); i += 2 {
				r.Header.Set(c.header[i], c.header[i+1])
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if w.Code != c.want {
				t.Errorf("status %d, want %d: %s", w.Code, c.want, w.Body)
			}
		})
	}
}

func TestRequestID(t *testing.T) {
	for _, c := range []struct {
		given string
		kept  bool
	}{
		{"abc-123", true}, {"", false}, {"a b", false}, {"a\x00b", false}, {"ü", false}, {`a"b`, false}, {strings.Repeat("x", maxRequestID), true}, {strings.Repeat("x", maxRequestID+1), false},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header[wire.HeaderRequestID] = []string{c.given}
		got := requestID(r)
		if (got == c.given) != c.kept || got == "" {
			t.Errorf("requestID(%q) = %q", c.given, got)
		}
		if again := requestID(r); again != got {
			t.Errorf("a second call gives %q after %q", again, got)
		}
	}
}

func TestServed(t *testing.T) {
	var s served
	one, two := s.begin("a"), s.begin("a")
	one()
	if !s.has("a") {
		t.Error("the id is gone while a request with it is served")
	}
	two()
	if s.has("a") || len(s.ids) != 0 {
		t.Error("the id stays after its last request")
	}
}
