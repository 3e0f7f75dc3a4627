package edge

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// client is as much of a ResponseWriter as the benchmarks need.
type client struct {
	header         http.Header
	bytes, flushes int
}

func (c *client) Header() http.Header { return c.header }
func (c *client) WriteHeader(int)     {}
func (c *client) Flush()              { c.flushes++ }
func (c *client) Write(p []byte) (int, error) {
	c.bytes += len(p)
	return len(p), nil
}

const chunk = `data: {"choices":[{"finish_reason":null,"index":0,"delta":{"content":" one"}}],"created":1795381827,"id":"chatcmpl-abc","model":"primary","object":"chat.completion.chunk"}` + "\n\n"

// benchHandler is the interpreted middleware before next.
func benchHandler(b *testing.B, next http.HandlerFunc) http.Handler {
	b.Helper()
	token := filepath.Join(b.TempDir(), "token")
	if err := os.WriteFile(token, []byte("hal0_"+strings.Repeat("A", 43)), 0o600); err != nil {
		b.Fatal(err)
	}
	raw := map[string]any{"tokenFile": token, "models": map[string]any{"primary": map[string]any{"model": "hf:a/b", "aliases": "gpt-4o-mini,qwen3:0.6b"}}}
	h, err := loadPlugin(b).handler(b.Context(), next, raw, "hal0@test")
	if err != nil {
		b.Fatal(err)
	}
	return h
}

func benchRequest() *http.Request {
	r := httptest.NewRequest(http.MethodPost, "http://hal0.lan/v1/chat/completions", strings.NewReader(`{"model":"primary","stream":true,"messages":[{"role":"user","content":"Count to five."}]}`))
	for _, h := range [][2]string{{"Authorization", "Bearer local"}, {"Content-Type", "application/json"}, {"Accept", "application/json"}, {"Accept-Encoding", "gzip, deflate"},
		{"User-Agent", "OpenAI/Python 2.54.0"}, {"X-Stainless-Lang", "python"}, {"X-Stainless-Package-Version", "2.54.0"}, {"X-Stainless-Os", "Linux"}, {"X-Stainless-Arch", "x64"},
		{"X-Stainless-Runtime", "CPython"}, {"X-Stainless-Runtime-Version", "3.11.7"}, {"X-Stainless-Async", "false"}, {"X-Stainless-Retry-Count", "0"}, {"X-Stainless-Read-Timeout", "600"}} {
		r.Header.Set(h[0], h[1])
	}
	return r
}

// BenchmarkRequest is what the interpreter does for one request and a short
// answer.
func BenchmarkRequest(b *testing.B) {
	h := benchHandler(b, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", "2")
		w.WriteHeader(http.StatusOK)
		_, _ = io.WriteString(w, "{}")
	})
	b.ReportAllocs()
	for b.Loop() {
		h.ServeHTTP(&client{header: http.Header{}}, benchRequest())
	}
}

// BenchmarkEvent is what the interpreter does for one event of a stream.
func BenchmarkEvent(b *testing.B) {
	event := []byte(chunk)
	h := benchHandler(b, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		w.Header().Set("X-Hal0-Heartbeat", "10")
		w.WriteHeader(http.StatusOK)
		b.ResetTimer()
		for range b.N {
			if _, err := w.Write(event); err != nil {
				b.Fatal(err)
			}
		}
		b.StopTimer()
		_, _ = io.WriteString(w, "data: [DONE]\n\n")
	})
	b.ReportAllocs()
	c := &client{header: http.Header{}}
	h.ServeHTTP(c, benchRequest().WithContext(context.Background()))
	if c.flushes < b.N {
		b.Errorf("%d events, %d flushes", b.N, c.flushes)
	}
}
