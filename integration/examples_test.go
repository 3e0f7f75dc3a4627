package integration

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/hal0-dev/hal0/integration/bed"
	"github.com/hal0-dev/hal0/integration/compose"
)

// Every example says in its first line how it is checked.
func TestExamplesSayHowTheyAreChecked(t *testing.T) {
	words := regexp.MustCompile(`^# (Loaded by a real Traefik|Checked by|Schema only|Started)`)
	err := filepath.WalkDir(filepath.Join(bed.Root(), "examples"), func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasSuffix(path, ".json") || strings.HasSuffix(path, ".md") {
			return err
		}
		if text := readFile(t, path); !words.MatchString(text) {
			first, _, _ := strings.Cut(text, "\n")
			t.Errorf("%s begins with %q", path, first)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// example is the sidecar behind one, and what the test changes in its texts:
// addresses, and a model that is there.
type example struct {
	sidecar *bed.Sidecar
	traefik *bed.Traefik
	moved   *strings.Replacer
}

func newExample(t *testing.T, flags ...string) *example {
	t.Helper()
	bed.Tool(t, "llama-server")
	bed.Model(t, "count.gguf")
	e := &example{sidecar: bed.NewSidecar(t, "").Start(), traefik: bed.NewTraefik(t, flags...)}
	e.moved = strings.NewReplacer(
		"http://127.0.0.1:8090", e.sidecar.DataURL(), "http://127.0.0.1:8091", e.sidecar.ControlURL(),
		"http://hal0-sidecar:8090", e.sidecar.DataURL(), "http://hal0-sidecar:8091", e.sidecar.ControlURL(),
		"http://sidecar:8090", e.sidecar.DataURL(), "http://sidecar:8091", e.sidecar.ControlURL(),
		"/run/hal0/token", e.sidecar.TokenFile(), "hf:ggml-org/Qwen3-0.6B-GGUF:Q8_0", "count.gguf",
		`":8080"`, strconv.Quote(e.traefik.Web("127.0.0.1")))
	return e
}

// text is a file of the examples with the test's addresses.
func (e *example) text(t *testing.T, path string) string {
	t.Helper()
	return e.moved.Replace(readFile(t, filepath.Join(bed.Root(), "examples", path)))
}

func readFile(t testing.TB, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// wantServed waits for the route and asks for a stream.
func (e *example) wantServed(t *testing.T, header map[string]string) {
	t.Helper()
	ask := bed.Request{Addr: e.traefik.Web("127.0.0.1"), Host: "hal0.lan", Path: "/v1/models", Method: "GET", Header: header}
	bed.Until(t, "the route is there", 20*time.Second, func() bool {
		came, cancel := bed.Opening(t, ask)
		defer cancel()
		a := <-came
		return a != nil && a.Status == http.StatusOK
	})
	ask.Path, ask.Method, ask.Body = chatPath, "POST", chat("primary", true)
	if said := strings.TrimSpace(text(t, wantStream(t, bed.Open(t, ask)))); said != counted {
		t.Errorf("the stream says %q", said)
	}
}

// wantClean asks hal0 check about files.
func wantClean(t *testing.T, files ...string) {
	t.Helper()
	cmd := exec.Command(bed.Hal0(t), append([]string{"check"}, files...)...)
	cmd.Env = bed.Environment()
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("hal0 check %v: %v\n%s", files, err, out)
	}
}

func below(path string) string { return filepath.Join(bed.Root(), "examples", path) }

// says serves one text.
func says(t *testing.T, text string) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, text) }))
	t.Cleanup(s.Close)
	return s
}

// wantPage checks what a host serves outside the API.
func (e *example) wantPage(t *testing.T, host, path string, status int, has string) {
	t.Helper()
	a := bed.Open(t, bed.Request{Addr: e.traefik.Web("127.0.0.1"), Host: host, Path: path, Method: "GET"})
	if body := a.Body(); a.Status != status || !strings.Contains(body, has) {
		t.Errorf("%s%s: %d %s, want %d and %q", host, path, a.Status, body, status, has)
	}
}

func TestExampleFile(t *testing.T) {
	t.Parallel()
	e, certificates, secure := newExample(t), t.TempDir(), bed.Port(t)
	for _, line := range strings.Split(strings.TrimSpace(snippet(t, "sh", "openssl")), "\n") {
		cmd := exec.Command("sh", "-c", line)
		cmd.Dir = certificates
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", line, err, out)
		}
	}
	e.traefik.Write("tls.yml", strings.ReplaceAll(e.text(t, "file/dynamic/tls.yml"), "/etc/hal0", certificates))
	e.traefik.Write("hal0.yml", strings.ReplaceAll(e.text(t, "file/dynamic/hal0.yml"), "http://127.0.0.1:3000", says(t, "Open WebUI").URL))
	e.traefik.StartFile(strings.ReplaceAll(e.text(t, "file/traefik.yml"), `":8443"`, fmt.Sprintf(`"127.0.0.1:%d"`, secure)))
	e.wantServed(t, nil)
	c := bed.RunCurl(t, "--cacert", filepath.Join(certificates, "ca.pem"), "--resolve", fmt.Sprintf("hal0.lan:%d:127.0.0.1", secure), fmt.Sprintf("https://hal0.lan:%d/v1/models", secure))
	if said, code := c.Told(); said != "HTTP/2 200" || code != 0 {
		t.Errorf("over TLS curl says %q and ends with %d", said, code)
	}
	e.wantPage(t, "chat.hal0.lan", "/", 200, "Open WebUI")
	e.wantPage(t, "hal0.lan", "/", 200, "<html")
	e.wantPage(t, "hal0.lan", "/api/slots", 401, "invalid_api_key")
	wantClean(t, below("file/traefik.yml"), below("file/dynamic/hal0.yml"), below("file/dynamic/tls.yml"))
}

