package integration

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hal0-dev/hal0/integration/bed"
	"github.com/hal0-dev/hal0/integration/compose"
	"github.com/hal0-dev/hal0/integration/docker"
)

// quickly is what the tests add to docker-compose.yml: a model that streams at a
// reader's pace, and health checks each second, because an engine before 25
// knows no start_interval and would look at them every ten.
const quickly = `
services:
  traefik:
    labels:
      traefik.http.middlewares.hal0.plugin.hal0.models.slow.model: slow.gguf
      traefik.http.middlewares.hal0.plugin.hal0.models.slow.context: "2048"
      traefik.http.middlewares.hal0.plugin.hal0.models.slow.parallel: "2"
    healthcheck: {interval: 1s}
  sidecar:
    healthcheck: {interval: 1s}
  socket-proxy:
    healthcheck: {interval: 1s}
`

var services = []string{"sidecar", "socket-proxy", "traefik"}

// box is the repository's docker-compose.yml, up on a real engine. Its images
// are stand-ins with the real programs; the sidecar's own is built by its
// Dockerfile.
type box struct {
	t testing.TB
	e *docker.Engine
	*docker.Project
	env, files []string
}

func newBox(t testing.TB) *box {
	t.Helper()
	e := docker.Start(t)
	extra := filepath.Join(t.TempDir(), "quickly.yml")
	if err := os.WriteFile(extra, []byte(quickly), 0o644); err != nil {
		t.Fatal(err)
	}
	e.Import("stand-in:traefik", docker.Traefik(t))
	e.Import("stand-in:llama", e.Llama("count.gguf", "slow.gguf"))
	e.Import("stand-in:go", e.Compiler(bed.Hal0(t)))
	e.Build("hal0:local", "--build-arg", "GO_IMAGE=stand-in:go", "--build-arg", "LLAMA_IMAGE=stand-in:llama")
	env := []string{"TRAEFIK_IMAGE=stand-in:traefik", "HAL0_MODEL=count.gguf"}
	b := &box{t: t, e: e, env: env, files: []string{"docker-compose.yml", extra}}
	b.Project = e.Project(env, b.files...)
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(b.Compose("logs", "--no-color", "--timestamps"))
		}
	})
	return b
}

func (b *box) request(model string, more ...string) bed.Request {
	return bed.Request{Addr: "127.0.0.1:8080", Host: "hal0.lan", Path: chatPath, Body: chat(model, true, more...), Dial: b.e.Dial}
}

// models asks for the list of models: its status, 0 where nobody answers.
func (b *box) models() int {
	b.t.Helper()
	r := b.request("")
	r.Method, r.Path, r.Body = http.MethodGet, "/v1/models", ""
	answer, cancel := bed.Opening(b.t, r)
	defer cancel()
	if s := <-answer; s != nil {
		return s.Status
	}
	return 0
}

// back waits until the route serves again, and returns the answers until then,
// each followed by another one.
func (b *box) back() []int {
	b.t.Helper()
	var seen []int
	bed.Until(b.t, "the route is back", time.Minute, func() bool {
		status := b.models()
		if len(seen) == 0 || seen[len(seen)-1] != status {
			seen = append(seen, status)
		}
		return status == http.StatusOK
	})
	return seen
}

func (b *box) wantCounted() {
	b.t.Helper()
	if said := strings.TrimSpace(text(b.t, wantStream(b.t, bed.Open(b.t, b.request("primary"))))); said != counted {
		b.t.Errorf("the stream says %q", said)
	}
}

// Issue 6, bars 1 to 4 and 6.
func TestIssue6OnAnEngine(t *testing.T) {
	b := newBox(t)
	began := time.Now()
	b.Compose("up", "--detach", "--wait")
	bed.Figure(t, "docker compose up --wait: %v", time.Since(began).Round(time.Second))
	t.Run("bar 1", b.first)
	t.Run("bar 2", b.killed)
	t.Run("bar 3", b.moved)
	t.Run("bar 4", b.flavoured)
	t.Run("bar 6", b.built)
}

// The readme's curl, cold, under the LAN's name.
func (b *box) first(t *testing.T) {
	b.t = t
	line := strings.ReplaceAll(snippet(t, "sh", "curl"), "curl http://localhost:8080", "curl -sS --resolve hal0.lan:8080:127.0.0.1 http://hal0.lan:8080")
	out := b.e.Inside("sh", "-c", line)
	if said := strings.TrimSpace(text(t, out)); said != counted || !strings.HasSuffix(out, "data: [DONE]") {
		t.Errorf("curl printed %q", out)
	}
	for path, status := range map[string]int{"/": http.StatusOK, "/api/slots": http.StatusUnauthorized} {
		page := bed.Open(t, bed.Request{Addr: "127.0.0.1:8080", Host: "hal0.lan", Method: http.MethodGet, Path: path, Dial: b.e.Dial})
		if page.Status != status {
			t.Errorf("the dashboard's %s: %d %s", path, page.Status, page.Body())
		}
	}
}

