package bed

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"
)

// Edge is a Traefik in front of a sidecar. Its routers are those of
// docker-compose.yml.
type Edge struct {
	*Traefik

	tls  int // port, HTTPS with HTTP/2
	ca   *Authority
	data string // URL of the service behind

	template string // of the dynamic configuration
}

// Middleware is the plugin's configuration as YAML, below "hal0:".
type Middleware string

// NewEdge starts Traefik in front of a sidecar. plugin is the YAML of the
// plugin's configuration without sidecar and tokenFile; the flags come after its
// own.
func NewEdge(t testing.TB, s *Sidecar, plugin Middleware, flags ...string) *Edge {
	t.Helper()
	text := fmt.Sprintf("sidecar: %s\ntokenFile: %s\n%s", s.ControlURL(), s.TokenFile(), plugin)
	e := PlainEdge(t, s.DataURL(), Middleware(text), flags...)
	e.Await("hal0")
	if s.Process != nil && s.running() {
		s.AwaitRoute("hal0@file") // the plugin tells it in the background
	}
	return e
}

// PlainEdge starts Traefik in front of any server, and waits for its API only.
// The flags come after its own.
func PlainEdge(t testing.TB, service string, plugin Middleware, flags ...string) *Edge {
	t.Helper()
	return startEdge(t, service, plugin, routers, flags)
}

// BareEdge starts Traefik in front of any server with one router and no
// middleware.
func BareEdge(t testing.TB, service string) *Edge {
	t.Helper()
	return startEdge(t, service, "", bare, nil)
}

func startEdge(t testing.TB, service string, plugin Middleware, template string, flags []string) *Edge {
	t.Helper()
	e := &Edge{tls: Port(t), data: service, ca: NewAuthority(t), template: template}
	e.Traefik = NewTraefik(t, append([]string{
		fmt.Sprintf("--entrypoints.websecure.address=127.0.0.1:%d", e.tls),
		"--entrypoints.websecure.http.tls=true",
		"--entrypoints.websecure.transport.lifecycle.gracetimeout=20s",
	}, flags...)...)
	e.Configure(plugin)
	e.Start()
	return e
}

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
	var indented strings.Builder
	for _, line := range strings.Split(strings.TrimRight(string(plugin), "\n"), "\n") {
		indented.WriteString("          " + line + "\n")
	}
	e.Write("hal0.yml", fmt.Sprintf(e.template, indented.String(), e.data, e.ca.CertFile, e.ca.KeyFile))
}

// Secure is host:port of the entry point with TLS for a host name.
func (e *Edge) Secure(host string) string { return net.JoinHostPort(host, strconv.Itoa(e.tls)) }

// CA is the file with the certificate that signed the edge's own.
func (e *Edge) CA() string { return e.ca.File }
