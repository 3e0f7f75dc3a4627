package socket

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"
)

func TestAllowed(t *testing.T) {
	for _, c := range []struct {
		method, path string
		want         bool
	}{
		{"HEAD", "/_ping", true},
		{"GET", "/v1.54/version", true},
		{"GET", "/v1.41/events", true},
		{"GET", "/v1.41/containers/json", true},
		{"GET", "/containers/0a1b2c/json", true},
		{"GET", "/v1.54/containers/my_app.1/json", true},
		{"POST", "/v1.41/containers/json", false},
		{"POST", "/v1.41/containers/create", false},
		{"POST", "/v1.41/containers/x/stop", false},
		{"DELETE", "/v1.41/containers/x", false},
		{"GET", "/v1.41/containers/x/logs", false},
		{"GET", "/v1.41/containers/x/archive", false},
		{"GET", "/v1.41/images/json", false},
		{"GET", "/v1.41/info", false},
		{"GET", "/v1.41/secrets", false},
		{"GET", "/containers/../secrets/json", false},
		{"GET", "/containers/x%2f..%2fjson/json", false},
		{"GET", "//containers/json", false},
		{"GET", "/v1.41/containers/json/", false},
		{"OPTIONS", "/version", false},
	} {
		if got := Allowed(c.method, c.path); got != c.want {
			t.Errorf("Allowed(%s %s) = %v, want %v", c.method, c.path, got, c.want)
		}
	}
}

func TestProxy(t *testing.T) {
	path := filepath.Join(t.TempDir(), "docker.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	var asked []string
	docker := &httptest.Server{Listener: l, Config: &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Method+" "+r.URL.String())
		io.WriteString(w, `{"Id":"x","Config":{"Env":["SECRET=hunter2"],"Labels":{"a":"b"}}}`)
	})}}
	docker.Start()
	defer docker.Close()
	front := httptest.NewServer(Proxy(path, hclog.NewNullLogger()))
	defer front.Close()
	get := func(path string) (int, string) {
		r, err := front.Client().Get(front.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		return r.StatusCode, string(b)
	}
	if status, body := get("/v1.41/containers/x/json"); status != 200 || strings.Contains(body, "hunter2") || !strings.Contains(body, `"Labels":{"a":"b"}`) {
		t.Errorf("inspect: %d %s, want the labels and no environment", status, body)
	}
	if status, body := get("/v1.41/containers/json?all=1"); status != 200 || !strings.Contains(body, "hunter2") {
		t.Errorf("list: %d %s, want it as it is", status, body)
	}
	if status, _ := get("/v1.41/info"); status != 403 {
		t.Errorf("info: %d, want 403", status)
	}
	if want := "GET /v1.41/containers/x/json,GET /v1.41/containers/json?all=1"; strings.Join(asked, ",") != want {
		t.Errorf("docker was asked %q, want %q", strings.Join(asked, ","), want)
	}
}

func TestDockerAway(t *testing.T) {
	front := httptest.NewServer(Proxy(filepath.Join(t.TempDir(), "none.sock"), hclog.NewNullLogger()))
	defer front.Close()
	r, err := front.Client().Get(front.URL + "/version")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if r.StatusCode != http.StatusBadGateway {
		t.Errorf("status %d, want 502", r.StatusCode)
	}
}