// Every container's process 1 is killed, with two streams open: each client gets
// one ending, and the service is back without a hand.
func (b *box) killed(t *testing.T) {
	b.t = t
	for service, c := range map[string]struct {
		tokens int
		ending func(*bed.Stream)
	}{
		"sidecar": {1000, func(s *bed.Stream) { wantBroken(t, s, "sidecar.lost", "stream.truncated") }},
		"traefik": {1000, func(s *bed.Stream) {
			if body := s.Body(); s.Clean() || strings.Contains(body, "[DONE]") || strings.Contains(body, `"error"`) {
				t.Errorf("clean %v: %q", s.Clean(), tail(body))
			}
		}},
		"socket-proxy": {8, func(s *bed.Stream) { wantStream(t, s) }},
	} {
		t.Run(service, func(t *testing.T) {
			streams := bed.OpenAll(t, b.request("slow", fmt.Sprintf(`"max_tokens":%d,"seed":1`, c.tokens)), b.request("slow", fmt.Sprintf(`"max_tokens":%d,"seed":2`, c.tokens)))
			frames(t, streams[0], 3)
			b.Kill(service)
			began := time.Now()
			seen := b.back()
			bed.Figure(t, "kill -9 of %s: back after %v, answers until then %v", service, time.Since(began).Round(10*time.Millisecond), seen)
			for _, s := range streams {
				c.ending(s)
			}
			// Traefik answers 404 from the moment in which it accepts connections to that in which
			// it has its first configuration; no flag of it changes that.
			if at := slices.Index(seen, http.StatusNotFound); at >= 0 && (service != "traefik" || at != slices.IndexFunc(seen, func(s int) bool { return s > 0 })) ||
				slices.Contains(seen[at+1:], http.StatusNotFound) {
				t.Errorf("the route was away: %v", seen)
			}
			b.wantCounted()
		})
	}
}

// A restart, a stop, and a new set of containers: nothing is left running, and
// what the volumes hold is still there.
func (b *box) moved(t *testing.T) {
	b.t = t
	learned := b.e.Volume("hal0_state", "learned.json")
	if len(learned) == 0 {
		t.Error("no boot times were learned")
	}
	for _, step := range [][]string{{"restart", "sidecar"}, {"stop"}, {"up", "--detach", "--wait"}, {"down"}, {"up", "--detach", "--wait"}} {
		b.Compose(step...)
		if step[0] == "stop" || step[0] == "down" {
			if left := b.e.Running(); len(left) > 0 {
				t.Errorf("%v left %v", step, left)
			}
			if step[0] == "stop" {
				b.kept(t)
			}
			continue
		}
		b.back()
		b.wantCounted()
	}
}

// kept copies what the sidecar keeps and puts it back, as examples/operations.md
// says.
func (b *box) kept(t *testing.T) {
	was := b.e.Volume("hal0_state", "learned.json")
	tar := []string{"run", "--rm", "--no-deps", "-T", "--entrypoint", "tar", "sidecar", "-C", "/state"}
	all := b.Compose(append(tar, "-c", ".")...)
	b.e.Empty("hal0_state")
	b.Fed(strings.NewReader(all), append(tar, "-x")...)
	if is := b.e.Volume("hal0_state", "learned.json"); string(is) != string(was) {
		t.Errorf("the copy says %s, want %s", is, was)
	}
}

// Each flavour starts, and its sidecar has the devices that it asks for, though
// they are pretended.
func (b *box) flavoured(t *testing.T) {
	b.t = t
	t.Run("no-socket", func(t *testing.T) {
		b.t = t
		b.e.Project(b.env, append(b.files, "examples/no-socket/override.yml")...).Compose("up", "--detach", "--wait", "--remove-orphans")
		b.wantCounted()
	})
	for _, name := range compose.Flavours() {
		t.Run(name, func(t *testing.T) {
			b.t = t
			b.e.Docker("tag", "hal0:local", "hal0-"+name+":local")
			p := b.e.Project(append(b.env, "RENDER_GID=109"), append(b.files, "examples/"+name+".yml")...)
			start := []string{"up", "--detach", "--wait"}
			if !bed.Long() {
				start = append(start, "sidecar") // what is there goes on
			}
			p.Compose(start...)
			given := b.e.Docker("inspect", "--format", "{{.HostConfig.Devices}} {{.HostConfig.DeviceRequests}}", p.Compose("ps", "--quiet", "sidecar"))
			if want := map[bool]string{true: "gpu", false: "/dev/dri"}[name == "cuda"]; !strings.Contains(given, want) {
				t.Errorf("the sidecar has %s, want %s", given, want)
			}
			if name != "intel" { // whose model names a device that is not there
				b.back()
				b.wantCounted()
			}
		})
	}
}

// The Dockerfile's image is for this processor; in the long form for each, with
// the binary that it would compile, and what it adds to the engine's image is
// reported.
func (b *box) built(t *testing.T) {
	if got := b.e.Docker("inspect", "--format", "{{.Architecture}}", "hal0:local"); got != runtime.GOARCH {
		t.Errorf("the image is for %s", got)
	}
	if !bed.Long() {
		return
	}
	for _, arch := range []string{"amd64", "arm64"} {
		b.e.Import("stand-in:go", b.e.Compiler(bed.Stripped(t, arch)))
		b.e.Build("hal0:"+arch, "--platform", "linux/"+arch, "--build-arg", "GO_IMAGE=stand-in:go", "--build-arg", "LLAMA_IMAGE=scratch")
		if got := b.e.Docker("inspect", "--format", "{{.Architecture}}", "hal0:"+arch); got != arch {
			t.Errorf("the image is for %s, want %s", got, arch)
		}
		bed.Figure(t, "%s: our layers have %s bytes", arch, b.e.Docker("inspect", "--format", "{{.Size}}", "hal0:"+arch))
	}
}
