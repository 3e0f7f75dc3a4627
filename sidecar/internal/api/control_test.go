package api

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hal0-dev/hal0/plugin/wire"
	"github.com/hal0-dev/hal0/sidecar/internal/device"
	"github.com/hal0-dev/hal0/sidecar/internal/hub"
	"github.com/hal0-dev/hal0/sidecar/internal/route"
	"github.com/hal0-dev/hal0/sidecar/internal/slot"
	"github.com/hashicorp/go-hclog"
)

// fakeSlots is a pool with one slot.
type fakeSlots struct {
	snap    slot.Snapshot
	changes chan slot.Snapshot
}

func (f *fakeSlots) Snapshot() []slot.Snapshot             { return []slot.Snapshot{f.snap} }
func (f *fakeSlots) Load(context.Context, string) error    { return nil }
func (f *fakeSlots) Unload(context.Context, string) error  { return nil }
func (f *fakeSlots) Restart(context.Context, string) error { return nil }
func (f *fakeSlots) Watch() (<-chan slot.Snapshot, func()) { return f.changes, func() {} }
func (f *fakeSlots) Accounts() []device.Account            { return []device.Account{{ID: "cpu", Reserved: 5}} }
func (f *fakeSlots) Flights() []hub.Info {
	return []hub.Info{{Label: "a /v1/chat/completions", Readers: 2, Frames: 7}}
}
func (f *fakeSlots) Read(context.Context) device.Reading { return device.Reading{} }
func (f *fakeSlots) Lines(string) []string               { return []string{"one", "two"} }
func (f *fakeSlots) Follow(string) ([]string, <-chan string, func()) {
	return []string{"one"}, make(chan string), func() {}
}

// fakeLogin knows one password and one session.
type fakeLogin struct{ retry time.Duration }

func (l fakeLogin) Check(p string) (bool, time.Duration) { return p == "right", l.retry }
func (l fakeLogin) Session() (string, time.Time)         { return "session", time.Now().Add(time.Hour) }
func (l fakeLogin) Valid(session string) bool            { return session == "session" }

const testToken = wire.TokenPrefix + "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk"

// control is the control side over fakes, with one route that declares slot a.
func control(t *testing.T, change ...func(*Config)) (*Server, http.Handler) {
	t.Helper()
	f := &fakeSlots{snap: slot.Snapshot{ID: "a", State: slot.Idle}, changes: make(chan slot.Snapshot)}
	routes := route.New(route.Config{Changed: func(*route.View) {}, Log: hclog.NewNullLogger()})
	t.Cleanup(routes.Close)
	declared := wire.Route{Name: "hal0@test", Models: []wire.Model{{Slot: "a", Engine: "demo", Model: "m.gguf"}, {Slot: "e", Engine: "demo", Capabilities: []string{"embedding"}}}}
	if _, err := routes.Put(context.Background(), declared, true); err != nil {
		t.Fatal(err)
	}
	c := Config{
		Slots: f, Routes: routes, Flights: f, Devices: f, Logs: f, Login: fakeLogin{},
		Tokens: func() []string { return []string{testToken} }, Log: hclog.NewNullLogger(),
	}
	for _, one := range change {
		one(&c)
	}
	s := New(c)
	return s, s.Control()
}

