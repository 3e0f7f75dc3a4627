package hostile

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hal0-dev/hal0/integration/bed"
)

// Config is what somebody writes into labels who may, and means harm with it.
type Config struct {
	Name string `json:"name"`
	Why  string `json:"why,omitempty"`
	// Lines are the plugin's configuration as YAML; texts may hold {{control}},
	// {{token}} (the file), {{private}} and {{secret}} (of the case alone). Those
	// that do not say otherwise name the sidecar and its token file.
	Lines []string `json:"lines"`
	// Refused are texts of the message with which the plugin refuses it; clients
	// then get route.misconfigured from the fallback router.
	Refused []string `json:"refused,omitempty"`
	// Ask is the body of a request, and Want its answer.
	Ask  string `json:"ask,omitempty"`
	Want Answer `json:"want"`
	// Loads is a slot that is asked to start, and fails before it has a process.
	Loads string `json:"loads,omitempty"`
	// Private is what the private server must see: only what a sidecar at that
	// address would.
	Private []string `json:"private,omitempty"`
}

// secret is in configurations that give one away; nothing may repeat it.
const secret = "sk-given-away-in-a-label"

func (c Config) id(i int) string { return fmt.Sprintf("case-%d", i) }

// file is the dynamic file with the case's routers.
func (c Config) file(s *scene, i int) string {
	known := strings.Join(c.Lines, "\n")
	lines := c.Lines
	for key, value := range map[string]string{"sidecar": "http://{{control}}", "tokenFile": "{{token}}"} {
		if !strings.HasPrefix(known, key+":") && !strings.Contains(known, "\n"+key+":") {
			lines = append([]string{key + ": " + value}, lines...)
		}
	}
	plugin := strings.NewReplacer("{{control}}", s.addr("control"), "{{token}}", s.sidecar.TokenFile(),
		"{{private}}", strings.TrimPrefix(s.private.URL, "http://"), "{{secret}}", secret).Replace("          " + strings.Join(lines, "\n          "))
	return fmt.Sprintf(`
http:
  routers:
    %[1]s: {rule: "Host(`+"`%[1]s.lan`"+`)", priority: 300, entryPoints: [web], middlewares: [%[1]s], service: sidecar@file}
    %[1]s-fallback: {rule: "Host(`+"`%[1]s.lan`"+`)", priority: 299, entryPoints: [web], service: sidecar@file}
  middlewares:
    %[1]s:
      plugin:
        hal0:
%[2]s
`, c.id(i), plugin)
}

// Bar 6: configurations of whoever means harm, each as a route of its own in one
// Traefik. None reaches an engine, a secret or another route.
func TestBar6HostileConfigurations(t *testing.T) {
	t.Parallel()
	cases, err := load[Config]("testdata/configurations.json")
	if err != nil {
		t.Fatal(err)
	}
	s := newScene(t, func(s *scene) map[string]string {
		files := map[string]string{}
		for i, c := range cases {
			files[c.id(i)+".yml"] = c.file(s, i)
		}
		return files
	})
	fill := s.fill()
	for i, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			s.wantRouter(t, c, i)
			if c.Want.Status != 0 {
				got := s.send(t, Attack{Lines: []string{"POST /v1/chat/completions HTTP/1.1", "Host: " + c.id(i) + ".lan", "Content-Length: {{length}}", "Connection: close"}, Body: c.Ask}, fill)
				if len(got) != 1 || got[0] != c.Want {
					t.Errorf("answers %v, want %v", got, c.Want)
				}
			}
			if c.Loads != "" {
				s.awake = fmt.Sprint([]string{c.Loads})
			}
			s.asleep(t)
		})
	}
	s.wantPrivate(t, cases)
	if now := s.listed(t); !strings.Contains(now, `"main@file"`) {
		t.Errorf("the good route is gone: %s", now)
	}
	for what, text := range map[string]string{"Traefik's log": s.traefik.Log(), "the sidecar's log": s.sidecar.Log(), "the list of routes": s.listed(t)} {
		s.kept(t, what, text)
		if strings.Contains(text, secret) || strings.Contains(text, "root:x:") {
			t.Errorf("%s repeats what it must not", what)
		}
	}
	bed.Figure(t, "%d hostile configurations", len(cases))
	good := Attack{Lines: []string{"POST /v1/chat/completions HTTP/1.1", "Host: hal0.lan", "Authorization: Bearer {{key}}", "Content-Length: {{length}}", "Connection: close"},
		Body: `{"model":"primary","messages":[{"role":"user","content":"Count to five."}]}`}
	if got := s.send(t, good, fill); len(got) != 1 || got[0].Status != 200 {
		t.Errorf("a good request is answered with %v", got)
	}
}

// wantRouter waits until Traefik has made up its mind about a case's router, and
// checks what it says.
func (s *scene) wantRouter(t *testing.T, c Config, i int) {
	t.Helper()
	var r bed.Router
	bed.Until(t, "router of "+c.Name, 20*time.Second, func() bool { r = s.traefik.Router(c.id(i)); return r.Status != "" })
	said := strings.Join(r.Error, " ")
	for _, text := range c.Refused {
		if !strings.Contains(said, text) {
			t.Errorf("Traefik says %q, want %q in it", said, text)
		}
	}
	if (r.Status == "disabled") != (c.Refused != nil) {
		t.Errorf("router is %s: %s", r.Status, said)
	}
	if strings.Contains(said, secret) {
		t.Errorf("Traefik's API repeats a secret: %s", said)
	}
}

// wantPrivate waits until the private server has seen what it must, and checks
// that it has seen nothing else.
func (s *scene) wantPrivate(t *testing.T, cases []Config) {
	t.Helper()
	wanted := map[string]bool{}
	for i, c := range cases {
		for _, line := range c.Private {
			wanted[strings.ReplaceAll(line, "{{id}}", c.id(i))] = true
		}
	}
	seen := map[string]bool{}
	bed.Until(t, "what the private server must see", 20*time.Second, func() bool {
		for _, line := range s.private.take() {
			seen[line] = true
			s.kept(t, "what the private server got", line)
		}
		return len(seen) >= len(wanted)
	})
	for line := range seen {
		if !wanted[line] {
			t.Errorf("the private server saw %s", line)
		}
	}
}
