package integration

import (
	"encoding/base64"
	"fmt"
	"net"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/hal0-dev/hal0/integration/bed"
)

// Bar 6: what is wrong is said where it is wrong, with a code.
func TestBar6Refusals(t *testing.T) {
	s, e := stack(t)
	addr := e.Web("127.0.0.1")
	t.Run("bad JSON", func(t *testing.T) {
		wantRefused(t, bed.Open(t, bed.Request{Addr: addr, Path: chatPath, Body: `{"model":`}), 400, "request.invalid_json")
	})
	t.Run("unknown model", func(t *testing.T) {
		e := wantRefused(t, bed.Open(t, bed.Request{Addr: addr, Path: chatPath, Body: chat("nope", true)}), 404, "model_not_found")
		if !strings.Contains(e.Message, "nope") {
			t.Errorf("the message does not name the model: %q", e.Message)
		}
	})
	t.Run("unknown path", func(t *testing.T) {
		wantRefused(t, bed.Open(t, bed.Request{Addr: addr, Path: "/v1/nope", Body: "{}"}), 404, "route.unknown")
	})
	t.Run("wrong method", func(t *testing.T) {
		got := bed.Open(t, bed.Request{Addr: addr, Path: chatPath, Method: "GET"})
		wantRefused(t, got, 405, "request.method")
		if got.Header.Get("Allow") != "POST" {
			t.Errorf("Allow %q", got.Header.Get("Allow"))
		}
	})
	t.Run("disguised path", func(t *testing.T) {
		wantRefused(t, bed.Open(t, bed.Request{Addr: addr, Path: "/v1/..%2fapi/slots", Method: "GET"}), 400, "request.path")
	})
	t.Run("forged proof through Traefik is removed", func(t *testing.T) {
		got := bed.Open(t, bed.Request{Addr: addr, Path: chatPath, Body: chat("primary", true),
			Header: map[string]string{"X-Hal0": forged(), "X-Hal0-Slot": "big"}})
		if text(t, wantStream(t, got)) == "" || s.Slot("big").State != "offline" {
			t.Error("a client's own X-Hal0 had an effect")
		}
	})
	t.Run("forged proof at the sidecar", func(t *testing.T) {
		wantRefused(t, bed.Open(t, bed.Request{Addr: strings.TrimPrefix(s.DataURL(), "http://"), Path: chatPath, Body: chat("primary", true),
			Header: map[string]string{"X-Hal0": forged()}}), 403, "route.untrusted")
	})
	t.Run("proof of another version", func(t *testing.T) {
		wantRefused(t, bed.Open(t, bed.Request{Addr: strings.TrimPrefix(s.DataURL(), "http://"), Path: chatPath, Body: chat("primary", true),
			Header: map[string]string{"X-Hal0": "v9.e30.AAAA"}}), 426, "wire.version")
	})
	t.Run("models", func(t *testing.T) {
		status, list := bed.Get(t, "http://"+addr+"/v1/models")
		for _, name := range []string{`"primary"`, `"gpt-4o-mini"`, `"slow"`, `"big"`} {
			if status != 200 || !strings.Contains(list, name) {
				t.Errorf("/v1/models: %d, no %s: %s", status, name, list)
			}
		}
		if status, one := bed.Get(t, "http://"+addr+"/v1/models/gpt-4o-mini"); status != 200 || !strings.Contains(one, `"gpt-4o-mini"`) {
			t.Errorf("/v1/models/gpt-4o-mini: %d %s", status, one)
		}
	})
}

func forged() string {
	payload := base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, `{"t":%d,"route":"hal0@file","slot":"big"}`, time.Now().UnixMilli()))
	return "v1." + payload + "." + base64.RawURLEncoding.EncodeToString(make([]byte, 32))
}

// Bar 6: a model that cannot be loaded fails at once and for good.
func TestBar6BadModelPath(t *testing.T) {
	bed.Tool(t, "llama-server")
	bed.Tool(t, "traefik")
	e := bed.NewEdge(t, bed.NewSidecar(t, "").Start(), `
models:
  missing: {model: missing.gguf}
  outside: {model: ../../../../../../../../etc/passwd}
  longer: {model: count.gguf, context: "32768"} # than the 16384 that the model was made for
`)
	for slot, code := range map[string]string{"missing": "slot.load_failed", "longer": "slot.load_failed", "outside": "slot.not_allowed"} {
		began := time.Now()
		got := bed.Open(t, bed.Request{Addr: e.Web("127.0.0.1"), Path: chatPath, Body: chat(slot, true)})
		e := wantRefused(t, got, map[string]int{"missing": 502, "longer": 502, "outside": 403}[slot], code)
		within(t, "refusal of "+slot, time.Since(began), 10*time.Second)
		if got.Header.Get("X-Should-Retry") != "false" || e.Details["retryable"] != false {
			t.Errorf("%s: x-should-retry %q, details %v", slot, got.Header.Get("X-Should-Retry"), e.Details)
		}
		if strings.Contains(e.Message, bed.Cache()) {
			t.Errorf("%s: the message tells a path of this box: %q", slot, e.Message)
		}
	}
}

// Bar 6: labels that make no sense: Traefik's log says why, its API too, and
// clients get a coded answer from the fallback router.
func TestBar6BadLabel(t *testing.T) {
	bed.Tool(t, "traefik")
	s := bed.NewSidecar(t, "").Start()
	e := bed.PlainEdge(t, s.DataURL(), bed.Middleware("sidecar: "+s.ControlURL()+"\ntokenFile: "+s.TokenFile()+`
models:
  primary: {model: count.gguf, unloadAftr: 15m, parallel: many}
`))
	var r bed.Router
	bed.Until(t, "Traefik has read its configuration", 20*time.Second, func() bool { r = e.Router("hal0"); return r.Status != "" })
	if said := strings.Join(r.Error, " "); r.Status != "disabled" || !strings.Contains(said, "unloadAftr") || !strings.Contains(said, "parallel") {
		t.Errorf("router %+v: want disabled, naming both problems", r)
	}
	wantRefused(t, bed.Open(t, bed.Request{Addr: e.Web("127.0.0.1"), Host: "hal0.lan", Path: chatPath, Body: chat("primary", true)}), 503, "route.misconfigured")
}

// Bar 6: a port that is taken ends the start with a sentence.
func TestBar6BusyPort(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, flag := range []string{"--listen.data=", "--listen.control="} {
		args := []string{"serve", "--state=" + t.TempDir(), "--listen.data=127.0.0.1:0", "--listen.control=127.0.0.1:0", flag + l.Addr().String()}
		cmd := exec.Command(bed.Hal0(t), args...)
		cmd.Env = bed.Environment()
		p := bed.Start(t, "sidecar", cmd)
		if code := p.Wait(10 * time.Second); code != 1 || !strings.Contains(p.Log(), l.Addr().String()) || !strings.Contains(p.Log(), "in use") {
			t.Errorf("%s: exit code %d, it said: %s", flag, code, p.Log())
		}
	}
}
