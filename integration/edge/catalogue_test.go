package edge

import (
	"crypto/tls"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hal0-dev/hal0/integration/bed"
	"golang.org/x/mod/module"
	"golang.org/x/mod/zip"
)

const (
	modulePath    = "github.com/hal0-dev/hal0"
	moduleVersion = "v0.1.0"
)

// source is a file of the module.
type source struct{ root, path string }

func (s source) Path() string                 { return filepath.ToSlash(s.path) }
func (s source) Lstat() (os.FileInfo, error)  { return os.Lstat(filepath.Join(s.root, s.path)) }
func (s source) Open() (io.ReadCloser, error) { return os.Open(filepath.Join(s.root, s.path)) }

// archive is the module as a zip, as the plugin catalogue hands it out: nested
// modules are not in it.
func archive(t *testing.T) []byte {
	t.Helper()
	root := bed.Root()
	var files []zip.File
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == root {
			return err
		}
		if d.IsDir() {
			_, nested := os.Stat(filepath.Join(path, "go.mod"))
			if name := d.Name(); nested == nil || name == ".git" || name == ".cache" {
				return filepath.SkipDir
			}
			return nil
		}
		rel, err := filepath.Rel(root, path)
		if d.Type().IsRegular() && rel != ".git" {
			files = append(files, source{root, rel})
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := zip.Create(&out, module.Version{Path: modulePath, Version: moduleVersion}, files); err != nil {
		t.Fatal(err)
	}
	return []byte(out.String())
}

// catalogue is a plugin catalogue that knows one module, behind a proxy that
// leads every name to it. It returns the proxy's address and the file with the
// authority that its certificates are from.
func catalogue(t *testing.T, content []byte) (proxy, authority string) {
	t.Helper()
	ca := bed.NewAuthority(t)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasSuffix(r.URL.Path, "/download/"+modulePath+"/"+moduleVersion):
			_, _ = w.Write(content)
		case strings.HasSuffix(r.URL.Path, "/validate/"+modulePath+"/"+moduleVersion):
		default:
			http.NotFound(w, r)
		}
	}))
	s.TLS = &tls.Config{GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) { return ca.Issue(t, hello.ServerName), nil }}
	s.StartTLS()
	t.Cleanup(s.Close)
	p := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { tunnel(t, w, s.Listener.Addr().String()) }))
	t.Cleanup(p.Close)
	return p.URL, ca.File
}

// tunnel answers CONNECT, wherever to.
func tunnel(t *testing.T, w http.ResponseWriter, to string) {
	server, err := net.Dial("tcp", to)
	if err != nil {
		t.Errorf("dial catalogue: %v", err)
		return
	}
	defer server.Close()
	client, buffered, err := w.(http.Hijacker).Hijack()
	if err != nil {
		t.Errorf("take connection: %v", err)
		return
	}
	defer client.Close()
	_, _ = io.WriteString(client, "HTTP/1.1 200 OK\r\n\r\n")
	done := make(chan struct{})
	go func() {
		_, _ = io.Copy(server, buffered)
		server.Close()
		close(done)
	}()
	_, _ = io.Copy(client, server) // until either has closed
	client.Close()
	<-done
}

// The module works as a plugin from the catalogue: a real Traefik fetches it and
// serves a route with it. Without a catalogue in reach Traefik does not load such
// a plugin, even where it has the archive: offline is for local plugins.
func TestPluginFromTheCatalogue(t *testing.T) {
	t.Parallel()
	bed.Tool(t, "traefik")
	proxy, authority := catalogue(t, archive(t))
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"slot":%q}`, r.Header.Get("X-Hal0-Slot"))
	}))
	t.Cleanup(upstream.Close)
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("hal0_"+strings.Repeat("A", 43)), 0o600); err != nil {
		t.Fatal(err)
	}
	f := bed.NewTraefik(t, "--experimental.plugins.catalogue.modulename="+modulePath, "--experimental.plugins.catalogue.version="+moduleVersion)
	f.Env("HTTPS_PROXY=" + proxy).Env("SSL_CERT_FILE=" + authority)
	f.Write("hal0.yml", fmt.Sprintf(`
http:
  routers: {hal0: {rule: "PathPrefix(`+"`/v1/`"+`)", middlewares: [hal0], service: hal0}}
  middlewares: {hal0: {plugin: {catalogue: {tokenFile: %q, models: {primary: {engine: demo}}}}}}
  services: {hal0: {loadBalancer: {servers: [{url: %q}]}}}
`, token, upstream.URL))
	f.Start()
	f.Await("hal0")
	a := bed.Open(t, bed.Request{Addr: f.Web("127.0.0.1"), Path: "/v1/chat/completions", Body: `{"model":"primary"}`})
	if body := a.Body(); a.Status != 200 || body != `{"slot":"primary"}` {
		t.Errorf("%d %s", a.Status, body)
	}
	refused := bed.Open(t, bed.Request{Addr: f.Web("127.0.0.1"), Path: "/v1/chat/completions", Body: `{"model":"nobody"}`})
	if e := bed.ErrorIn(refused.Body()); e.Code != "model_not_found" {
		t.Errorf("%d %+v", refused.Status, e)
	}
}