// ask sends one request; header is name, value, …
func ask(h http.Handler, from, method, path, body string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.RemoteAddr, r.Host = from+":5", "localhost"
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestEntriesKeepStrangersOut(t *testing.T) {
	_, h := control(t)
	for _, e := range Entries() {
		if e.Access != AccessOperator {
			continue
		}
		method, path, _ := strings.Cut(e.Pattern, " ")
		path = strings.NewReplacer("{id}", "a", "{name}", "x").Replace(path)
		if w := ask(h, "10.0.0.2", method, path, "{}"); w.Code != http.StatusUnauthorized {
			t.Errorf("%s answers a stranger with %d", e.Pattern, w.Code)
		}
		if w := ask(h, "127.0.0.1", method, path, "{}", "Sec-Fetch-Site", "cross-site"); w.Code != http.StatusForbidden {
			t.Errorf("%s answers a page of another site with %d", e.Pattern, w.Code)
		}
	}
}

func TestSignIn(t *testing.T) {
	_, h := control(t)
	if w := ask(h, "10.0.0.2", "GET", "/api/session", ""); !strings.Contains(w.Body.String(), `"open":false`) {
		t.Errorf("before: %s", w.Body)
	}
	for _, c := range []struct {
		body   string
		header []string
		want   int
	}{
		{`{"password":"wrong"}`, nil, 401}, {`password=right`, nil, 400},
		{`{"password":"right"}`, []string{"Origin", "http://evil.example"}, 403},
	} {
		if w := ask(h, "10.0.0.2", "POST", "/api/session", c.body, c.header...); w.Code != c.want || w.Header().Get("Set-Cookie") != "" {
			t.Errorf("%s: %d, want %d; cookie %q", c.body, w.Code, c.want, w.Header().Get("Set-Cookie"))
		}
	}
	w := ask(h, "10.0.0.2", "POST", "/api/session", `{"password":"right"}`)
	cookie := w.Header().Get("Set-Cookie")
	for _, part := range []string{"hal0_session=session", "HttpOnly", "SameSite=Strict", "Path=/"} {
		if !strings.Contains(cookie, part) {
			t.Errorf("cookie %q lacks %s", cookie, part)
		}
	}
	if w.Code != http.StatusNoContent || strings.Contains(cookie, "Secure") {
		t.Errorf("status %d, cookie %q", w.Code, cookie)
	}
	if w := ask(h, "10.0.0.2", "GET", "/api/slots", "", "Cookie", "hal0_session=session"); w.Code != 200 {
		t.Errorf("signed in: %d", w.Code)
	}
	if w := ask(h, "10.0.0.2", "POST", "/api/slots/a/load", "", "Cookie", "hal0_session=session", "Origin", "http://evil.example"); w.Code != 403 {
		t.Errorf("signed in, from another site's page: %d", w.Code)
	}
	w = ask(h, "10.0.0.2", "POST", "/api/session", `{"password":"right"}`, "X-Forwarded-Proto", "https")
	if !strings.Contains(w.Header().Get("Set-Cookie"), "Secure") {
		t.Error("the cookie of a TLS connection is not Secure")
	}
	_, barred := control(t, func(c *Config) { c.Login = fakeLogin{retry: 90 * time.Second} })
	if w := ask(barred, "10.0.0.2", "POST", "/api/session", `{"password":"right"}`); w.Code != 429 || w.Header().Get("Retry-After") != "90" {
		t.Errorf("barred: %d, Retry-After %q", w.Code, w.Header().Get("Retry-After"))
	}
}

func TestSlotsAreDescribed(t *testing.T) {
	_, h := control(t)
	var one map[string]any
	if err := json.Unmarshal(ask(h, "127.0.0.1", "GET", "/api/slots/a", "").Body.Bytes(), &one); err != nil {
		t.Fatal(err)
	}
	if one["id"] != "a" || one["state"] != "idle" || one["model"] != "m.gguf" || one["engine"] != "demo" {
		t.Errorf("slot is %v", one)
	}
	if w := ask(h, "127.0.0.1", "GET", "/api/slots/b", ""); w.Code != 404 {
		t.Errorf("a slot that is not: %d", w.Code)
	}
	if w := ask(h, "127.0.0.1", "GET", "/api/slots/a/logs", ""); w.Body.String() != "one\ntwo\n" {
		t.Errorf("logs are %q", w.Body)
	}
	if w := ask(h, "127.0.0.1", "GET", "/api/flights", ""); !strings.Contains(w.Body.String(), `"slot":"a","endpoint":"/v1/chat/completions"`) {
		t.Errorf("flights are %s", w.Body)
	}
	if w := ask(h, "127.0.0.1", "GET", "/api/devices", ""); !strings.Contains(w.Body.String(), `"devices":[]`) || !strings.Contains(w.Body.String(), `"reserved_bytes":5`) {
		t.Errorf("devices are %s", w.Body)
	}
}

func TestPinIsShown(t *testing.T) {
	_, h := control(t)
	for _, c := range []struct {
		verb string
		want string
		code int
	}{{"pin", `"pin":true,"pin_by_hand":true`, 200}, {"unpin", `"engine":"demo","routes"`, 200}} {
		if w := ask(h, "127.0.0.1", "POST", "/api/slots/a/"+c.verb, ""); w.Code != c.code || !strings.Contains(w.Body.String(), c.want) {
			t.Errorf("%s: %d %s", c.verb, w.Code, w.Body)
		}
	}
	if w := ask(h, "127.0.0.1", "POST", "/api/slots/b/pin", ""); w.Code != 404 {
		t.Errorf("a slot that is not: %d", w.Code)
	}
}

func TestEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, h := control(t)
		s.history.add(Answered{ID: "first", Outcome: "ok"})
		ctx, cancel := context.WithCancel(t.Context())
		r := httptest.NewRequest("GET", "/api/events", nil).WithContext(ctx)
		r.RemoteAddr, r.Host = "127.0.0.1:5", "localhost"
		w := httptest.NewRecorder()
		done := make(chan struct{})
		go func() { h.ServeHTTP(w, r); close(done) }()
		synctest.Wait()
		s.cfg.Slots.(*fakeSlots).changes <- slot.Snapshot{ID: "a", State: slot.Starting}
		s.history.add(Answered{ID: "second", Outcome: "failed"})
		synctest.Wait()
		if _, err := s.cfg.Routes.Pin(ctx, "a", true); err != nil { // what is declared is shown anew
			t.Error(err)
		}
		time.Sleep(1500 * time.Millisecond)
		cancel()
		<-done
		var names []string
		lines := bufio.NewScanner(w.Body)
		for lines.Scan() {
			if name, ok := strings.CutPrefix(lines.Text(), "event: "); ok {
				names = append(names, name)
			}
		}
		if got := strings.Join(names, " "); got != "hello request request slot flights" {
			t.Errorf("events are %s", got)
		}
	})
}

