package casetest

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hal0-dev/hal0/plugin/wire"
)

// Setup is one case in one form. A Way fills in Address or Problem.
type Setup struct {
	ID       string // [a-z0-9-]+, unique; also the middleware's name
	Case     Case
	Config   Written
	Upstream string // address of the fake upstream, host:port

	Address  string // of the edge, host:port
	Provider string // what follows the @ in the middleware's qualified name
	Problem  string // why the configuration was refused, "" = it was not
	// Client sends the requests, to https addresses if it is Secure; nil = they
	// are written to the connection as they stand, in HTTP/1.1.
	Client *http.Client
	Secure bool

	up      *upstream
	puts    chan put
	sidecar string
	token   string // path
	secret  string
}

// Way makes the middleware of every setup stand before its upstream.
type Way interface {
	// Name is compiled, yaegi or traefik.
	Name() string
	// Open fills in Address or Problem of every setup. A request belongs to the
	// setup that its IDHeader names. Cleaning up is t's.
	Open(t *testing.T, setups []*Setup)
}

// Run runs the cases in a way, one subtest per case and form.
func Run(t *testing.T, cases []Case, way Way) {
	t.Helper()
	var setups []*Setup
	for i, c := range cases {
		if c.Ways != nil && !slices.Contains(c.Ways, way.Name()) {
			continue
		}
		for _, form := range c.forms() {
			setups = append(setups, newSetup(t, fmt.Sprintf("case-%d-%s", i, form), c, form))
		}
	}
	way.Open(t, setups)
	for _, s := range setups {
		t.Run(s.Case.Name+"/"+s.Config.Form, s.run)
	}
}

func newSetup(t *testing.T, id string, c Case, form string) *Setup {
	t.Helper()
	s := &Setup{ID: id, Case: c, up: newUpstream(t), token: filepath.Join(t.TempDir(), "token")}
	s.Upstream = s.up.listener.Addr().String()
	s.sidecar, s.puts = newSidecar(t)
	s.writeToken(t)
	var err error
	if s.Config, err = c.write(form, id, s.fill); err != nil {
		t.Fatalf("%s: %v", c.Name, err)
	}
	return s
}

func (s *Setup) writeToken(t *testing.T) {
	t.Helper()
	var random [32]byte
	if _, err := rand.Read(random[:]); err != nil {
		t.Fatal(err)
	}
	s.secret = wire.TokenPrefix + base64.RawURLEncoding.EncodeToString(random[:])
	content := s.secret + "\n"
	switch s.Case.Token {
	case "":
	case "empty":
		content = ""
	case "malformed":
		content = "root:x:0:0:root:/root:/bin/bash\n"
	case "missing":
		return
	case "directory":
		if err := os.Mkdir(s.token, 0o700); err != nil {
			t.Fatal(err)
		}
		return
	default:
		t.Fatalf("%s: no token %q", s.Case.Name, s.Case.Token)
	}
	if err := os.WriteFile(s.token, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// fill replaces the placeholders.
func (s *Setup) fill(text string) string {
	return strings.NewReplacer("{{token}}", s.token, "{{sidecar}}", s.sidecar, "{{secret}}", s.secret, "{{id}}", s.ID, "{{provider}}", s.Provider).Replace(text)
}

// filled replaces the placeholders in a tree.
func (s *Setup) filled(v any) any {
	switch v := v.(type) {
	case string:
		return s.fill(v)
	case map[string]any:
		out := map[string]any{}
		for key, value := range v {
			out[key] = s.filled(value)
		}
		return out
	}
	return v
}

func (s *Setup) run(t *testing.T) {
	if s.Case.Problems != nil || s.Case.Count != 0 {
		s.checkProblem(t)
		return
	}
	if s.Problem != "" {
		t.Fatalf("configuration refused: %s", s.Problem)
	}
	if s.Case.Route != nil {
		s.checkRoute(t)
	}
	for i, e := range s.Case.Exchanges {
		heard := s.up.play(e.Upstream)
		got, err := s.exchange(e.Send, heard)
		if err != nil {
			t.Fatalf("exchange %d: %v", i, err)
		}
		checkAnswer(t, got, e.Want, s.fill)
		checkSighting(t, s, e.Saw)
		if t.Failed() {
			t.Fatalf("exchange %d", i)
		}
	}
}

func (s *Setup) exchange(r Request, heard func(string)) (reply, error) {
	if s.Client != nil {
		return r.through(s, heard)
	}
	return exchange(s.Address, s.ID, r, s.fill, heard)
}

func (s *Setup) checkProblem(t *testing.T) {
	if s.Problem == "" {
		t.Fatal("the configuration was not refused")
	}
	for _, text := range s.Case.Problems {
		if !strings.Contains(s.Problem, s.fill(text)) {
			t.Errorf("problem %q lacks %q", s.Problem, text)
		}
	}
	if n := s.Case.Count; n > 1 && !strings.Contains(s.Problem, fmt.Sprintf(": %d problems: ", n)) {
		t.Errorf("problem %q does not name %d", s.Problem, n)
	}
	if strings.Contains(s.Problem, s.secret) {
		t.Error("the problem holds the token")
	}
}

// checkRoute waits for the declaration and compares it.
func (s *Setup) checkRoute(t *testing.T) {
	t.Helper()
	var p put
	select {
	case p = <-s.puts:
	case <-time.After(patience):
		t.Fatal("nothing was declared")
	}
	subject := wire.Subject{Purpose: wire.PurposeDeclare, Method: p.request.Method, Path: p.request.URL.EscapedPath(), Body: p.body}
	proof, err := wire.Verify([]string{s.secret}, subject, p.request.Header.Get(wire.HeaderProof), time.Now())
	if err != nil {
		t.Fatalf("declaration: %v", err)
	}
	var route wire.Route
	if err := json.Unmarshal(p.body, &route); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(route.Name, s.ID) || p.request.URL.Path != "/api/routes/"+route.Name || proof.Route != route.Name {
		t.Errorf("declared %q at %s by %q", route.Name, p.request.URL.Path, proof.Route)
	}
	if proof.Fingerprint != route.Fingerprint() || proof.Since != route.Since || route.Since == 0 {
		t.Errorf("proof %+v does not fit the route", proof)
	}
	byName := map[string]any{"default": route.Default}
	for _, m := range route.Models {
		byName[m.Slot] = tree(t, m)
	}
	within(t, "route", byName, s.filled(s.Case.Route))
}
