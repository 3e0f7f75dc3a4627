package plugin_test

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hal0-dev/hal0/plugin"
	"github.com/hal0-dev/hal0/plugin/wire"
)

func writeToken(t *testing.T) (path, token string) {
	t.Helper()
	var secret [32]byte
	if _, err := rand.Read(secret[:]); err != nil {
		t.Fatal(err)
	}
	token = wire.TokenPrefix + base64.RawURLEncoding.EncodeToString(secret[:])
	path = filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(path, []byte(token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path, token
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
	h, err := plugin.New(t.Context(), httputil.NewSingleHostReverseProxy(target), cfg, "hal0@test")
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

func config(tokenFile string) *plugin.Config {
	cfg := plugin.CreateConfig()
	cfg.TokenFile = tokenFile
	cfg.Models = map[string]plugin.Model{"primary": {Model: "hf:a/b", Aliases: []string{"gpt-4o"}}}
	return cfg
}

func post(t *testing.T, s *httptest.Server, path, body string) (*http.Response, string) {
	t.Helper()
	res, err := http.Post(s.URL+path, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatalf("read answer: %v after %q", err, text)
	}
	return res, string(text)
}

// The upstream dies in the middle of an event: the client gets the whole events,
// one error event, and a clean end.
func TestUpstreamDies(t *testing.T) {
	file, token := writeToken(t)
	s := edge(t, config(file), func(w http.ResponseWriter, r *http.Request) {
		p, err := wire.Verify([]string{token}, wire.Subject{Purpose: wire.PurposeRequest, Method: "POST", Path: "/v1/chat/completions"}, r.Header.Get(wire.HeaderProof), time.Now())
		if err != nil || p.Slot != "primary" || p.Model == nil || p.Model.Model != "hf:a/b" {
			t.Errorf("proof: %+v, %v", p, err)
		}
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, "data: {\"n\":1}\n\ndata: {\"n\"")
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	})
	_, text := post(t, s, "/v1/chat/completions", `{"model":"gpt-4o"}`)
	events := strings.SplitAfter(text, "\n\n")
	if len(events) != 3 || events[0] != "data: {\"n\":1}\n\n" || !strings.HasPrefix(events[1], `data: {"error":{"message":`) || !strings.Contains(events[1], `"code":"sidecar.lost"`) {
		t.Errorf("answer: %q", text)
	}
}

// A configuration's problems all stand in one message.
func TestProblems(t *testing.T) {
	cfg := config("token")
	cfg.CommitAfter = "20"
	cfg.Rest = map[string]any{"defualt": "primary"}
	_, err := plugin.New(context.Background(), http.NotFoundHandler(), cfg, "hal0@docker")
	for _, want := range []string{"hal0@docker", "3 problems", "tokenFile", "commitAfter", "did you mean default?"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v lacks %q", err, want)
		}
	}
}
