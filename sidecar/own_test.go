package main

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hal0-dev/hal0/sidecar/internal/config"
)

// started is a sidecar of the given route on ports of its own; nothing boots.
func started(t *testing.T, route map[string]any, change ...func(*config.Config)) *sidecar {
	t.Helper()
	cfg := config.Default()
	for _, f := range change {
		f(cfg)
	}
	cfg.Listen = config.Listen{Data: "127.0.0.1:0", Control: "127.0.0.1:0"}
	cfg.State, cfg.Models, cfg.Route = t.TempDir(), t.TempDir(), route
	s, err := build(cfg, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.serve(ctx, renewal{}) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return s
}

func demoRoute(slots ...string) map[string]any {
	models := map[string]any{}
	for _, s := range slots {
		models[s] = map[string]any{"engine": "demo"}
	}
	return map[string]any{"default": slots[0], "models": models}
}

func (s *sidecar) get(t *testing.T, path string) (int, string) {
	t.Helper()
	r, err := http.Get("http://" + s.doors[0].listener.Addr().String() + path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r.StatusCode, string(b)
}

func TestReloadTakesTheRoute(t *testing.T) {
	s := started(t, demoRoute("one"))
	with := func(route map[string]any, err error) loader {
		return func() (*config.Config, error) {
			c := *s.cfg
			c.Route = route
			return &c, err
		}
	}
	for _, step := range []struct {
		name   string
		load   loader
		status int
		has    string
		hasNot string
	}{
		{"as started", nil, 200, `"id":"one"`, `"id":"two"`},
		{"another slot", with(demoRoute("one", "two"), nil), 200, `"id":"two"`, "error"},
		{"bad file", with(nil, errors.New("not YAML")), 200, `"id":"two"`, "error"},
		{"bad route", with(map[string]any{"models": map[string]any{"x": map[string]any{"contxt": "1"}}}, nil), 200, `"id":"two"`, "error"},
		{"no route", with(nil, nil), 503, "route.misconfigured", `"id"`},
		{"a route again", with(demoRoute("three"), nil), 200, `"id":"three"`, `"id":"one"`},
	} {
		if step.load != nil {
			s.reload(step.load)
		}
		status, body := s.get(t, "/v1/models")
		if status != step.status || !strings.Contains(body, step.has) || strings.Contains(body, step.hasNot) {
			t.Errorf("%s: %d %s", step.name, status, body)
		}
	}
}

func TestASecondSidecarIsRefused(t *testing.T) {
	s := started(t, demoRoute("one"))
	cfg := *s.cfg
	_, err := build(&cfg, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "process") {
		t.Errorf("a second sidecar on the same state: %v, want an error that names the first", err)
	}
}

func TestChangedKeys(t *testing.T) {
	a, b := config.Default(), config.Default()
	b.Limits.Queue, b.Log.Level = 3, "debug"
	b.Route = map[string]any{"default": "x"}
	if got := strings.Join(changedKeys(a, b), " "); got != "log limits" {
		t.Errorf("changedKeys = %q, want log and limits", got)
	}
}

func TestConnectionsAreBounded(t *testing.T) {
	s := started(t, demoRoute("one"), func(c *config.Config) { c.Limits.Connections = 1 })
	ask := func() net.Conn {
		c, err := net.Dial("tcp", s.doors[0].listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		if _, err := io.WriteString(c, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		return c
	}
	answered := func(c net.Conn, within time.Duration) bool {
		c.SetReadDeadline(time.Now().Add(within))
		n, _ := c.Read(make([]byte, 64))
		return n > 0
	}
	first := ask()
	if !answered(first, 10*time.Second) {
		t.Fatal("the first connection is not served")
	}
	second := ask()
	if answered(second, 200*time.Millisecond) {
		t.Error("a second connection is served beside the first")
	}
	first.Close()
	if !answered(second, 10*time.Second) {
		t.Error("the second connection is not served after the first has ended")
	}
}
