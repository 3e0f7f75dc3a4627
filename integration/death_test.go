package integration

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/hal0-dev/hal0/integration/bed"
)

// telling is how an API streams the demo engine's answer of five tokens.
type telling struct {
	before, after int    // events before the first token and behind the last one
	last          string // the name of the event that ends a success; "" = events have none
	failed        string // of the event that tells a failure as any other is told; "" = the SDK raises it
	some          []int  // events of which the short form makes do
}

// events is how many a whole answer has.
func (a telling) events() int { return a.before + 5 + a.after }

// said is what was said before event n.
func (a telling) said(n int) string {
	words := strings.Fields(toFive)
	var b strings.Builder
	for _, w := range words[:min(max(n-1-a.before, 0), len(words))] {
		b.WriteString(" " + w)
	}
	return b.String()
}

func tellings() map[string]telling {
	return map[string]telling{
		"chat":       {before: 1, after: 2, some: []int{1, 2, 3, 4, 5, 6, 7, 8}},
		"completion": {before: 0, after: 2, some: []int{1, 2, 6, 7}},
		"responses":  {before: 4, after: 4, last: "response.completed", failed: "response.failed", some: []int{1, 2, 6, 10, 13}},
		"messages":   {before: 2, after: 3, last: "message_stop", some: []int{1, 2, 4, 8, 10}},
	}
}

// spoken are the SDKs of the newest major version of each language and vendor,
// or all of them in the long form.
func spoken(t testing.TB) []bed.SDK {
	t.Helper()
	all := slices.Concat(bed.SDKs(t), bed.AnthropicSDKs(t))
	if bed.Long() {
		return all
	}
	major := func(s bed.SDK) string { return s.Name[:strings.LastIndexByte(s.Name, '-')] }
	var some []bed.SDK
	for i, sdk := range all {
		if i+1 == len(all) || major(all[i+1]) != major(sdk) {
			some = append(some, sdk)
		}
	}
	return some
}

// dying is a route with a slot for each of n deaths: a slot that has crashed is
// not started again at once. One slot more lives on.
func dying(n int) string {
	var b strings.Builder
	b.WriteString("\nmodels:\n  live: {engine: demo, memory: 1MiB}\n")
	for i := range n {
		fmt.Fprintf(&b, "  die-%d: {engine: demo, memory: 1MiB}\n", i)
	}
	return b.String()
}

// Issue 4, bar 7: an engine that dies at any event of its answer makes one valid
// ending, in every family, for every SDK; so does every other mishap.
func TestIssue4Bar7DeathAtEveryEventInSDKs(t *testing.T) {
	bed.Tool(t, "traefik")
	sdks := spoken(t)
	jobs, slots := map[string][]ended{}, 0
	for _, sdk := range sdks {
		for _, api := range sdk.APIs {
			for _, death := range deaths(tellings()[api]) {
				death.job.API, death.job.Model = api, fmt.Sprintf("die-%d", slots)
				jobs[sdk.Name] = append(jobs[sdk.Name], death)
				slots++
			}
			for _, mishap := range mishaps(tellings()[api]) {
				mishap.job.API, mishap.job.Model = api, "live"
				jobs[sdk.Name] = append(jobs[sdk.Name], mishap)
			}
		}
	}
	s := bed.NewSidecar(t, "").Start()
	e := bed.NewEdge(t, s, bed.Middleware(dying(slots)))
	for _, sdk := range sdks {
		t.Run(sdk.Name, func(t *testing.T) {
			t.Parallel()
			c := sdk.Run(t)
			for _, j := range jobs[sdk.Name] {
				j.job.ID = j.job.API + ", " + j.job.ID
				j.job.BaseURL, j.job.Stream, j.job.Prompt = "http://"+e.Web("127.0.0.1")+"/v1", true, prompt
				wantEnding(t, j, c.Do(j.job))
			}
			t.Logf("%d endings", len(jobs[sdk.Name]))
		})
	}
}

// ended is a job, what its SDK gets of the text, and the code that ends it.
type ended struct {
	job        bed.Job
	said, code string // no code = success
}

