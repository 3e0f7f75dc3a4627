package plugin_test

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hal0-dev/hal0/plugin"
	"github.com/hal0-dev/hal0/plugin/wire"
)

func writeToken(t *testing.T) (path, token string) {
	t.Helper()
	token = wire.TokenPrefix + strings.Repeat("A", wire.TokenLen-len(wire.TokenPrefix))
	path = filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(path, []byte(token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path, token
}

func config(tokenFile string) *plugin.Config {
	cfg := plugin.CreateConfig()
	cfg.TokenFile = tokenFile
	cfg.Models = map[string]plugin.Model{"primary": {Model: "hf:a/b"}}
	return cfg
}

// edge puts the middleware and a reverse proxy before an upstream.
func edge(t *testing.T, cfg *plugin.Config, upstream http.HandlerFunc) *httptest.Server {
	t.Helper()
	up := httptest.NewServer(upstream)
	t.Cleanup(up.Close)
	target, err := url.Parse(up.URL)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.ErrorLog = log.New(io.Discard, "", 0)
	h, err := plugin.New(t.Context(), proxy, cfg, "hal0@test")
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

// The sidecar is lost while it holds a request: the request is sent again, whole
// and with a proof of its own, and the client hears of nothing.
func TestLostWhileHeldIsSentAgain(t *testing.T) {
	file, token := writeToken(t)
	const body = `{"model":"primary","messages":[]}`
	for name, c := range map[string]struct {
		losses, calls int32
		status        int
	}{
		"once":     {1, 2, 200},
		"twice":    {2, 3, 200},
		"for ever": {99, 3, 503},
		"not lost": {0, 1, 200},
	} {
		t.Run(name, func(t *testing.T) {
			var calls atomic.Int32
			s := edge(t, config(file), func(w http.ResponseWriter, r *http.Request) {
				n := calls.Add(1)
				subject := wire.Subject{Purpose: wire.PurposeRequest, Method: r.Method, Path: r.URL.EscapedPath()}
				if _, err := wire.Verify([]string{token}, subject, r.Header.Get(wire.HeaderProof), time.Now()); err != nil {
					t.Errorf("proof of call %d: %v", n, err)
				}
				if got, _ := io.ReadAll(r.Body); string(got) != body {
					t.Errorf("body of call %d: %q", n, got)
				}
				if n <= c.losses {
					panic(http.ErrAbortHandler) // the connection closes without an answer
				}
				w.Header().Set("Content-Type", "application/json")
				_, _ = io.WriteString(w, `{"ok":true}`)
			})
			res, err := http.Post(s.URL+"/v1/chat/completions", "application/json", strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			text, _ := io.ReadAll(res.Body)
			if res.StatusCode != c.status || calls.Load() != c.calls {
				t.Errorf("%d calls, answer %d %s", calls.Load(), res.StatusCode, text)
			}
			if res.Header.Get("Content-Type") != "application/json" {
				t.Errorf("Content-Type %q", res.Header.Get("Content-Type"))
			}
		})
	}
}

// An upload is gone when it was sent, so nobody can send it again.
func TestUploadIsNotSentAgain(t *testing.T) {
	file, _ := writeToken(t)
	cfg := config(file)
	cfg.Models = map[string]plugin.Model{"primary": {Model: "hf:a/b", Capabilities: []string{"transcription"}}}
	var calls atomic.Int32
	s := edge(t, cfg, func(_ http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		_, _ = io.Copy(io.Discard, r.Body)
		panic(http.ErrAbortHandler)
	})
	form := "--x\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nprimary\r\n--x--\r\n"
	res, err := http.Post(s.URL+"/v1/audio/transcriptions", "multipart/form-data; boundary=x", strings.NewReader(form))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if text, _ := io.ReadAll(res.Body); res.StatusCode != 503 || calls.Load() != 1 {
		t.Errorf("%d calls, answer %d %s", calls.Load(), res.StatusCode, text)
	}
}

// A sidecar that cannot be reached at all is Traefik's retry's matter.
func TestUnreachableIsNotSentAgain(t *testing.T) {
	file, _ := writeToken(t)
	tries := 0
	h, err := plugin.New(t.Context(), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		tries++
		http.Error(w, "Bad Gateway", http.StatusBadGateway)
	}), config(file), "hal0@test")
	if err != nil {
		t.Fatal(err)
	}
	answer := httptest.NewRecorder()
	req := httptest.NewRequest("POST", "http://localhost/v1/chat/completions", strings.NewReader(`{"model":"primary"}`))
	h.ServeHTTP(answer, req)
	if tries != 1 || answer.Code != 503 || !strings.Contains(answer.Body.String(), "sidecar.unreachable") {
		t.Errorf("%d tries, answer %d %s", tries, answer.Code, answer.Body)
	}
}
