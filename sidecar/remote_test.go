package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/hal0-dev/hal0/sidecar/internal/slot"
)

// sidecarThat serves what a sidecar would, for one command line each.
func sidecarThat(t *testing.T, answers map[string]string) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a, ok := answers[r.Method+" "+r.URL.Path]
		switch {
		case !ok:
			http.NotFound(w, r)
		case strings.HasPrefix(a, `{"error"`):
			w.WriteHeader(http.StatusBadGateway)
			fallthrough
		default:
			io.WriteString(w, a)
		}
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// hal0 runs a command line.
func hal0(args ...string) (status int, stdout, stderr string) {
	var out, errs bytes.Buffer
	status = execute(args, &out, &errs)
	return status, out.String(), errs.String()
}

func events(pairs ...string) string {
	var b strings.Builder
	for i := 0; i < len(pairs); i += 2 {
		fmt.Fprintf(&b, "event: %s\ndata: %s\n\n", pairs[i], pairs[i+1])
	}
	return b.String()
}

const (
	oneSlot  = `{"id":"a","state":"ready","model":"m.gguf","engine":"llama.cpp","pid":7,"leases":1,"parallel":2,"waiting":3,"since":"2026-01-01T00:00:00Z"}`
	refused  = `{"error":{"message":"the engine cannot load the model's file","code":"slot.load_failed"}}`
	oneRoute = `{"routes":[{"name":"hal0@docker","slots":["a"],"confirmed":"2026-01-01T00:00:00Z","problems":[{"route":"hal0@docker","slot":"b","code":"slot.conflict","message":"declared twice"}]}]}`
	chatted  = "data: {\"choices\":[{\"delta\":{\"content\":\"one \"}}]}\n\n:\ndata: {\"choices\":[{\"delta\":{\"content\":\"two\"}}]}\n\n"
)

func TestCommands(t *testing.T) {
	url := sidecarThat(t, map[string]string{
		"GET /api/slots":                `{"slots":[` + oneSlot + `]}`,
		"POST /api/slots/a/load":        oneSlot,
		"POST /api/slots/b/load":        refused,
		"GET /api/slots/a/logs":         "first\nsecond\n",
		"GET /api/routes":               oneRoute,
		"DELETE /api/routes/gone":       "",
		"POST /api/slots/a/pin":         oneSlot,
		"POST /api/slots/a/unpin":       oneSlot,
		"GET /api/devices":              `{"devices":[{"id":"cpu","kind":"host","name":"host memory","total_bytes":2147483648,"free_bytes":-1}],"accounts":[{"id":"cpu","reserved_bytes":1048576,"holders":[{"owner":"a","bytes":1048576}]}]}`,
		"GET /api/events":               events("hello", `{"slots":[`+oneSlot+`]}`),
		"GET /api/flights":              `{"total":1,"flights":[{"slot":"a","readers":2,"events":9}]}`,
		"GET /api/requests":             `{"requests":[{"slot":"a","outcome":"failed","code":"slot.crashed","events":4}]}`,
		"POST /api/v1/chat/completions": chatted + "data: [DONE]\n\n",
	})
	cut := sidecarThat(t, map[string]string{"POST /api/v1/chat/completions": chatted})
	broke := sidecarThat(t, map[string]string{"POST /api/v1/chat/completions": chatted + `data: {"error":{"message":"gone","code":"slot.crashed"}}` + "\n\n"})
	stranger := sidecarThat(t, nil)
	for _, c := range []struct {
		args   string
		status int
		says   []string // in stdout or stderr
	}{
		{"slots --url " + url, 0, []string{"a     ready  m.gguf  7    1       3"}},
		{"slots --json --url " + url, 0, []string{`"state":"ready"`}},
		{"load a --url " + url, 0, []string{"a: ready"}},
		{"load a --json --url " + url, 0, []string{`"id":"a"`}},
		{"load b --url " + url, 1, []string{"cannot load", "slot.load_failed"}},
		{"load", 2, []string{"accepts 1 arg"}},
		{"logs a --url " + url, 0, []string{"first\nsecond\n"}},
		{"logs a --json --url " + url, 0, []string{"\"first\"\n"}},
		{"routes --url " + url, 0, []string{"hal0@docker  a", "slot b: declared twice (slot.conflict)"}},
		{"routes --json --url " + url, 0, []string{`"name":"hal0@docker"`}},
		{"routes rm gone --json --url " + url, 0, []string{`{"forgotten":"gone"}`}},
		{"pin a --url " + url, 0, []string{"a: pinned\n"}},
		{"pin a --json --url " + url, 0, []string{`"id":"a"`}},
		{"unpin a --url " + url, 0, []string{"a: not pinned\n"}},
		{"pin b --url " + stranger, 1, []string{"not hal0"}},
		{"top --json --url " + url, 0, []string{`"slots":[{"id":"a"`, `"flights":{"total":1`, `"code":"slot.crashed"`}},
		{"version --json", 0, []string{`"version":"`, `"wire":`}},
		{"key laptop --json", 0, []string{`"key":"sk-hal0-`, `"item":"laptop:sha256:`}},
		{"pull", 2, []string{"accepts 1 arg"}},
		{"routes rm gone --url " + url, 0, []string{"gone: forgotten"}},
		{"devices --url " + url, 0, []string{"cpu     host memory  2.0 GiB  ?     1 MiB     a 1 MiB"}},
		{"top --url " + url, 0, []string{"1 slots, 1 in flight", "a     ready", "slot.crashed"}},
		{"chat a -m hi --url " + url, 0, []string{"one two\n"}},
		{"chat a -m hi --json --url " + url, 0, []string{`{"choices"`}},
		{"chat a -m hi --url " + cut, 1, []string{"one two\n", "ended before it was complete"}},
		{"chat a -m hi --url " + broke, 1, []string{"one two\n", "gone (slot.crashed)"}},
		{"slots --url " + stranger, 1, []string{"not hal0"}},
		{"slots --url http://127.0.0.1:1", 1, []string{"is it running?"}},
		{"slots --nonsense", 2, []string{"unknown flag"}},
		{"nonsense", 2, []string{"unknown command"}},
		{"__complete load --url " + url + " ", 0, []string{"a\tready"}},
	} {
		args := strings.Fields(c.args)
		if strings.HasSuffix(c.args, " ") {
			args = append(args, "")
		}
		status, stdout, stderr := hal0(args...)
		if status != c.status {
			t.Errorf("hal0 %s: status %d, want %d", c.args, status, c.status)
		}
		for _, s := range c.says {
			if !strings.Contains(stdout+stderr, s) {
				t.Errorf("hal0 %s: no %q in\n%s%s", c.args, s, stdout, stderr)
			}
		}
	}
}

