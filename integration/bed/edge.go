package bed

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Edge is a real Traefik with the plugin from this repository, interpreted,
// and a file provider. Its routers are those of docker-compose.yml.
type Edge struct {
	*Process

	t    testing.TB
	dir  string
	web  int // port, HTTP
	tls  int // port, HTTPS with HTTP/2
	api  int // port of Traefik's own API
	ca   *Authority
	data string // URL of the service behind

	template string // of the dynamic configuration
}

// Middleware is the plugin's configuration as YAML, below "hal0:".
type Middleware string

// NewEdge starts Traefik in front of a sidecar. plugin is the YAML of the
// plugin's configuration without sidecar and tokenFile.
func NewEdge(t testing.TB, s *Sidecar, plugin Middleware) *Edge {
	t.Helper()
	text := fmt.Sprintf("sidecar: %s\ntokenFile: %s\n%s", s.ControlURL(), s.TokenFile(), plugin)
	e := PlainEdge(t, s.DataURL(), Middleware(text))
	e.Await("hal0")
	if s.Process != nil && s.running() {
		s.AwaitRoute("hal0@file") // the plugin tells it in the background
	}
	return e
}

// PlainEdge starts Traefik in front of any server, and waits for its API only.
func PlainEdge(t testing.TB, service string, plugin Middleware) *Edge {
	t.Helper()
	return startEdge(t, service, plugin, routers)
}

func startEdge(t testing.TB, service string, plugin Middleware, template string) *Edge {
	t.Helper()
	e := &Edge{t: t, dir: PluginFolder(t), web: Port(t), tls: Port(t), api: Port(t), data: service, ca: NewAuthority(t), template: template}
	e.Configure(plugin)
	cmd := exec.Command(Tool(t, "traefik"), e.flags()...)
	cmd.Dir = e.dir
	cmd.Env = Environment()
	e.Process = Start(t, "traefik", cmd)
	Until(t, "Traefik answers", 30*time.Second, func() bool {
		if !e.running() {
			t.Fatalf("Traefik ended:\n%s", e.Tail())
		}
		status, _ := Get(t, e.apiURL("/api/version"))
		return status == 200
	})
	return e
}

// BareEdge starts Traefik in front of any server with one router and no
// middleware.
func BareEdge(t testing.TB, service string) *Edge {
	t.Helper()
	return startEdge(t, service, "", bare)
}

// PluginFolder is a folder to run Traefik in: it finds this repository there as
// a local plugin.
func PluginFolder(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	at := filepath.Join(dir, "plugins-local", "src", "github.com", "hal0-dev")
	if err := os.MkdirAll(at, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(Root(), filepath.Join(at, "hal0")); err != nil {
		t.Fatal(err)
	}
	return dir
}

func (e *Edge) flags() []string {
	return []string{
		"--global.checknewversion=false", "--global.sendanonymoususage=false",
		"--log.level=INFO", "--api.insecure=true",
		fmt.Sprintf("--entrypoints.traefik.address=127.0.0.1:%d", e.api),
		fmt.Sprintf("--entrypoints.web.address=127.0.0.1:%d", e.web),
		fmt.Sprintf("--entrypoints.websecure.address=127.0.0.1:%d", e.tls),
		"--entrypoints.websecure.http.tls=true",
		"--entrypoints.web.transport.lifecycle.gracetimeout=20s",
		"--entrypoints.websecure.transport.lifecycle.gracetimeout=20s",
		"--providers.file.directory=" + e.dynamic(),
		"--experimental.localplugins.hal0.modulename=github.com/hal0-dev/hal0",
		"--experimental.abortonpluginfailure=true",
	}
}

func (e *Edge) dynamic() string { return filepath.Join(e.dir, "dynamic") }

const routers = `
http:
  routers:
    hal0:
      rule: "(Host(` + "`hal0.lan`) || Host(`localhost`) || Host(`127.0.0.1`)) && PathPrefix(`/v1/`)" + `"
      entryPoints: [web, websecure]
      middlewares: [hal0, hal0-retry]
      service: hal0
    hal0-fallback:
      rule: "(Host(` + "`hal0.lan`) || Host(`localhost`) || Host(`127.0.0.1`)) && PathPrefix(`/v1/`)" + `"
      priority: 1
      entryPoints: [web, websecure]
      service: hal0
  middlewares:
    hal0-retry:
      retry: {attempts: 40, initialInterval: 250ms}
    hal0:
      plugin:
        hal0:
%s
  services:
    hal0:
      loadBalancer:
        servers: [{url: "%s"}]
tls:
  stores:
    default:
      defaultCertificate: {certFile: "%s", keyFile: "%s"}
`

// bare is routers without the plugin and all that goes with it.
const bare = `
http:
  routers:
    bare:
      rule: "PathPrefix(` + "`/`" + `)"
      entryPoints: [web, websecure]
      service: bare
%s
  services:
    bare:
      loadBalancer:
        servers: [{url: "%s"}]
tls:
  stores:
    default:
      defaultCertificate: {certFile: "%s", keyFile: "%s"}
`

// Configure writes Traefik's dynamic configuration, which it picks up by
// itself when it runs already.
func (e *Edge) Configure(plugin Middleware) {
	e.t.Helper()
	var indented strings.Builder
	for _, line := range strings.Split(strings.TrimRight(string(plugin), "\n"), "\n") {
		indented.WriteString("          " + line + "\n")
	}
	text := fmt.Sprintf(e.template, indented.String(), e.data, e.ca.CertFile, e.ca.KeyFile)
	if err := os.MkdirAll(e.dynamic(), 0o755); err != nil {
		e.t.Fatal(err)
	}
	tmp := filepath.Join(e.dir, "hal0.tmp")
	if err := os.WriteFile(tmp, []byte(text), 0o644); err != nil {
		e.t.Fatal(err)
	}
	if err := os.Rename(tmp, filepath.Join(e.dynamic(), "hal0.yml")); err != nil {
		e.t.Fatal(err)
	}
}

// Router is what Traefik's API says about a router.
type Router struct {
	Status string   `json:"status"` // enabled, warning, disabled
	Error  []string `json:"error"`
}

// Router asks Traefik about a router of the file provider.
func (e *Edge) Router(name string) Router {
	e.t.Helper()
	var r Router
	status, body := Get(e.t, e.apiURL("/api/http/routers/"+name+"@file"))
	if status == 200 {
		if err := json.Unmarshal([]byte(body), &r); err != nil {
			e.t.Fatalf("read Traefik's API: %v", err)
		}
	}
	return r
}

// Await waits until a router works.
func (e *Edge) Await(name string) {
	e.t.Helper()
	Until(e.t, "router "+name, 20*time.Second, func() bool {
		r := e.Router(name)
		if r.Status == "disabled" {
			e.t.Fatalf("Traefik disabled router %s: %v\n%s", name, r.Error, e.Tail())
		}
		return r.Status == "enabled"
	})
}

func (e *Edge) apiURL(path string) string {
	return fmt.Sprintf("http://127.0.0.1:%d%s", e.api, path)
}

// Web is host:port of the entry point for a host name.
func (e *Edge) Web(host string) string { return net.JoinHostPort(host, strconv.Itoa(e.web)) }

// Secure is the same with TLS.
func (e *Edge) Secure(host string) string { return net.JoinHostPort(host, strconv.Itoa(e.tls)) }

// CA is the file with the certificate that signed the edge's own.
func (e *Edge) CA() string { return e.ca.File }
