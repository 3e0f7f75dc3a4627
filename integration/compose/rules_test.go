package compose

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/hal0-dev/hal0/integration/bed"
	"github.com/hal0-dev/hal0/plugin"
	"github.com/hal0-dev/hal0/plugin/decode"
)

const file = "docker-compose.yml"

// The file that people start, with no variable set: it loads, keeps the rules,
// and its labels are a configuration that the plugin accepts.
func TestComposeFile(t *testing.T) {
	p, err := Load(t.Context(), bed.Root(), nil, file)
	if err != nil {
		t.Fatal(err)
	}
	for _, problem := range Check(p) {
		t.Error(problem)
	}
	wantRoute(t, p.Services["traefik"].Labels)
	for _, name := range p.ServiceNames() {
		s := p.Services[name]
		if name != "traefik" && !guest(s) && len(s.Labels) > 0 {
			t.Errorf("labels stand on %s: its restart would take the routes away", name)
		}
	}
}

// Each flavour changes the sidecar's image and devices, and keeps the rules.
func TestFlavours(t *testing.T) {
	plain, err := Load(t.Context(), bed.Root(), nil, file)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range Flavours() {
		t.Run(name, func(t *testing.T) {
			p, err := Load(t.Context(), bed.Root(), []string{"RENDER_GID=109"}, file, "examples/"+name+".yml")
			if err != nil {
				t.Fatal(err)
			}
			for _, problem := range Check(p) {
				t.Error(problem)
			}
			wantRoute(t, p.Services["traefik"].Labels)
			was, is := plain.Services["sidecar"], p.Services["sidecar"]
			if is.Image == was.Image || is.Image != p.Services["socket-proxy"].Image {
				t.Errorf("the sidecar's image is %s, the socket proxy's %s", is.Image, p.Services["socket-proxy"].Image)
			}
			if len(is.Devices) == 0 && is.Deploy == nil {
				t.Error("the sidecar is given no device")
			}
		})
	}
}

// Without Docker's socket nothing is left of it.
func TestNoSocket(t *testing.T) {
	p, err := Load(t.Context(), bed.Root(), nil, file, "examples/no-socket/override.yml")
	if err != nil {
		t.Fatal(err)
	}
	for _, problem := range Check(p) {
		t.Error(problem)
	}
	if text, err := p.MarshalYAML(); err != nil || strings.Contains(string(text), "socket-proxy") || strings.Contains(string(text), "docker.sock") {
		t.Errorf("the socket is still there: %v\n%s", err, text)
	}
}

// One build of llama.cpp is named wherever one is.
func TestOneBuildOfLlama(t *testing.T) {
	named := regexp.MustCompile(`llama\.cpp:server-\S*?(b[0-9]+)`)
	builds := map[string][]string{}
	files, err := filepath.Glob(filepath.Join(bed.Root(), "examples/*.yml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range append(files, filepath.Join(bed.Root(), file), filepath.Join(bed.Root(), ".env.example"), filepath.Join(bed.Root(), "sidecar/Dockerfile")) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range named.FindAllStringSubmatch(string(text), -1) {
			builds[m[1]] = append(builds[m[1]], path)
		}
	}
	if len(builds) != 1 {
		t.Errorf("several builds: %v", builds)
	}
}

// wantRoute checks the labels as Traefik and the plugin would.
func wantRoute(t *testing.T, labels map[string]string) {
	t.Helper()
	instances, err := decode.Labels(labels, "hal0")
	if err != nil || len(instances) != 1 {
		t.Fatalf("labels hold %d configurations of the plugin, want 1: %v", len(instances), err)
	}
	config, err := decode.Config(instances["hal0"])
	if err != nil {
		t.Fatal(err)
	}
	r, err := plugin.Declaration(config, "hal0@docker", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Models) == 0 || r.Default == "" {
		t.Errorf("the route serves %+v", r)
	}
	if got := labels["traefik.http.routers.hal0.middlewares"]; got != "hal0,hal0-retry" {
		t.Errorf("the router has the chain %q", got)
	}
	fallback, err := os.ReadFile(filepath.Join(bed.Root(), "fallback.yml"))
	if err != nil {
		t.Fatal(err)
	}
	if rule := labels["traefik.http.routers.hal0.rule"]; rule == "" || !strings.Contains(string(fallback), "rule: \""+rule+"\"\n") {
		t.Errorf("fallback.yml lacks the labels' rule %s", rule)
	}
}

