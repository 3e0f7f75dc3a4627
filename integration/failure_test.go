package integration

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hal0-dev/hal0/integration/bed"
)

// Issue 3, bar 6: an engine that crashes at every boot is tried again after
// growing pauses, until the breaker opens; from then on the answer is at hand.
func TestIssue3Bar6CrashLoop(t *testing.T) {
	s := scripted(t, map[string]string{"loop": "--load-fails,the sky fell"})
	ask := bed.Request{Addr: addr(s), Path: chatPath, Body: chat("loop", true)}
	began := time.Now()
	last := bed.Open(t, ask)
	e := wantRefused(t, last, last.Status, "slot.load_failed", "slot.crash_looping", "slot.crashed")
	for e.Code != "slot.crash_looping" {
		if time.Since(began) > 90*time.Second {
			t.Fatalf("no breaker after %v: %+v", time.Since(began), e)
		}
		last = bed.Open(t, ask)
		e = wantRefused(t, last, last.Status, "slot.load_failed", "slot.crash_looping", "slot.crashed")
	}
	tries := s.Slot("loop").Incarnation
	t.Logf("the breaker opened after %v and %d launches", time.Since(began).Round(time.Millisecond), tries)
	if tries < 3 || tries > 8 {
		t.Errorf("%d launches before the breaker opened", tries)
	}
	if since := time.Since(began); since < 3*time.Second {
		t.Errorf("%d launches in %v: there were no pauses", tries, since)
	}
	wantAtOnce(t, "crash looping", ask, 503, "slot.crash_looping")
	if strings.Contains(e.Message, "sky") {
		t.Errorf("the message shows the engine's log: %q", e.Message)
	}
}

// wantAtOnce checks that a refusal takes no more than 5 ms, in the median of
// many on one connection: the machine may do something else meanwhile, which
// what /healthz takes at the same time shows.
func wantAtOnce(t testing.TB, what string, ask bed.Request, status int, code string) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{MaxConnsPerHost: 1}}
	defer client.CloseIdleConnections()
	took := func(method, path, body string) (time.Duration, *http.Response, string) {
		req, err := http.NewRequest(method, "http://"+ask.Addr+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		took := time.Since(began)
		defer resp.Body.Close()
		said, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return took, resp, string(said)
	}
	var refusals, health []time.Duration
	for i := range 201 {
		a, resp, body := took(http.MethodPost, ask.Path, ask.Body)
		if e := bed.ErrorIn(body); resp.StatusCode != status || e.Code != code {
			t.Fatalf("%d %s", resp.StatusCode, body)
		}
		h, _, _ := took(http.MethodGet, "/healthz", "")
		if i > 0 { // the first one makes the connection
			refusals, health = append(refusals, a), append(health, h)
		}
	}
	p50, worst := middle(refusals)
	usual, slowest := middle(health)
	p90 := slices.Sorted(slices.Values(refusals))[len(refusals)*9/10].Round(10 * time.Microsecond)
	bed.Figure(t, "%s, answered %s: p50 %v, p90 %v, worst of %d %v; /healthz beside it: p50 %v, worst %v", what, code, p50, p90, len(refusals), worst, usual, slowest)
	if p50 > 5*time.Millisecond {
		t.Errorf("the answer takes %v, at most 5 ms is promised", p50)
	}
}

// Issue 3, bar 6: a model whose file is not there fails for good, at once, and
// works when the file has come.
func TestIssue3Bar6FileAppears(t *testing.T) {
	bed.Tool(t, "llama-server")
	dir := t.TempDir()
	s := bed.NewSidecar(t, route(`
models:
  late: {model: `+filepath.Join(dir, "late.gguf")+`, context: "512"}
`)).Start()
	ask := bed.Request{Addr: addr(s), Path: chatPath, Body: chat("late", true)}
	first := bed.Open(t, ask)
	wantRefused(t, first, 502, "slot.load_failed")
	if first.Header.Get("X-Should-Retry") != "false" {
		t.Errorf("x-should-retry %q", first.Header.Get("X-Should-Retry"))
	}
	wantAtOnce(t, "a missing file", ask, 502, "slot.load_failed")
	copyFile(t, bed.Model(t, "count.gguf"), filepath.Join(dir, "late.gguf"))
	came := time.Now()
	var answer *bed.Stream
	for began := time.Now(); answer == nil; time.Sleep(200 * time.Millisecond) {
		if a := bed.Open(t, ask); a.Status == 200 {
			answer = a
		} else if time.Since(began) > 30*time.Second {
			t.Fatalf("the slot does not find its file: %d %s", a.Status, a.Body())
		}
	}
	if said := strings.TrimSpace(text(t, wantStream(t, answer))); said != counted {
		t.Errorf("it said %q", said)
	}
	bed.Figure(t, "served %v after the file appeared", time.Since(came).Round(time.Millisecond))
}

func copyFile(t testing.TB, from, to string) {
	t.Helper()
	in, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := os.CreateTemp(filepath.Dir(to), "copy")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(out, in); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(out.Name(), to); err != nil {
		t.Fatal(err)
	}
}
