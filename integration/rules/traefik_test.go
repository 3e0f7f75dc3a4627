package rules

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hal0-dev/hal0/integration/bed"
)

const testdata = "../../sidecar/internal/check/testdata"

// seen are the rules of `hal0 check` whose errors Traefik itself reports on a
// router. The other rules say what Traefik does without a word.
func seen() []string {
	return []string{"unknown-key", "bad-value", "missing-key", "router-rule", "unknown-reference", "entry-point", "retry", "duplicate"}
}

// refused are cases for which Traefik drops all of a container's labels, or all
// files: the router is not there at all.
func refused(b *broken) bool {
	return slices.ContainsFunc(b.wants, func(w want) bool {
		switch w.rule {
		case "label", "not-enabled", "router-service":
			return true
		case "duplicate":
			return strings.Contains(w.message, "in another way")
		case "router-rule":
			return w.message == "rule is missing"
		}
		return strings.Contains(w.message, "would ignore")
	})
}

// Bar 5: what `hal0 check` says of a broken configuration is what Traefik says when
// it is started with it, word by word where the plugin says it; where check
// finds nothing of that kind, Traefik has nothing to say; and other routes are
// served all the while.
func TestBar5BrokenConfigurationsInTraefik(t *testing.T) {
	bed.Tool(t, "traefik")
	var cases []*broken
	for _, pattern := range []string{"broken/*", "clean/*"} {
		dirs, err := filepath.Glob(filepath.Join(testdata, pattern))
		if err != nil || len(dirs) == 0 {
			t.Fatalf("no cases at %s: %v", pattern, err)
		}
		for _, dir := range dirs {
			b, err := load(dir)
			if err != nil {
				t.Fatal(err)
			}
			cases = append(cases, b)
		}
	}
	errors := start(t, cases)
	tried := 0
	for _, b := range cases {
		router := b.name + "-hal0@docker"
		if b.file != "" {
			router = b.name + "-hal0@file"
		}
		said, there := errors[router]
		if refused(b) {
			if there && said == "" {
				t.Errorf("%s: Traefik serves the router, and check says it does not", b.name)
			}
			tried++
			continue
		}
		if !there {
			continue // of a case with no such router, or told by other files
		}
		tried++
		compare(t, b, said)
	}
	if tried < 80 {
		t.Errorf("%d configurations were tried, want 80", tried)
	}
}

func compare(t *testing.T, b *broken, said string) {
	t.Helper()
	expected := false
	for _, w := range b.wants {
		_, key, ours := strings.Cut(w.key, ".plugin.hal0.")
		switch {
		case w.rule == "secret" && key == "token":
			expected = true // which says more than the plugin does
			continue
		case w.severity != "error", !slices.Contains(seen(), w.rule),
			w.rule == "retry" && !strings.Contains(w.message, "Traefik refuses"), w.rule == "duplicate" && !ours:
			continue
		}
		expected = true
		if ours && !strings.Contains(strings.ToLower(said), strings.ToLower(key+": ")) || ours && !strings.Contains(said, w.message) {
			t.Errorf("%s: check says %q of %s, Traefik says %q", b.name, w.message, key, said)
		}
	}
	if expected != (said != "") {
		t.Errorf("%s: check finds an error: %v; Traefik says %q", b.name, expected, said)
	}
}

// start runs Traefik with all cases and a good route, asks the good one, and
// returns the errors of all routers.
func start(t *testing.T, cases []*broken) map[string]string {
	t.Helper()
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "good") }))
	t.Cleanup(upstream.Close)
	good := fmt.Sprintf("http:\n  routers:\n    good: {rule: Host(`good.lan`), service: good}\n  services:\n    good: {loadBalancer: {servers: [{url: %q}]}}\n", upstream.URL)
	files := map[string]string{"good.yml": good}
	var containers []bed.Container
	for _, b := range cases {
		for _, service := range sorted(b.labels) {
			containers = append(containers, bed.Container{Name: b.name + "-" + service, Labels: b.labels[service]})
		}
		if b.file != "" {
			files[b.name+".yml"] = b.file
		}
	}
	traefik := bed.NewTraefik(t, "--providers.docker.endpoint=unix://"+bed.Docker(t, containers...), "--providers.docker.exposedbydefault=false")
	for name, text := range files {
		traefik.Write(name, text)
	}
	traefik.Start()
	bed.Until(t, "the good route is served", 2*time.Minute, func() bool {
		req, err := http.NewRequest("GET", "http://"+traefik.Web("127.0.0.1")+"/", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = "good.lan"
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		return err == nil && string(body) == "good"
	})
	var errors map[string]string
	bed.Until(t, "both providers have spoken", time.Minute, func() bool {
		errors = map[string]string{}
		for name, r := range traefik.Routers() {
			errors[name] = strings.Join(r.Error, "; ")
		}
		_, labels := errors["compose-hal0@docker"]
		_, file := errors["dynamic-yaml-hal0@file"]
		return labels && file
	})
	return errors
}

func sorted(m map[string]map[string]string) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