// What the files say can be changed without touching them is in .env.example,
// and the other way round.
func TestEnvironmentFile(t *testing.T) {
	example, err := os.ReadFile(filepath.Join(bed.Root(), ".env.example"))
	if err != nil {
		t.Fatal(err)
	}
	used := map[string]string{}
	files := []string{file}
	for _, name := range Flavours() {
		files = append(files, "examples/"+name+".yml")
	}
	variable := regexp.MustCompile(`\$\{([A-Z0-9_]+):([-?])([^}]*)`)
	for _, path := range files {
		text, err := os.ReadFile(filepath.Join(bed.Root(), path))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range variable.FindAllStringSubmatch(string(text), -1) {
			fallback := m[3]
			if m[2] == "?" {
				fallback = ""
			}
			if _, known := used[m[1]]; !known {
				used[m[1]] = fallback
			}
		}
	}
	for name, fallback := range used {
		if !strings.Contains(string(example), "\n#"+name+"="+fallback+"\n") {
			t.Errorf(".env.example lacks #%s=%s", name, fallback)
		}
	}
	for _, line := range strings.Split(string(example), "\n") {
		name, _, ok := strings.Cut(strings.TrimPrefix(line, "#"), "=")
		if _, known := used[name]; ok && !strings.Contains(name, " ") && !strings.HasPrefix(name, "COMPOSE_") && !known {
			t.Errorf(".env.example has %s, which nothing uses", name)
		}
	}
}

// Each rule finds the defect that it is for.
func TestRulesFind(t *testing.T) {
	base, err := os.ReadFile(filepath.Join(bed.Root(), file))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ rule, old, new string }{
		"no tag":             {"pins", "traefik:v3.7.9", "traefik"},
		"latest":             {"pins", "traefik:v3.7.9", "traefik:latest"},
		"base without tag":   {"pins", "llama.cpp:server-b10868", "llama.cpp:server"},
		"nobody's health":    {"health", "    healthcheck:\n      test: [CMD, hal0, healthcheck, \"--url", "    x-off:\n      test: [CMD, hal0, healthcheck, \"--url"},
		"no check":           {"checks", "    healthcheck:\n      test: [CMD, hal0, healthcheck]", "    x-off:\n      test: [CMD, hal0, healthcheck]"},
		"curl":               {"checks", "[CMD, hal0, healthcheck]", "[CMD, curl, localhost]"},
		"bad word":           {"restart", "unless-stopped", "unless-stoped"},
		"capabilities":       {"privileges", "cap_drop: [ALL]", "cap_drop: [NET_RAW]"},
		"privileged":         {"privileges", "init: true", "init: true\n  privileged: true"},
		"root of a guest":    {"privileges", "user: \"0:0\" # whose", "cap_add: [SETUID]\n    user: \"0:0\" # whose"},
		"root":               {"users", "user: \"65532:65532\"\n    working_dir", "user: root\n    working_dir"},
		"socket in Traefik":  {"socket", "      - ./plugin:", "      - /var/run/docker.sock:/var/run/docker.sock:ro\n      - ./plugin:"},
		"port of a sidecar":  {"ports", "    tmpfs: [/tmp]", "    ports: [\"127.0.0.1:8091:8091\"]"},
		"port anywhere":      {"ports", "${HAL0_BIND:-0.0.0.0}:", ""},
		"log without an end": {"logs", "options: {max-size: 10m, max-file: \"3\"}", "options: {}"},
	} {
		t.Run(name, func(t *testing.T) {
			text := strings.Replace(string(base), c.old, c.new, 1)
			if text == string(base) {
				t.Fatalf("the file has no %q", c.old)
			}
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
			p, err := Load(t.Context(), dir, nil, file)
			if err != nil {
				t.Fatal(err)
			}
			for _, problem := range Check(p) {
				if !strings.HasPrefix(problem, c.rule+": ") {
					continue
				}
				t.Log(problem)
				return
			}
			t.Errorf("rule %s found nothing", c.rule)
		})
	}
}
