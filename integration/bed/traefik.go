package bed

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// Traefik is a real Traefik with the plugin from this repository, interpreted,
// and whatever dynamic configuration a test writes for its file provider.
type Traefik struct {
	*Process // nil before Start

	t     testing.TB
	dir   string
	web   int // port of the entry point web
	api   int // port of Traefik's own API
	flags []string
	env   []string
}

// NewTraefik makes the folder of a Traefik. The flags come after those that all
// have, and so replace them.
func NewTraefik(t testing.TB, flags ...string) *Traefik {
	t.Helper()
	f := &Traefik{t: t, dir: PluginFolder(t), web: Port(t), api: Port(t), flags: flags}
	if err := os.MkdirAll(f.dynamic(), 0o755); err != nil {
		t.Fatal(err)
	}
	return f
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

func (f *Traefik) dynamic() string { return filepath.Join(f.dir, "dynamic") }

// Env adds a variable to Traefik's environment, from the next start on.
func (f *Traefik) Env(entry string) *Traefik {
	f.env = append(f.env, entry)
	return f
}

// Write puts a file of dynamic configuration in its place at once; a Traefik
// that runs picks it up by itself.
func (f *Traefik) Write(name, text string) {
	f.t.Helper()
	tmp := filepath.Join(f.dir, name+".tmp")
	if err := os.WriteFile(tmp, []byte(text), 0o644); err != nil {
		f.t.Fatal(err)
	}
	if err := os.Rename(tmp, filepath.Join(f.dynamic(), name)); err != nil {
		f.t.Fatal(err)
	}
}

// Start starts it and waits until its API answers, which is before its routers
// are there.
func (f *Traefik) Start() *Traefik {
	f.t.Helper()
	f.launch(append([]string{
		"--global.checknewversion=false", "--global.sendanonymoususage=false",
		"--log.level=INFO", "--api.insecure=true",
		fmt.Sprintf("--entrypoints.traefik.address=127.0.0.1:%d", f.api),
		fmt.Sprintf("--entrypoints.web.address=127.0.0.1:%d", f.web),
		"--entrypoints.web.transport.lifecycle.gracetimeout=20s",
		"--providers.file.directory=" + f.dynamic(),
		"--experimental.localplugins.hal0.modulename=github.com/hal0-dev/hal0",
		"--experimental.abortonpluginfailure=true",
	}, f.flags...)...)
	Until(f.t, "Traefik answers", 30*time.Second, func() bool {
		if !f.running() {
			f.t.Fatalf("Traefik ended:\n%s", f.Tail())
		}
		status, _ := Get(f.t, f.apiURL("/api/version"))
		return status == 200
	})
	return f
}

// StartFile starts it with a static configuration instead of the flags; Traefik
// takes the one or the other. It waits for nothing.
func (f *Traefik) StartFile(static string) *Traefik {
	f.t.Helper()
	path := filepath.Join(f.dir, "traefik.yml")
	if err := os.WriteFile(path, []byte(static), 0o644); err != nil {
		f.t.Fatal(err)
	}
	f.launch("--configfile=" + path)
	return f
}

func (f *Traefik) launch(args ...string) {
	f.t.Helper()
	cmd := exec.Command(Tool(f.t, "traefik"), args...)
	cmd.Dir, cmd.Env = f.dir, append(Environment(), f.env...)
	f.Process = Start(f.t, "traefik", cmd)
}

// Router is what Traefik's API says about a router.
type Router struct {
	Name   string   `json:"name"`   // with its provider: hal0@docker
	Status string   `json:"status"` // enabled, warning, disabled
	Error  []string `json:"error"`
}

// Router asks Traefik about a router of the file provider; the zero Router means
// that there is none.
func (f *Traefik) Router(name string) Router {
	f.t.Helper()
	return f.Routers()[name+"@file"]
}

// Routers are all of them, by name and provider.
func (f *Traefik) Routers() map[string]Router {
	f.t.Helper()
	all := map[string]Router{}
	status, body := Get(f.t, f.apiURL("/api/http/routers?per_page=10000"))
	if status != 200 {
		return all
	}
	var list []Router
	if err := json.Unmarshal([]byte(body), &list); err != nil {
		f.t.Fatalf("read Traefik's API: %v", err)
	}
	for _, r := range list {
		all[r.Name] = r
	}
	return all
}

// Await waits until a router works.
func (f *Traefik) Await(name string) {
	f.t.Helper()
	Until(f.t, "router "+name, 20*time.Second, func() bool {
		r := f.Router(name)
		if r.Status == "disabled" {
			f.t.Fatalf("Traefik disabled router %s: %v\n%s", name, r.Error, f.Tail())
		}
		return r.Status == "enabled"
	})
}

// Metrics are Traefik's own, where it was told to have any.
func (f *Traefik) Metrics() string {
	f.t.Helper()
	_, text := Get(f.t, f.apiURL("/metrics"))
	return text
}

func (f *Traefik) apiURL(path string) string {
	return fmt.Sprintf("http://127.0.0.1:%d%s", f.api, path)
}

// Web is host:port of the entry point web for a host name.
func (f *Traefik) Web(host string) string { return net.JoinHostPort(host, strconv.Itoa(f.web)) }
