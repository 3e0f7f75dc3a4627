package plugin

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/hal0-dev/hal0/plugin/wire"
)

const goodToken = "hal0_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

// sidecar answers for the control listener, without a network.
type sidecar struct {
	mu     sync.Mutex
	answer func(r *http.Request) (status int, err error) // nil = 200
	asked  []string                                      // "METHOD path?query"
	bodies []string
}

func (s *sidecar) RoundTrip(r *http.Request) (*http.Response, error) {
	body := ""
	if r.Body != nil {
		text, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		body = string(text)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, r.Method+" "+r.URL.RequestURI())
	s.bodies = append(s.bodies, body)
	status := http.StatusOK
	if s.answer != nil {
		var err error
		if status, err = s.answer(r); err != nil {
			return nil, err
		}
	}
	return &http.Response{StatusCode: status, Body: http.NoBody, Request: r, Header: http.Header{}}, nil
}

func (s *sidecar) log() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.asked...)
}

var errDown = errors.New("connection refused")

// isolate gives the test package-level state of its own; inside a synctest
// bubble, it belongs to the bubble.
func isolate(t *testing.T, s *sidecar) {
	t.Helper()
	oldDeclaring, oldStopping, oldTokens, oldBodies := declaring, stopping, tokens, bodies
	declaring = &declarers{byName: map[string]*declarer{}, client: &http.Client{Transport: s}, log: newLog()}
	stopping = newTerminator()
	stopping.once.Do(func() {}) // the signal is the test's to give
	tokens = &tokenCache{files: map[string]*tokenFile{}}
	bodies = &budget{left: budgetBytes, large: map[string]int{}}
	t.Cleanup(func() { declaring, stopping, tokens, bodies = oldDeclaring, oldStopping, oldTokens, oldBodies })
}

func testConfig(t *testing.T) *Config {
	t.Helper()
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(goodToken), 0o600); err != nil {
		t.Fatal(err)
	}
	c := CreateConfig()
	c.TokenFile = file
	c.Sidecar = "http://sidecar:8091"
	c.Models = map[string]Model{"primary": {Model: "x"}}
	return c
}

// ask serves one chat request by the middleware before next and returns what
// the client got; aborted says that the handler panicked.
func ask(ctx context.Context, h http.Handler) (got *httptest.ResponseRecorder, aborted any) {
	got = httptest.NewRecorder()
	req := httptest.NewRequest(http.MethodPost, "http://hal0.lan/v1/chat/completions", strings.NewReader(`{"model":"primary"}`))
	req.Header.Set(wire.HeaderRequestID, "test-1")
	defer func() { aborted = recover() }()
	h.ServeHTTP(got, req.WithContext(ctx))
	return got, nil
}

func newHandler(t *testing.T, ctx context.Context, c *Config, next http.HandlerFunc) http.Handler {
	t.Helper()
	h, err := New(ctx, next, c, "hal0@test")
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// stream begins an event stream and sends what comes through events; it ends as
// a proxy does: by a panic when the request is cancelled, else properly.
func stream(beat string, events <-chan string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		w.Header().Set(wire.HeaderHeartbeat, beat)
		w.WriteHeader(http.StatusOK)
		for {
			select {
			case <-r.Context().Done():
				panic(http.ErrAbortHandler)
			case e, ok := <-events:
				if !ok {
					return
				}
				if _, err := io.WriteString(w, e); err != nil {
					panic(http.ErrAbortHandler)
				}
			}
		}
	}
}

// hold never answers, until it is cancelled; then it says so as Traefik's proxy
// does.
func hold(w http.ResponseWriter, r *http.Request) {
	<-r.Context().Done()
	w.WriteHeader(499)
	_, _ = io.WriteString(w, "Client Closed Request")
}
