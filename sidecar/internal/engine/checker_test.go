package engine

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

// fake is an engine's HTTP side.
type fake struct {
	key     string // that it demands, "" = any will do
	loading atomic.Bool
	props   string
	status  int // of completions
	asked   atomic.Int32
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.asked.Add(1)
	switch {
	case f.loading.Load():
		w.WriteHeader(http.StatusServiceUnavailable)
	case f.key != "" && r.Header.Get("Authorization") != "Bearer "+f.key && r.URL.Path != "/health":
		w.WriteHeader(http.StatusUnauthorized)
	case strings.HasSuffix(r.URL.Path, "/completions"):
		w.WriteHeader(f.status)
	case r.URL.Path == "/props":
		_, _ = w.Write([]byte(f.props))
	}
}

func check(t *testing.T, f *fake, tmpl Template, change func(*Plan)) *Checker {
	t.Helper()
	s := httptest.NewServer(f)
	t.Cleanup(s.Close)
	p := plan()
	if change != nil {
		change(&p)
	}
	return tmpl.NewChecker(p, s.URL)
}

func TestReady(t *testing.T) {
	const props = `{"default_generation_settings":{"n_ctx":4096}}`
	custom, err := New("keyless", Config{Command: []string{"x", "{port}"}})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		fake   *fake
		tmpl   Template
		change func(*Plan)
		want   func(error) bool
	}{
		"ours":           {&fake{key: "secret", props: props}, llamaCPP("x"), nil, func(err error) bool { return err == nil }},
		"another's":      {&fake{key: "other", props: props}, llamaCPP("x"), nil, func(err error) bool { return errors.Is(err, ErrStranger) }},
		"anybody's":      {&fake{props: props}, llamaCPP("x"), nil, func(err error) bool { return errors.Is(err, ErrStranger) }},
		"not llama.cpp":  {&fake{key: "secret", props: "<html>"}, llamaCPP("x"), nil, func(err error) bool { return errors.Is(err, ErrStranger) }},
		"wanted context": {&fake{key: "secret", props: props}, llamaCPP("x"), func(p *Plan) { p.Model.Context = 4096 }, func(err error) bool { return err == nil }},
		"less context": {&fake{key: "secret", props: props}, llamaCPP("x"), func(p *Plan) { p.Model.Context = 8192 }, func(err error) bool {
			var m *MismatchError
			return errors.As(err, &m) && strings.Contains(m.Text, "8192")
		}},
		"demo":         {&fake{key: "secret"}, demo("x"), nil, func(err error) bool { return err == nil }},
		"without keys": {&fake{}, custom, nil, func(err error) bool { return err == nil }},
	} {
		checker := check(t, c.fake, c.tmpl, c.change)
		c.fake.loading.Store(true)
		if err := checker.Ready(t.Context()); !errors.Is(err, ErrLoading) {
			t.Errorf("%s, loading: %v", name, err)
		}
		c.fake.loading.Store(false)
		if err := checker.Ready(t.Context()); !c.want(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Once an engine has proved to be ours, asking costs one question, and 503 is
// loading again.
func TestReadyAgain(t *testing.T) {
	f := &fake{key: "secret", props: `{}`}
	c := check(t, f, llamaCPP("x"), nil)
	for range 3 {
		if err := c.Ready(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if n := f.asked.Load(); n != 4 {
		t.Errorf("%d questions", n)
	}
	f.loading.Store(true)
	if err := c.Ready(t.Context()); !errors.Is(err, ErrLoading) {
		t.Error(err)
	}
}

func TestWarm(t *testing.T) {
	f := &fake{key: "secret", status: 200}
	llama, scripted := check(t, f, llamaCPP("x"), nil), check(t, f, demo("x"), nil)
	if err := llama.Warm(t.Context()); err != nil || f.asked.Load() != 0 {
		t.Errorf("%v, %d questions of an engine that warms up by itself", err, f.asked.Load())
	}
	for want, c := range []*Checker{1: llama, 2: scripted} {
		if c == nil {
			continue
		}
		if err := c.Warm(t.Context()); err != nil || int(f.asked.Load()) != want {
			t.Errorf("%v, %d questions, want %d", err, f.asked.Load(), want)
		}
	}
	for status, bad := range map[int]bool{500: true, 404: false} {
		f.status = status
		if err := scripted.Warm(t.Context()); (err != nil) != bad {
			t.Errorf("status %d: %v", status, err)
		}
	}
	f.loading.Store(true)
	if err := scripted.Warm(t.Context()); !errors.Is(err, ErrLoading) {
		t.Error(err)
	}
}

func TestNobodyAnswers(t *testing.T) {
	c := llamaCPP("x").NewChecker(plan(), "http://127.0.0.1:1")
	if err := c.Ready(t.Context()); err == nil || errors.Is(err, ErrLoading) || errors.Is(err, ErrStranger) {
		t.Error(err)
	}
}