// endedAt has something go wrong in place of event n.
func endedAt(a telling, n int, code, fault string, more ...any) ended {
	knobs := map[string]any{"tokens_per_second": 0, "fault": fault, "event": n}
	for i := 0; i < len(more); i += 2 {
		knobs[more[i].(string)] = more[i+1]
	}
	return ended{bed.Job{ID: fmt.Sprintf("%s %v in place of event %d", fault, more, n), Extra: map[string]any{"hal0_demo": knobs}}, a.said(n), code}
}

func deaths(a telling) []ended {
	at := a.some
	if bed.Long() {
		at = nil
		for n := range a.events() {
			at = append(at, n+1)
		}
	}
	var all []ended
	for _, n := range at {
		code := "slot.crashed"
		if n == a.events() && a.last == "" {
			code = "" // [DONE] alone is missing, and added
		}
		all = append(all, endedAt(a, n, code, "crash"))
	}
	return all
}

// mishaps are a success and what else ends a stream of the family too early.
func mishaps(a telling) []ended {
	all := []ended{endedAt(a, a.events()+1, "", "cut")}
	at, faults := []int{a.before + 3}, []string{"eof", "torn"}
	if bed.Long() {
		at, faults = append(at, 2), append(faults, "cut", "reset", "tornend")
	}
	for _, n := range at {
		for _, fault := range faults {
			all = append(all, endedAt(a, n, "stream.truncated", fault))
		}
		for _, shape := range []string{"openai", "llama.cpp", "vllm", "responses", "messages"} {
			all = append(all, endedAt(a, n, "engine.error", "error", "shape", shape))
		}
	}
	return all
}

// wantEnding checks what an SDK gave its caller: the text before the ending, and
// exactly one ending.
func wantEnding(t *testing.T, want ended, lines []bed.Line) {
	t.Helper()
	a := tellings()[want.job.API]
	last, events := lines[len(lines)-1], lines[:len(lines)-1]
	if said := bed.Text(lines); said != want.said {
		t.Errorf("%s: it said %q, the engine %q", want.job.ID, said, want.said)
	}
	endings := 0
	for i, l := range events {
		if l.Event != "" && (l.Event == a.last || l.Event == a.failed || l.Event == "error") {
			endings++
			if i != len(events)-1 {
				t.Errorf("%s: %+v is not the last event", want.job.ID, l)
			}
		}
	}
	told := endings == 1 && last.Kind == "done" // by an event that the SDK passes on
	switch {
	case want.code == "":
		if last.Kind != "done" || a.last != "" && (!told || events[len(events)-1].Event != a.last) {
			t.Errorf("%s: no success: %+v", want.job.ID, lines)
		}
	case a.failed != "" && len(events) > 0:
		if !told || events[len(events)-1].Event != a.failed || events[len(events)-1].Code != want.code || events[len(events)-1].Message == "" {
			t.Errorf("%s: want %s with %s: %+v", want.job.ID, a.failed, want.code, lines)
		}
	case endings != 0 || last.Kind != "error" || last.Code != want.code || last.Message == "":
		t.Errorf("%s: want an error with %s: %+v", want.job.ID, want.code, lines)
	}
}

// Each family as llama-server itself serves it, whole: in every SDK, streamed
// and not.
func TestFamiliesOfRealEngine(t *testing.T) {
	_, e := stack(t)
	for _, sdk := range spoken(t) {
		t.Run(sdk.Name, func(t *testing.T) {
			t.Parallel()
			c := sdk.Run(t)
			for _, api := range sdk.APIs {
				for _, stream := range []bool{true, false} {
					job := bed.Job{
						ID: fmt.Sprintf("%s, stream=%v", api, stream), BaseURL: "http://" + e.Web("127.0.0.1") + "/v1",
						API: api, Stream: stream, Model: "primary", Prompt: prompt,
					}
					lines := c.Do(job)
					if said := strings.TrimSpace(bed.Text(lines)); said != counted || lines[len(lines)-1].Kind != "done" {
						t.Errorf("%s: %q, %+v", job.ID, said, lines[len(lines)-1])
					}
					if last := lines[max(len(lines)-2, 0)]; stream && last.Event != tellings()[api].last {
						t.Errorf("%s: the last event is %+v", job.ID, last)
					}
				}
			}
		})
	}
}
