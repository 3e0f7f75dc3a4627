package edge

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hal0-dev/hal0/integration/bed"
	"github.com/hal0-dev/hal0/plugin/casetest"
)

// real runs the plugin in a real Traefik: one process, one router per setup,
// labels through the Docker provider, files through the file provider and pairs
// through Consul's.
type real struct{}

func (real) Name() string { return "traefik" }

func (real) Open(t *testing.T, setups []*casetest.Setup) {
	web, api := bed.Port(t), bed.Port(t)
	dir := bed.PluginFolder(t)
	files := filepath.Join(dir, "dynamic")
	if err := os.Mkdir(files, 0o755); err != nil {
		t.Fatal(err)
	}
	var containers []bed.Container
	store := map[string]string{}
	for _, s := range setups {
		s.Address = fmt.Sprintf("127.0.0.1:%d", web)
		switch s.Config.Form {
		case "labels":
			s.Provider = "docker"
			containers = append(containers, bed.Container{Name: s.ID, Labels: routed(s)})
		case "yaml", "toml":
			s.Provider = "file"
			write(t, filepath.Join(files, s.ID+"."+s.Config.Form), s.Config.Text)
			write(t, filepath.Join(files, s.ID+"-router.yml"), router(s))
		case "kv":
			s.Provider = "consul"
			pairs(s, store)
		}
	}
	cmd := exec.Command(bed.Tool(t, "traefik"),
		"--global.checknewversion=false", "--log.level=INFO", "--api.insecure=true",
		fmt.Sprintf("--entrypoints.traefik.address=127.0.0.1:%d", api),
		fmt.Sprintf("--entrypoints.web.address=127.0.0.1:%d", web),
		"--providers.docker.endpoint=unix://"+bed.Docker(t, containers...), "--providers.docker.exposedbydefault=false",
		"--providers.file.directory="+files,
		"--providers.consul.endpoints="+consul(t, store), "--providers.consul.rootkey=traefik",
		"--experimental.localplugins.hal0.modulename=github.com/hal0-dev/hal0", "--experimental.abortonpluginfailure=true",
	)
	cmd.Dir, cmd.Env = dir, bed.Environment()
	bed.Start(t, "traefik", cmd)
	problems := awaitRouters(t, fmt.Sprintf("http://127.0.0.1:%d/api/http/routers?per_page=10000", api), len(setups))
	for _, s := range setups {
		s.Problem = problems[s.ID+"@"+s.Provider]
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
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
func awaitRouters(t *testing.T, api string, want int) map[string]string {
	t.Helper()
	var problems map[string]string
	bed.Until(t, fmt.Sprintf("%d routers", want), 2*time.Minute, func() bool {
		status, body := bed.Get(t, api)
		if status != 200 {
			return false
		}
		var routers []struct {
			Name  string
			Error []string
		}
		if err := json.Unmarshal([]byte(body), &routers); err != nil {
			t.Fatalf("read Traefik's API: %v", err)
		}
		problems = map[string]string{}
		known := 0
		for _, r := range routers {
			if strings.HasPrefix(r.Name, "case-") {
				known++
				problems[r.Name] = strings.Join(r.Error, "; ")
			}
		}
		return known >= want
	})
	return problems
}

// TestCasesInTraefik runs the plugin's cases in a real Traefik.
func TestCasesInTraefik(t *testing.T) {
	bed.Tool(t, "traefik")
	cases, err := casetest.Load("../../plugin/testdata/cases")
	if err != nil {
		t.Fatal(err)
	}
	casetest.Run(t, cases, real{})
}