func TestExampleLabels(t *testing.T) {
	t.Parallel()
	const override = "docker-compose.override.yml"
	dir := t.TempDir()
	for name, from := range map[string]string{"docker-compose.yml": filepath.Join(bed.Root(), "docker-compose.yml"), override: below("labels/" + override)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(readFile(t, from)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	wantClean(t, filepath.Join(dir, "docker-compose.yml"), filepath.Join(dir, override))
	p, err := compose.Load(t.Context(), dir, nil, "docker-compose.yml", override)
	if err != nil {
		t.Fatal(err)
	}
	for _, problem := range compose.Check(p) {
		t.Error(problem)
	}
	e := newExample(t)
	sum := sha256.Sum256([]byte("sk-test"))
	hash := regexp.MustCompile(`laptop:sha256:[0-9a-f]{64}`)
	labels := map[string]string{}
	for key, value := range p.Services["traefik"].Labels {
		labels[key] = hash.ReplaceAllString(e.moved.Replace(value), "laptop:sha256:"+hex.EncodeToString(sum[:]))
	}
	e.traefik = bed.NewTraefik(t, "--providers.docker.exposedbydefault=false",
		"--providers.docker.endpoint=unix://"+bed.Docker(t, bed.Container{Name: "traefik", Labels: labels})).Start()
	key := map[string]string{"Authorization": "Bearer sk-test"}
	e.wantServed(t, key)
	wantRefused(t, bed.Open(t, bed.Request{Addr: e.traefik.Web("127.0.0.1"), Path: chatPath, Body: chat("coder", false)}), 401, "invalid_api_key")
	a := bed.Open(t, bed.Request{Addr: e.traefik.Web("127.0.0.1"), Path: "/v1/models", Method: "GET", Header: key})
	for _, name := range []string{"coder", "qwen2.5-coder:1.5b", "gpt-4.1-nano", "vectors", "text-embedding-3-small"} {
		if !strings.Contains(a.Body(), strconv.Quote(name)) {
			t.Errorf("/v1/models lacks %s: %s", name, a.Body())
		}
	}
}

func TestExampleKV(t *testing.T) {
	t.Parallel()
	redis := miniredis.RunT(t)
	e := newExample(t, "--providers.redis.endpoints="+redis.Addr())
	for _, line := range strings.Split(e.text(t, "kv/hal0.redis"), "\n") {
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		fields := strings.SplitN(line, " ", 3)
		if len(fields) != 3 || fields[0] != "SET" {
			t.Fatalf("not a SET of a key: %q", line)
		}
		if err := redis.Set(fields[1], strings.Trim(fields[2], `"`)); err != nil {
			t.Fatal(err)
		}
	}
	e.traefik.Start()
	e.wantServed(t, nil)
}

// The Traefik of somebody who has one: its other routes are served beside ours,
// and also when the plugin is not there.
func TestExampleExistingTraefik(t *testing.T) {
	t.Parallel()
	other := says(t, "other")
	static := "api: {insecure: true}\nproviders: {file: {directory: dynamic}}\nentryPoints: {web: {address: \":8080\"}, traefik: {address: \"%s\"}}\n"
	for name, module := range map[string]string{"with the plugin": "github.com/hal0-dev/hal0", "without": "github.com/hal0-dev/nowhere"} {
		t.Run(name, func(t *testing.T) {
			e := newExample(t)
			e.traefik.Write("other.yml", fmt.Sprintf("http: {routers: {other: {rule: \"Host(`hal0.lan`) || Host(`other.lan`)\", service: other}}, services: {other: {loadBalancer: {servers: [{url: %q}]}}}}\n", other.URL))
			e.traefik.Write("hal0.yml", e.text(t, "existing-traefik/hal0.yml"))
			text := e.moved.Replace(fmt.Sprintf(static, fmt.Sprintf("127.0.0.1:%d", bed.Port(t)))) + e.text(t, "existing-traefik/static.yml")
			e.traefik.StartFile(strings.ReplaceAll(text, "github.com/hal0-dev/hal0}", module+"}"))
			bed.Until(t, "the other route is there", 20*time.Second, func() bool {
				came, cancel := bed.Opening(t, bed.Request{Addr: e.traefik.Web("127.0.0.1"), Host: "other.lan", Path: "/", Method: "GET"})
				defer cancel()
				a := <-came
				return a != nil && a.Body() == "other"
			})
			if name == "with the plugin" {
				e.wantServed(t, nil)
			} else {
				wantRefused(t, bed.Open(t, bed.Request{Addr: e.traefik.Web("127.0.0.1"), Host: "hal0.lan", Path: chatPath, Body: chat("primary", true)}), 503, "route.misconfigured")
			}
			e.wantPage(t, "hal0.lan", "/", 200, "other")
		})
	}
	wantClean(t, below("existing-traefik/static.yml"), below("existing-traefik/hal0.yml"))
	wantClean(t, below("existing-traefik/sidecar.yml"))
	p, err := compose.Load(t.Context(), below("existing-traefik"), nil, "sidecar.yml")
	if err != nil {
		t.Fatal(err)
	}
	for _, problem := range compose.Check(p) {
		t.Error(problem)
	}
}
