package integration

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hal0-dev/hal0/integration/bed"
	"github.com/hal0-dev/hal0/integration/compose"
)

// docker-compose.yml without Docker: the flags and labels that stand there, a
// real Traefik, the real socket proxy and sidecar, and a Docker API that knows
// of one container, Traefik's own. Only addresses differ.
func TestComposeServicesTogether(t *testing.T) {
	traefik := bed.Tool(t, "traefik")
	bed.Tool(t, "llama-server")
	bed.Model(t, "count.gguf")
	p, err := compose.Load(t.Context(), bed.Root(), []string{"HAL0_MODEL=count.gguf"}, "docker-compose.yml")
	if err != nil {
		t.Fatal(err)
	}
	sidecar := bed.NewSidecar(t, "").Start()
	web, admin, socket := bed.Port(t), bed.Port(t), bed.Port(t)
	moved := strings.NewReplacer(
		"http://sidecar:8090", sidecar.DataURL(), "http://sidecar:8091", sidecar.ControlURL(),
		"/run/hal0/token", sidecar.TokenFile(), "tcp://socket-proxy:2375", fmt.Sprintf("tcp://127.0.0.1:%d", socket),
		"web.address=:8080", fmt.Sprintf("web.address=127.0.0.1:%d", web),
		"traefik.address=:8082", fmt.Sprintf("traefik.address=127.0.0.1:%d", admin),
		"--listen=:2375", fmt.Sprintf("--listen=127.0.0.1:%d", socket),
	)
	routes, err := os.ReadFile(filepath.Join(bed.Root(), "fallback.yml"))
	if err != nil {
		t.Fatal(err)
	}
	fallback := filepath.Join(t.TempDir(), "fallback.yml")
	if err := os.WriteFile(fallback, []byte(moved.Replace(string(routes))), 0o644); err != nil {
		t.Fatal(err)
	}
	labels := map[string]string{"com.docker.compose.project": "hal0", "com.docker.compose.service": "traefik"}
	for key, value := range p.Services["traefik"].Labels {
		labels[key] = moved.Replace(value)
	}
	daemon := bed.Docker(t, bed.Container{Name: "hal0-traefik-1", Health: "starting", Labels: labels})

	proxy := exec.Command(bed.Hal0(t), append(words(moved, p.Services["socket-proxy"].Command), "--socket="+daemon)...)
	proxy.Env = bed.Environment()
	bed.Start(t, "socket-proxy", proxy)
	bed.Until(t, "the socket proxy is healthy", 10*time.Second, func() bool {
		return exec.Command(bed.Hal0(t), "healthcheck", fmt.Sprintf("--url=http://127.0.0.1:%d", socket)).Run() == nil
	})

	flags := strings.NewReplacer("/etc/hal0/fallback.yml", fallback)
	edge := exec.Command(traefik, words(flags, words(moved, p.Services["traefik"].Command))...)
	edge.Dir = bed.PluginFolder(t)
	edge.Env = bed.Environment()
	bed.Start(t, "traefik", edge)
	check := p.Services["traefik"].HealthCheck.Test[2:] // CMD traefik …
	bed.Until(t, "Traefik is healthy", 20*time.Second, func() bool {
		return exec.Command(traefik, words(moved, check)...).Run() == nil
	})

	addr := fmt.Sprintf("127.0.0.1:%d", web)
	bed.Until(t, "the route is there", 10*time.Second, func() bool {
		status, _ := bed.Get(t, "http://"+addr+"/v1/models")
		return status == http.StatusOK
	})
	body := wantStream(t, bed.Open(t, bed.Request{Addr: addr, Host: "hal0.lan", Path: chatPath, Body: chat("primary", true)}))
	if said := strings.TrimSpace(text(t, body)); said != counted {
		t.Errorf("the stream says %q", said)
	}
	// The proxy lets nothing else through.
	resp, err := http.Post(fmt.Sprintf("http://127.0.0.1:%d/containers/create", socket), "application/json", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusForbidden {
		t.Errorf("the socket proxy answers %d to a create", resp.StatusCode)
	}
}

func words(r *strings.Replacer, list []string) []string {
	var out []string
	for _, w := range list {
		out = append(out, r.Replace(w))
	}
	return out
}
