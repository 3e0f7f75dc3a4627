package hostile

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/hal0-dev/hal0/integration/bed"
)

// scene is a Traefik with the plugin, a sidecar whose slots are cold, and a
// server that is none of a client's business.
type scene struct {
	sidecar *bed.Sidecar
	traefik *bed.Traefik
	slow    int // port of the entry point that gives a request one second
	key     string
	token   string
	private *private
	routes  string // what /api/routes said before the first attack
	awake   string // slots that were started, and are known of
}

// private records what reaches it.
type private struct {
	*httptest.Server
	mu   sync.Mutex
	seen []string // "METHOD /path", and headers of ours with their values
}

func newPrivate(t testing.TB) *private {
	p := &private{}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		p.mu.Lock()
		defer p.mu.Unlock()
		line := r.Method + " " + r.URL.EscapedPath()
		for name := range r.Header {
			if strings.HasPrefix(strings.ReplaceAll(name, "_", "-"), "X-Hal0") {
				line += " with " + name
			}
		}
		if err != nil {
			line += ", cut"
		}
		p.seen = append(p.seen, line)
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"private":%d}`, len(body))
	}))
	t.Cleanup(p.Close)
	return p
}

// take is what was seen since the last time.
func (p *private) take() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	seen := p.seen
	p.seen = nil
	return seen
}

const dynamic = `
http:
  routers:
    main: {rule: "PathPrefix(` + "`/v1`" + `)", priority: 100, entryPoints: [web, slow], middlewares: [main, retry], service: sidecar}
    control: {rule: "Host(` + "`hal0.lan`" + `)", priority: 10, entryPoints: [web, slow], service: control}
    private: {rule: "Host(` + "`private.lan`" + `)", priority: 200, entryPoints: [web, slow], service: private}
    passed: {rule: "Host(` + "`passed.lan`" + `)", priority: 200, entryPoints: [web, slow], middlewares: [main], service: private}
    nodes: {rule: "Host(` + "`nodes.lan`" + `)", priority: 200, entryPoints: [web, slow], middlewares: [main]}
    node: {rule: "Header(` + "`X-Hal0-Slot`, `other`" + `)", parentRefs: [nodes], service: private}
    rest: {rule: "PathPrefix(` + "`/v1/`" + `)", priority: 1, parentRefs: [nodes], service: sidecar}
  middlewares:
    retry: {retry: {attempts: 3, initialInterval: 50ms}}
    main:
      plugin:
        hal0:
          sidecar: %[1]s
          tokenFile: %[2]s
          keys: ["laptop:sha256:%[3]s"]
          maxBody: 1MiB
          maxUpload: 1MiB
          models:
            primary: {engine: demo, memory: 64MiB, aliases: gpt-4o-mini}
            spare: {engine: demo, memory: 64MiB}
            hears: {engine: demo, memory: 64MiB, capabilities: transcription}
  services:
    sidecar: {loadBalancer: {servers: [{url: "%[4]s"}]}}
    control: {loadBalancer: {servers: [{url: "%[1]s"}]}}
    private: {loadBalancer: {servers: [{url: "%[5]s"}]}}
`

// newScene starts everything. more are further dynamic files, made when the
// addresses are known; they come after the good route.
func newScene(t *testing.T, more func(s *scene) map[string]string) *scene {
	t.Helper()
	bed.Tool(t, "traefik")
	s := &scene{slow: bed.Port(t), key: "sk-" + random(t), private: newPrivate(t)}
	s.sidecar = bed.NewSidecar(t, "").Start()
	b, err := os.ReadFile(s.sidecar.TokenFile())
	if err != nil {
		t.Fatal(err)
	}
	s.token = strings.TrimSpace(string(b))
	s.traefik = bed.NewTraefik(t, fmt.Sprintf("--entrypoints.slow.address=127.0.0.1:%d", s.slow),
		"--entrypoints.slow.transport.respondingtimeouts.readtimeout=1s", "--providers.providersthrottleduration=10ms",
		"--accesslog=true", "--accesslog.format=json", "--accesslog.fields.headers.defaultmode=keep")
	sum := sha256.Sum256([]byte(s.key))
	s.traefik.Write("main.yml", fmt.Sprintf(dynamic, s.sidecar.ControlURL(), s.sidecar.TokenFile(), hex.EncodeToString(sum[:]), s.sidecar.DataURL(), s.private.URL))
	s.traefik.Start()
	s.traefik.Await("main")
	s.sidecar.AwaitRoute("main@file")
	for name, text := range more(s) {
		s.traefik.Write(name, text)
	}
	s.routes = s.listed(t)
	return s
}

func random(t testing.TB) string {
	t.Helper()
	b := make([]byte, 18)
	if _, err := rand.Read(b); err != nil {
		t.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

// addr is where an attack goes.
func (s *scene) addr(to string) string {
	switch to {
	case "slow":
		return fmt.Sprintf("127.0.0.1:%d", s.slow)
	case "sidecar":
		return strings.TrimPrefix(s.sidecar.DataURL(), "http://")
	case "control":
		return strings.TrimPrefix(s.sidecar.ControlURL(), "http://")
	}
	return s.traefik.Web("127.0.0.1")
}

// listed is /api/routes without the times of their confirmation.
func (s *scene) listed(t testing.TB) string {
	t.Helper()
	_, text := bed.Get(t, s.sidecar.ControlURL()+"/api/routes")
	var list struct{ Routes []map[string]any }
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		t.Fatalf("read /api/routes: %v: %s", err, text)
	}
	for _, r := range list.Routes {
		delete(r, "confirmed")
	}
	b, err := json.Marshal(list.Routes)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// started are the slots that were ever asked to start.
func (s *scene) started(t testing.TB) []string {
	t.Helper()
	_, text := bed.Get(t, s.sidecar.ControlURL()+"/api/slots")
	var list struct{ Slots []bed.Slot }
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		t.Fatalf("read /api/slots: %v: %s", err, text)
	}
	var all []string
	for _, slot := range list.Slots {
		if slot.Incarnation != 0 || slot.State != "offline" {
			all = append(all, slot.ID)
		}
	}
	if len(list.Slots) == 0 {
		t.Fatal("there are no slots")
	}
	return all
}

// asleep checks that no slot was started, but for those that are known of.
func (s *scene) asleep(t testing.TB) {
	t.Helper()
	if started := fmt.Sprint(s.started(t)); started != "[]" && started != s.awake {
		t.Errorf("slots were reached: %s", started)
		s.awake = started // told once
	}
}

// secrets are what no answer and no log may hold.
func (s *scene) secrets() []string { return []string{s.token, s.key} }

// untouched checks what an attack must not have changed.
func (s *scene) untouched(t testing.TB, private []string) {
	t.Helper()
	s.asleep(t)
	if now := s.listed(t); now != s.routes {
		t.Fatalf("the routes were %s and are %s", s.routes, now)
	}
	if seen := s.private.take(); !slices.Equal(seen, private) {
		t.Errorf("the private server saw %q, want %q", seen, private)
	}
}

// kept checks that no secret is in a text.
func (s *scene) kept(t testing.TB, where, text string) {
	t.Helper()
	for _, secret := range s.secrets() {
		if strings.Contains(text, secret) {
			t.Errorf("%s holds a secret", where)
		}
	}
}
