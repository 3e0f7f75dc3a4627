package integration

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/hal0-dev/hal0/integration/bed"
)

// lineOf finds the line of a request in the sidecar's log.
func lineOf(t *testing.T, s *bed.Sidecar, a *bed.Stream) map[string]string {
	t.Helper()
	id := " request_id=" + a.Header.Get("X-Request-Id") + " "
	var lines []string
	bed.Until(t, "the request's line", 10*time.Second, func() bool {
		lines = nil
		for _, l := range strings.Split(s.Log(), "\n") {
			if strings.Contains(l, id) {
				lines = append(lines, l)
			}
		}
		return len(lines) > 0
	})
	if len(lines) != 1 {
		t.Errorf("%d lines: %q", len(lines), lines)
	}
	fields := map[string]string{}
	for _, m := range regexp.MustCompile(`(\w+)=(\S*)`).FindAllStringSubmatch(lines[0], -1) {
		fields[m[1]] = strings.Trim(m[2], `"`)
	}
	return fields
}

// What became of a request is told truly: one line in the log, and one count.
func TestOutcomesAreTold(t *testing.T) {
	s := scripted(t, map[string]string{"demo": ""})
	secret := "Count to five, Rumpelstiltskin."
	ask := func(stream bool, more ...string) bed.Request {
		return bed.Request{Addr: addr(s), Path: chatPath, Body: strings.ReplaceAll(chat("demo", stream, more...), prompt, secret)}
	}
	at := func(fault string) string { return knobs(`"tokens_per_second":0,"fault":"` + fault + `","at":3`) }
	wantStream(t, bed.Open(t, ask(true, quick))) // the slot is up
	cancelled := bed.Open(t, ask(true, knobs(`"tokens_per_second":1`)))
	frames(t, cancelled, 2)
	cancelled.Leave()
	shared := bed.OpenAll(t, ask(true, `"seed":1`, knobs(`"delay_ms":500`)), ask(true, `"seed":1`, knobs(`"delay_ms":500`)))
	for _, c := range []struct {
		name    string
		answer  *bed.Stream
		outcome string
		code    string
		flight  string
		status  string
		events  int // -1 = as many as came
	}{
		{"stream", bed.Open(t, ask(true, quick)), "ok", "", "lead", "200", -1},
		{"whole", bed.Open(t, ask(false, quick)), "ok", "", "lead", "200", 1},
		{"error event", bed.Open(t, ask(true, at("error"))), "failed", "engine.error", "lead", "200", 3},
		{"truncated", bed.Open(t, ask(true, at("eof"))), "truncated", "stream.truncated", "lead", "200", 3},
		{"refused", bed.Open(t, ask(true, knobs(`"fault":"status","status":400`))), "failed", "request.rejected", "lead", "400", 0},
		{"one of two", shared[0], "ok", "", shared[0].Header.Get("X-Hal0-Flight"), "200", -1},
		{"other of two", shared[1], "ok", "", shared[1].Header.Get("X-Hal0-Flight"), "200", -1},
		{"cancelled", cancelled, "cancelled", "", "lead", "200", -2},
	} {
		events := c.events
		if events == -1 {
			events = len(c.answer.Events())
		}
		size := len(c.answer.Body())
		got := lineOf(t, s, c.answer)
		want := map[string]string{
			"slot": "demo", "endpoint": chatPath, "outcome": c.outcome, "code": c.code, "flight": c.flight,
			"status": c.status, "cold": "false",
		}
		if events >= 0 {
			want["events"] = fmt.Sprint(events)
		}
		if c.outcome == "ok" {
			want["bytes"] = fmt.Sprint(size)
		}
		for field, value := range want {
			if v, ok := got[field]; v != value || !ok {
				t.Errorf("%s: %s is %q, want %q: %v", c.name, field, v, value, got)
			}
		}
		for _, field := range []string{"wait_ms", "ttft_ms", "ms", "route", "client"} {
			if _, ok := got[field]; !ok {
				t.Errorf("%s: no %s in %v", c.name, field, got)
			}
		}
	}
	if flights := shared[0].Header.Get("X-Hal0-Flight") + shared[1].Header.Get("X-Hal0-Flight"); flights != "leadjoin" && flights != "joinlead" {
		t.Errorf("two that are the same: %s", flights)
	}
	var scrape string
	for _, line := range []string{
		`{code="",flight="lead",outcome="ok",slot="demo"} 4`, `{code="",flight="join",outcome="ok",slot="demo"} 1`,
		`{code="",flight="lead",outcome="cancelled",slot="demo"} 1`, `{code="engine.error",flight="lead",outcome="failed",slot="demo"} 1`,
		`{code="stream.truncated",flight="lead",outcome="truncated",slot="demo"} 1`, `{code="request.rejected",flight="lead",outcome="failed",slot="demo"} 1`,
	} {
		bed.Until(t, line, 10*time.Second, func() bool { // counted after it is logged
			_, scrape = bed.Get(t, s.ControlURL()+"/metrics")
			return strings.Contains(scrape, "hal0_requests_total"+line)
		})
	}
	if strings.Contains(s.Log(), "Rumpelstiltskin") || strings.Contains(scrape, "Rumpelstiltskin") {
		t.Error("the log shows a prompt")
	}
}
