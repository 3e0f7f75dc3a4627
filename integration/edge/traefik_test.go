package edge

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hal0-dev/hal0/integration/bed"
	"github.com/hal0-dev/hal0/plugin/casetest"
)

// real runs the plugin in a real Traefik: one process, one router per setup,
// labels through the Docker provider, files through the file provider and pairs
// through Consul's.
type real struct {
	flags  []string
	client *http.Client // nil = raw HTTP/1.1
	secure bool
}

func (real) Name() string { return "traefik" }

func (w real) Open(t *testing.T, setups []*casetest.Setup) {
	var containers []bed.Container
	store, files := map[string]string{}, map[string]string{}
	for _, s := range setups {
		switch s.Config.Form {
		case "labels":
			s.Provider = "docker"
			containers = append(containers, bed.Container{Name: s.ID, Labels: routed(s)})
		case "yaml", "toml":
			s.Provider = "file"
			files[s.ID+"."+s.Config.Form], files[s.ID+"-router.yml"] = s.Config.Text, router(s)
		case "kv":
			s.Provider = "consul"
			pairs(s, store)
		}
	}
	traefik := bed.NewTraefik(t, append([]string{
		"--providers.docker.endpoint=unix://" + bed.Docker(t, containers...), "--providers.docker.exposedbydefault=false",
		"--providers.consul.endpoints=" + consul(t, store), "--providers.consul.rootkey=traefik",
	}, w.flags...)...)
	for name, text := range files {
		traefik.Write(name, text)
	}
	traefik.Start()
	problems := awaitRouters(t, traefik, len(setups))
	for _, s := range setups {
		s.Address, s.Client, s.Secure = traefik.Web("127.0.0.1"), w.client, w.secure
		s.Problem = problems[s.ID+"@"+s.Provider]
	}
}

// rule gives a setup the requests that name it.
func rule(s *casetest.Setup) string {
	return "Header(`" + casetest.IDHeader + "`, `" + s.ID + "`)"
}

func routed(s *casetest.Setup) map[string]string {
	labels := map[string]string{
		"traefik.enable":                                             "true",
		"traefik.http.routers." + s.ID + ".rule":                     rule(s),
		"traefik.http.routers." + s.ID + ".entrypoints":              "web",
		"traefik.http.routers." + s.ID + ".middlewares":              s.ID,
		"traefik.http.routers." + s.ID + ".service":                  s.ID,
		"traefik.http.services." + s.ID + ".loadbalancer.server.url": "http://" + s.Upstream,
	}
	for key, value := range s.Config.Pairs {
		labels[key] = value
	}
	return labels
}

func router(s *casetest.Setup) string {
	return fmt.Sprintf(`http:
  routers:
    %[1]s: {rule: %[2]q, entryPoints: [web], middlewares: [%[1]s], service: %[1]s}
  services:
    %[1]s: {loadBalancer: {servers: [{url: "http://%[3]s"}]}}
`, s.ID, rule(s), s.Upstream)
}

// awaitRouters waits until Traefik knows all routers, and returns what it says
// is wrong with those that do not work.
func awaitRouters(t *testing.T, traefik *bed.Traefik, want int) map[string]string {
	t.Helper()
	var problems map[string]string
	bed.Until(t, fmt.Sprintf("%d routers", want), 2*time.Minute, func() bool {
		problems = map[string]string{}
		for name, r := range traefik.Routers() {
			if strings.HasPrefix(name, "case-") {
				problems[name] = strings.Join(r.Error, "; ")
			}
		}
		return len(problems) >= want
	})
	return problems
}

// TestCasesInTraefik runs the plugin's cases in a real Traefik.
func TestCasesInTraefik(t *testing.T) {
	bed.Tool(t, "traefik")
	cases, err := casetest.Load("../../plugin/testdata/cases/*.json")
	if err != nil {
		t.Fatal(err)
	}
	casetest.Run(t, cases, real{})
}
