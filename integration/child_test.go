package integration

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hal0-dev/hal0/integration/bed"
)

// children are routers that the plugin's headers choose among.
const children = `
http:
  routers:
    api: {rule: "Host(` + "`hal0.lan`) && PathPrefix(`/v1/`" + `)", middlewares: [hal0]}
    small: {rule: "Header(` + "`X-Hal0-Slot`, `small`" + `)", parentRefs: [api], service: small}
    big: {rule: "Header(` + "`X-Hal0-Node`, `attic`" + `)", parentRefs: [api], service: big}
    rest: {rule: "PathPrefix(` + "`/`" + `)", priority: 1, parentRefs: [api], service: rest}
  middlewares:
    hal0:
      plugin:
        hal0:
          tokenFile: %s
          models:
            small: {engine: demo, aliases: "qwen3:0.6b"}
            big: {engine: demo, node: attic}
            other: {engine: demo}
  services:
    small: {loadBalancer: {servers: [{url: "%s"}]}}
    big: {loadBalancer: {servers: [{url: "%s"}]}}
    rest: {loadBalancer: {servers: [{url: "%s"}]}}
`

// The model that a request names chooses the child router, and so the box; what
// a client says in the headers' stead does not.
func TestChildRouters(t *testing.T) {
	t.Parallel()
	bed.Tool(t, "traefik")
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("hal0_"+strings.Repeat("A", 43)), 0o600); err != nil {
		t.Fatal(err)
	}
	box := func(name string) string {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				t.Errorf("read request: %v", err)
			}
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprintf(w, `{"box":%q,"got":%s}`, name, body)
		}))
		t.Cleanup(s.Close)
		return s.URL
	}
	f := bed.NewTraefik(t)
	f.Write("children.yml", fmt.Sprintf(children, token, box("small"), box("big"), box("rest")))
	f.Start()
	f.Await("rest")
	for model, want := range map[string]string{"small": "small", "qwen3:0.6b": "small", "big": "big", "other": "rest"} {
		asked := chat(model, false)
		a := bed.Open(t, bed.Request{Addr: f.Web("127.0.0.1"), Host: "hal0.lan", Path: chatPath, Body: asked,
			Header: map[string]string{"X-Hal0-Slot": "small", "X-Hal0-Node": "attic"}})
		if body := a.Body(); a.Status != 200 || body != fmt.Sprintf(`{"box":%q,"got":%s}`, want, asked) {
			t.Errorf("%s: %d %s, want box %s", model, a.Status, body, want)
		}
	}
}