func TestChatCommands(t *testing.T) {
	var asked []string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body struct {
			Model    string
			Messages []message
		}
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			t.Error(err)
		}
		asked = append(asked, fmt.Sprintf("%s %d", body.Model, len(body.Messages)))
		io.WriteString(w, chatted+"data: [DONE]\n\n")
	}))
	defer s.Close()
	c := &chatter{remote: remote{url: s.URL}, slot: "a", out: io.Discard}
	in := "one\n\ntwo\n/clear\nthree\n/slot b\nfour\n/quit\nfive\n"
	if err := c.talk(context.Background(), strings.NewReader(in), false); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(asked, ", "); got != "a 1, a 3, a 1, b 1" {
		t.Errorf("asked %s", got)
	}
}

func TestProgress(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 1, 0, 0, time.UTC)
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	for _, c := range []struct {
		state string
		snap  slot.Snapshot
		part  float64
		text  string
	}{
		{"starting", slot.Snapshot{Boot: &slot.Boot{Began: ago(10 * time.Second), ETA: 40 * time.Second}}, 0.25, "30s left of about 40s"},
		{"warming", slot.Snapshot{Boot: &slot.Boot{Began: ago(50 * time.Second), ETA: 40 * time.Second}}, 0.99, "50s, longer than the usual 40s"},
		{"starting", slot.Snapshot{Boot: &slot.Boot{Began: ago(10 * time.Second)}}, -1, "10s, first time: no estimate yet"},
		{"starting", slot.Snapshot{Phase: "memory", Since: ago(time.Minute)}, -1, "waits for memory, 1m0s"},
		{"pulling", slot.Snapshot{Since: ago(20 * time.Second), Pull: &slot.Progress{Start: 1 << 30, Done: 2 << 30, Total: 4 << 30}}, 0.5, "2.0 GiB of 4.0 GiB, 40s left"},
		{"pulling", slot.Snapshot{}, -1, "fetching"},
	} {
		p, ok := progressOf(shown{Snapshot: c.snap, State: c.state}, now)
		if !ok || p.part != c.part || p.text != c.text {
			t.Errorf("%s: %+v, want %v %q", c.state, p, c.part, c.text)
		}
	}
	if _, ok := progressOf(shown{State: "ready"}, now); ok {
		t.Error("a slot that is up has a progress")
	}
}

func TestWatcher(t *testing.T) {
	began := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	boot := shown{Snapshot: slot.Snapshot{ID: "a", Boot: &slot.Boot{Began: began, ETA: 20 * time.Second}}, State: "starting"}
	up := shown{Snapshot: slot.Snapshot{ID: "a"}, State: "ready"}
	var pipe, terminal bytes.Buffer
	lines := &watcher{out: &pipe, slot: "a"}
	bars := &watcher{out: &terminal, slot: "a", terminal: true}
	for _, w := range []*watcher{lines, bars} {
		w.show(began) // nothing is known yet
		w.now = boot
		for s := range 12 {
			w.show(began.Add(time.Duration(s) * time.Second))
		}
		w.now = up
		w.show(began.Add(12 * time.Second))
		w.show(began.Add(13 * time.Second))
	}
	want := "a: starting, 20s left of about 20s\na: starting, 15s left of about 20s\na: starting, 10s left of about 20s\na: ready\n"
	if pipe.String() != want {
		t.Errorf("lines are\n%swant\n%s", pipe.String(), want)
	}
	if s := terminal.String(); strings.Contains(s, "\n") || !strings.Contains(s, "\r\x1b[K") || !strings.Contains(s, "[███████████████···············]  50 %") {
		t.Errorf("bars are %q", s)
	}
}

func TestPlain(t *testing.T) {
	if got := plain("a\x1b[31mb\x00\tü\u009b"); got != "a·[31mb·\tü·" {
		t.Errorf("plain gives %q", got)
	}
}

func TestPictureFollows(t *testing.T) {
	p := picture{}
	for _, e := range [][2]string{
		{"hello", `{"slots":[` + oneSlot + `,{"id":"b","state":"offline"}]}`},
		{"slot", `{"id":"b","state":"starting"}`},
		{"slot", `{"id":"a","state":"offline","removed":true}`},
		{"request", `{"slot":"b","outcome":"ok"}`},
		{"flights", `{"total":5}`},
		{"flights", `{"total":0,"flights":[]}`},
	} {
		if err := p.apply(e[0], e[1]); err != nil {
			t.Fatal(err)
		}
	}
	if len(p.slots) != 1 || p.slots["b"].State != "starting" || len(p.requests) != 1 || p.flights.Total != 0 {
		t.Errorf("picture is %+v", p)
	}
}
