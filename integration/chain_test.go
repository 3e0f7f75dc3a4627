package integration

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hal0-dev/hal0/integration/bed"
)

// chains are routers whose middlewares stand in the order that examples/readme.md
// says.
const chains = `
http:
  routers:
    user: {rule: "Host(` + "`user.lan`" + `)", middlewares: [auth, hal0, hal0-retry], service: hal0}
    often: {rule: "Host(` + "`often.lan`" + `)", middlewares: [hal0, rate, hal0-retry], service: hal0}
    near: {rule: "Host(` + "`near.lan`" + `)", middlewares: [hal0, addresses, hal0-retry], service: hal0}
  middlewares:
    auth: {forwardAuth: {address: "%[1]s", authResponseHeaders: [X-Auth-User]}}
    rate: {rateLimit: {average: 1, period: 1h, burst: 1}}
    addresses: {ipAllowList: {sourceRange: ["192.0.2.0/24"]}}
    hal0-retry: {retry: {attempts: 40, initialInterval: 250ms}}
    hal0:
      plugin:
        hal0:
          sidecar: %[2]s
          tokenFile: %[3]s
          scopeHeader: X-Auth-User
          models:
            demo: {engine: demo, memory: 64MiB, parallel: "16", coalesce: always}
            never: {engine: demo, memory: 64MiB}
  services:
    hal0: {loadBalancer: {servers: [{url: "%[4]s"}]}}
`

// logged are the fields of the access log that examples/readme.md names.
var logged = []string{
	"--accesslog=true", "--accesslog.format=json", "--accesslog.fields.headers.defaultmode=drop",
	"--accesslog.fields.headers.names.X-Request-Id=keep", "--accesslog.fields.headers.names.X-Hal0-Slot=keep",
	"--accesslog.fields.headers.names.X-Hal0-Flight=keep", "--accesslog.fields.headers.names.X-Hal0-Wait-Ms=keep",
}

// Traefik's own middlewares before and after the plugin.
func TestMiddlewareOrder(t *testing.T) {
	t.Parallel()
	bed.Tool(t, "traefik")
	s := bed.NewSidecar(t, "").Start()
	auth := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if !ok {
			http.Error(w, "who are you?", http.StatusUnauthorized)
			return
		}
		w.Header().Set("X-Auth-User", user)
	}))
	t.Cleanup(auth.Close)
	f := bed.NewTraefik(t, logged...)
	f.Write("chains.yml", fmt.Sprintf(chains, auth.URL, s.ControlURL(), s.TokenFile(), s.DataURL()))
	f.Start()
	f.Await("near")
	s.AwaitRoute("hal0@file")
	ask := func(host, model, user string, delay int) bed.Request {
		return bed.Request{Addr: f.Web("127.0.0.1"), Host: host, Path: chatPath, Header: map[string]string{"Authorization": user},
			Body: chat(model, true, knobs(fmt.Sprintf(`"delay_ms":%d,"tokens_per_second":0`, delay)))}
	}

	t.Run("forwardAuth says who may share", func(t *testing.T) {
		const together = 2000 // ms until the first token: all three are there by then
		spoofed := ask("user.lan", "demo", "Bearer bob", together)
		spoofed.Header["X-Auth-User"] = "ann"
		var flights []string
		for _, a := range bed.OpenAll(t, ask("user.lan", "demo", "Bearer ann", together), ask("user.lan", "demo", "Bearer ann", together), spoofed) {
			wantStream(t, a)
			flights = append(flights, a.Header.Get("X-Hal0-Flight"))
		}
		if bob := flights[2]; bob != "lead" || slices.Equal(flights[:2], []string{"lead", "lead"}) {
			t.Errorf("ann, ann and bob: %v", flights)
		}
		if a := bed.Open(t, ask("user.lan", "never", "", 0)); a.Status != http.StatusUnauthorized || strings.TrimSpace(a.Body()) != "who are you?" {
			t.Errorf("%d %s", a.Status, a.Body())
		}
	})
	t.Run("rateLimit is answered with a code", func(t *testing.T) {
		wantStream(t, bed.Open(t, ask("often.lan", "demo", "", 0)))
		a := bed.Open(t, ask("often.lan", "never", "", 0))
		wantRefused(t, a, http.StatusTooManyRequests, "request.rate_limited")
		if after := a.Header.Get("Retry-After"); len(after) < 3 { // of the hour that the limit is for
			t.Errorf("Retry-After %q is not the limit's own", after)
		}
	})
	t.Run("ipAllowList is answered with a code", func(t *testing.T) {
		wantRefused(t, bed.Open(t, ask("near.lan", "never", "", 0)), http.StatusForbidden, "request.forbidden")
	})
	if slot := s.Slot("never"); slot.Incarnation != 0 {
		t.Errorf("a refused request started its slot: %+v", slot)
	}
	t.Run("access log", func(t *testing.T) {
		r := ask("user.lan", "demo", "Bearer ann", 0)
		r.Header["X-Request-Id"] = "logged-1"
		wantStream(t, bed.Open(t, r))
		var entry map[string]any
		bed.Until(t, "the request is in the log", 10*time.Second, func() bool {
			entry = logEntry(t, f, "logged-1")
			return entry != nil
		})
		for field, want := range map[string]any{"request_X-Hal0-Slot": "demo", "downstream_X-Hal0-Slot": "demo", "downstream_X-Request-Id": "logged-1", "downstream_X-Hal0-Flight": "lead", "RouterName": "user@file", "DownstreamStatus": 200.0} {
			if entry[field] != want {
				t.Errorf("%s is %v, want %v", field, entry[field], want)
			}
		}
		for field := range entry {
			if strings.HasSuffix(field, "_Authorization") || field == "request_X-Hal0" {
				t.Errorf("the log has %s", field)
			}
		}
	})
}

// logEntry is the line of Traefik's access log about a request, nil = none yet.
func logEntry(t testing.TB, f *bed.Traefik, id string) map[string]any {
	t.Helper()
	for _, line := range strings.Split(f.Log(), "\n") {
		if !strings.Contains(line, `"request_X-Request-Id":"`+id+`"`) || !strings.HasSuffix(line, "}") {
			continue
		}
		entry := map[string]any{}
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Fatalf("read access log: %v", err)
		}
		return entry
	}
	return nil
}
