package integration

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hal0-dev/hal0/integration/bed"
)

// Issue 3, bar 3: kill -9 at random moments leaves nothing behind and no client
// without an answer.

// litter is the configuration of a sidecar with engines that are hard to clean
// up after: one that is a process, and one that is a shell with a child, which
// outlives the shell.
func litter(t testing.TB) string {
	return fmt.Sprintf(`
engines:
  nested:
    command: [/bin/sh, -c, "'%s' demo-engine --host {host} --port {port} & wait"]
    env: {HAL0_ENGINE_KEY: "{key}"}
route:
  models:
    plain: {engine: demo, memory: 64MiB, parallel: "4"}
    nested: {engine: nested, memory: 64MiB, parallel: "4"}
`, bed.Hal0(t))
}

// mark is a variable that only this test's processes have.
func mark() string { return fmt.Sprintf("BARS_MARK=%d", rand.Uint64()) }

// traffic opens requests on both slots, of every kind.
func traffic(t testing.TB, s *bed.Sidecar, cycle int) (open []<-chan *bed.Stream, leave func()) {
	t.Helper()
	var cancels []func()
	for i := range 6 {
		slot := []string{"plain", "nested"}[i%2]
		answer, cancel := bed.Opening(t, bed.Request{Addr: addr(s), Path: chatPath, Body: chat(slot, i < 4,
			fmt.Sprintf(`"seed":%d`, cycle*10+i/2), knobs(`"tokens_per_second":25`))})
		open, cancels = append(open, answer), append(cancels, cancel)
	}
	return open, func() {
		for _, c := range cancels {
			c()
		}
	}
}

// ending says how an answer ended: whole, told (an error with a code), broken
// (the connection), or "" for what may not be.
func ending(a *bed.Stream) string {
	if a == nil {
		return "broken" // before there was a head
	}
	body := a.Body()
	code := bed.ErrorIn(body).Code
	if all := a.Events(); len(all) > 0 && code == "" {
		code = bed.ErrorIn(all[len(all)-1].Bytes).Code
	}
	switch stream := strings.HasPrefix(a.Header.Get("Content-Type"), "text/event-stream"); {
	case !a.Clean():
		return "broken"
	case code != "" && strings.Count(body, `"error"`) == 1 && !strings.Contains(body, "[DONE]"):
		return "told"
	case a.Status == http.StatusOK && stream && strings.HasSuffix(body, "data: [DONE]\n\n"),
		a.Status == http.StatusOK && !stream && strings.Contains(body, toFive):
		return "whole"
	}
	return ""
}

func TestIssue3Bar3SidecarKilled(t *testing.T) {
	marked := mark()
	s := bed.NewSidecar(t, litter(t)).Env(marked).Start()
	counts := map[string]int{}
	for cycle := range bed.Times(15, 500) {
		open, leave := traffic(t, s, cycle)
		time.Sleep(time.Duration(rand.Int64N(int64(600 * time.Millisecond)))) // a random moment is the point
		left := len(bed.Marked(t, marked)) - 1
		s.Kill()
		for i, o := range open {
			a := <-o
			how := ending(a)
			counts[how]++
			if how == "" {
				t.Errorf("cycle %d: request %d ended with %d %q", cycle, i, a.Status, tail(a.Body()))
			}
		}
		leave()
		counts["engines"] += left
		counts["survivors"] += len(bed.Marked(t, marked))
		s.Start()
		for pid, cmd := range bed.Marked(t, marked) {
			if pid != s.PID() {
				t.Errorf("cycle %d: %d is left after the next start: %s", cycle, pid, cmd)
			}
		}
	}
	bed.Figure(t, "%d kills of the sidecar: %d processes of engines were up, %d outlived it, none the next start; requests: %d whole, %d told, %d broken",
		bed.Times(15, 500), counts["engines"], counts["survivors"], counts["whole"], counts["told"], counts["broken"])
	if counts["survivors"] == 0 {
		t.Error("nothing ever outlived the sidecar: this test shows nothing")
	}
}

func TestIssue3Bar3EngineKilled(t *testing.T) {
	marked := mark()
	s := bed.NewSidecar(t, litter(t)).Env(marked).Start()
	for _, id := range []string{"plain", "nested"} {
		s.Move(id, "load")
	}
	counts := map[string]int{}
	var first usage
	cycles := bed.Times(15, 500)
	for cycle := range cycles {
		if cycle == 3 { // what is made once has been made
			first = use(t, s)
		}
		open, leave := traffic(t, s, cycle)
		time.Sleep(time.Duration(rand.Int64N(int64(300 * time.Millisecond)))) // a random moment is the point
		id := []string{"plain", "nested"}[cycle%2]
		if pid := s.Slot(id).PID; pid > 0 && syscall.Kill(pid, syscall.SIGKILL) == nil {
			counts["killed"]++
		}
		for i, o := range open {
			a := <-o
			how := ending(a)
			counts[how]++
			if how != "whole" && how != "told" {
				t.Errorf("cycle %d: request %d is %s", cycle, i, how)
			}
		}
		leave()
		s.Move(id, "load") // at once: who loads by hand does not wait out a pause
	}
	// Two engines, of which one is a shell with a child, and the sidecar.
	bed.Until(t, "no engine but those that are up is left", 10*time.Second, func() bool { return len(bed.Marked(t, marked)) <= 4 })
	var last usage
	bed.Until(t, "descriptors and goroutines are back to what they were", 20*time.Second, func() bool {
		last = use(t, s)
		return last.files <= first.files+2 && last.goroutines <= first.goroutines+4
	})
	bed.Figure(t, "%d kills of an engine: requests %d whole, %d told; descriptors %d, then %d; goroutines %d, then %d",
		counts["killed"], counts["whole"], counts["told"], first.files, last.files, first.goroutines, last.goroutines)
	if counts["killed"] < cycles/2 || counts["told"] == 0 {
		t.Errorf("%d of %d cycles killed an engine, %d requests noticed", counts["killed"], cycles, counts["told"])
	}
}

// usage is what a sidecar may leak.
type usage struct{ files, goroutines int }

var goroutines = regexp.MustCompile(`(?m)^go_goroutines (\d+)$`)

func use(t testing.TB, s *bed.Sidecar) usage {
	t.Helper()
	status, text := bed.Get(t, s.ControlURL()+"/metrics")
	m := goroutines.FindStringSubmatch(text)
	if status != http.StatusOK || m == nil {
		t.Fatalf("/metrics: %d, no go_goroutines", status)
	}
	n, err := strconv.Atoi(m[1])
	if err != nil {
		t.Fatal(err)
	}
	return usage{s.Files(), n}
}