// Readers of streams that go on must not hold up a shutdown.
func TestStreamsEndWithThePool(t *testing.T) {
	for _, path := range []string{"/api/events", "/api/slots/a/logs?follow=1"} {
		synctest.Test(t, func(t *testing.T) {
			s, h := control(t)
			done := make(chan struct{})
			go func() { ask(h, "127.0.0.1", "GET", path, ""); close(done) }()
			synctest.Wait()
			close(s.cfg.Slots.(*fakeSlots).changes)
			synctest.Wait()
			select {
			case <-done:
			default:
				t.Fatalf("%s goes on", path)
			}
		})
	}
}

func TestHistoryKeepsTheLast(t *testing.T) {
	var h history
	for i := range remembered + 5 {
		h.add(Answered{Events: i})
	}
	all := h.recent()
	if len(all) != remembered || all[0].Events != 5 || all[remembered-1].Events != remembered+4 {
		t.Errorf("%d requests, from %d to %d", len(all), all[0].Events, all[len(all)-1].Events)
	}
}

func TestBoardAsksOnceASecond(t *testing.T) {
	var b board
	asked := 0
	f := flightsFunc(func() []hub.Info { asked++; return make([]hub.Info, boardMost+1) })
	now := time.Now()
	for range 50 {
		if l := b.look(f, now); l.Total != boardMost+1 || len(l.Flights) != boardMost {
			t.Fatalf("%d flights, %d shown", l.Total, len(l.Flights))
		}
	}
	b.look(f, now.Add(boardEvery))
	if asked != 2 {
		t.Errorf("the hub was asked %d times, want 2", asked)
	}
}

type flightsFunc func() []hub.Info

func (f flightsFunc) Flights() []hub.Info { return f() }

func TestConsoleProof(t *testing.T) {
	s, h := control(t)
	if w := ask(h, "127.0.0.1", "POST", "/api/v1/chat/completions", `{"model":"b"}`); w.Code != 404 {
		t.Errorf("a slot that is not: %d", w.Code)
	}
	if w := ask(h, "127.0.0.1", "POST", "/api/v1/chat/completions", `{"model":"e"}`); w.Code != 400 || !strings.Contains(w.Body.String(), wire.CodeCapability) {
		t.Errorf("a slot for embeddings: %d %s", w.Code, w.Body)
	}
	if w := ask(h, "127.0.0.1", "POST", "/api/v1/chat/completions", `[`); w.Code != 400 {
		t.Errorf("no JSON: %d", w.Code)
	}
	r := httptest.NewRequest("POST", "/api/v1/chat/completions", nil)
	p, f := s.consoleProof(r, "a")
	if f != nil || p.Route != "hal0@test" || p.Slot != "a" || p.Scope != consoleScope {
		t.Errorf("proof is %+v, %v", p, f)
	}
}
