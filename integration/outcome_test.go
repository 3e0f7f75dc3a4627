package integration

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/hal0-dev/hal0/integration/bed"
)

// Issue 4, bar 3: the demo engine misbehaves in every way in which engines were
// seen to, and what reaches a client is the whole text, or our error with our
// code: never less text that looks like all of it.

// toFive is what the demo engine says to the prompt.
const toFive = " one two three four five"

// fault is one way in which an engine's answer goes.
type fault struct {
	name  string
	knobs map[string]any
	code  string // that clients are told; "" = they get the whole answer
	slot  string // "" = one that stays up
	plain bool   // also for answers that are no streams
}

func faults() []fault {
	at := func(n int, fault string) map[string]any { return map[string]any{"fault": fault, "at": n} }
	with := func(k map[string]any, more ...any) map[string]any {
		for i := 0; i < len(more); i += 2 {
			k[more[i].(string)] = more[i+1]
		}
		return k
	}
	none := func() map[string]any { return map[string]any{} }
	all := []fault{
		{name: "canonical", knobs: none(), plain: true},
		{name: "engine's pings", knobs: with(none(), "delay_ms", 200, "ping_ms", 50)},
		{name: "no [DONE]", knobs: with(none(), "no_done", true)},
		{name: "a pause", knobs: with(at(3, "pause"), "pause_ms", 300), plain: true},
		{name: "an event of 1 MiB", knobs: with(at(3, "huge"), "bytes", 1<<20)},
		{name: "an event of 33 MiB", knobs: with(at(3, "huge"), "bytes", 33<<20), code: "engine.error"},
		{name: "clean end before the first token", knobs: at(1, "eof"), code: "stream.truncated"},
		{name: "clean end in the middle", knobs: at(3, "eof"), code: "stream.truncated"},
		{name: "clean end before finish_reason", knobs: at(9, "eof"), code: "stream.truncated"},
		{name: "cut", knobs: at(3, "cut"), code: "stream.truncated", plain: true},
		{name: "reset", knobs: at(3, "reset"), code: "stream.truncated", plain: true},
		{name: "torn", knobs: at(3, "torn"), code: "stream.truncated"},
		{name: "torn before finish_reason", knobs: at(9, "torn"), code: "stream.truncated"},
		{name: "torn, clean end", knobs: at(3, "tornend"), code: "stream.truncated"},
		{name: "hang", knobs: at(3, "hang"), code: "stream.stalled", slot: "stall", plain: true},
		{name: "hang before the head", knobs: at(0, "hang"), code: "stream.stalled", slot: "stall", plain: true},
		{name: "cut before the head", knobs: at(0, "cut"), code: "stream.truncated", plain: true},
		{name: "reset before the head", knobs: at(0, "reset"), code: "stream.truncated", plain: true},
		{name: "status 500", knobs: with(at(0, "status"), "status", 500), code: "engine.error", plain: true},
		{name: "status 503", knobs: with(at(0, "status"), "status", 503), code: "engine.error", plain: true},
		{name: "status 400", knobs: with(at(0, "status"), "status", 400), code: "request.rejected", plain: true},
		{name: "status 429", knobs: with(at(0, "status"), "status", 429), code: "request.rate_limited", plain: true},
	}
	shapes := map[string]string{
		"openai": "engine.error", "llama.cpp": "engine.error", "llama.cpp-old": "engine.error", "llama.cpp-router": "engine.error",
		"vllm": "engine.error", "vllm-old": "request.rejected", "sglang": "engine.error", "tgi": "request.rejected", "string": "engine.error",
		"event": "engine.error", "spaced": "engine.error", "finish-error": "engine.error", "ollama": "stream.truncated",
	}
	for shape, code := range shapes {
		all = append(all, fault{name: "error as " + shape, knobs: with(at(3, "error"), "shape", shape), code: code})
		all = append(all, fault{name: "first event is an error as " + shape, knobs: with(at(0, "error"), "shape", shape), code: code})
	}
	return all
}

const faultModels = `
default: fault
models:
  fault: {engine: demo, parallel: "16", memory: 64MiB}
  stall: {engine: demo, parallel: "16", memory: 64MiB, timeouts: {idle: 500ms, firstToken: 500ms}}
`

func (f fault) model() string {
	if f.slot != "" {
		return f.slot
	}
	return "fault"
}

// extra is what makes the demo engine behave so, without its usual pace.
func (f fault) extra() map[string]any {
	knobs := map[string]any{"tokens_per_second": 0}
	for k, v := range f.knobs {
		knobs[k] = v
	}
	return map[string]any{"hal0_demo": knobs}
}

func (f fault) body(t testing.TB, api string, stream bool) string {
	t.Helper()
	b, err := json.Marshal(f.extra()["hal0_demo"])
	if err != nil {
		t.Fatal(err)
	}
	if api == "completion" {
		return completion(f.model(), stream, `"hal0_demo":`+string(b))
	}
	return chat(f.model(), stream, `"hal0_demo":`+string(b))
}

// want is the text that the engine sends when nothing ends it early.
func (f fault) want() string {
	if f.knobs["fault"] == "huge" {
		return " one two" + strings.Repeat("x", f.knobs["bytes"].(int)) + " three four five"
	}
	return toFive
}

// doors are the ways to a sidecar with the demo engine: by itself, and through
// Traefik.
func doors(t *testing.T, models string) map[string]string {
	t.Helper()
	bed.Tool(t, "traefik")
	near := bed.NewSidecar(t, route(models)).Start()
	far := bed.NewSidecar(t, "").Start()
	e := bed.NewEdge(t, far, bed.Middleware(models))
	return map[string]string{"sidecar": addr(near), "Traefik": e.Web("127.0.0.1")}
}

// Issue 4, bar 3: on the wire.
func TestIssue4Bar3OutcomesOnTheWire(t *testing.T) {
	for door, at := range doors(t, faultModels) {
		for _, f := range faults() {
			for api, path := range map[string]string{"chat": chatPath, "completion": completionPath} {
				t.Run(door+"/"+f.name+"/"+api, func(t *testing.T) {
					wantOutcome(t, f, bed.Open(t, bed.Request{Addr: at, Path: path, Body: f.body(t, api, true)}))
				})
				if f.plain {
					t.Run(door+"/"+f.name+"/"+api+" whole", func(t *testing.T) {
						a := bed.Open(t, bed.Request{Addr: at, Path: path, Body: f.body(t, api, false)})
						if f.code != "" {
							wantRefused(t, a, a.Status, f.code)
						} else if body := a.Body(); a.Status != 200 || !strings.Contains(body, `"`+toFive) || !a.Clean() {
							t.Errorf("%d %q, clean %v", a.Status, body, a.Clean())
						}
					})
				}
			}
		}
	}
}

// wantOutcome checks the stream that a fault makes.
func wantOutcome(t *testing.T, f fault, a *bed.Stream) {
	t.Helper()
	switch {
	case f.code == "":
		if said := text(t, wantStream(t, a)); said != f.want() {
			t.Errorf("the stream says %q", tail(said))
		}
	case a.Status != 200:
		wantRefused(t, a, a.Status, f.code)
	default:
		e := wantBroken(t, a, f.code)
		if n, _ := e.Details["events_delivered"].(float64); int(n) != len(a.Events())-1 {
			t.Errorf("details say %v events were delivered, it were %d", e.Details["events_delivered"], len(a.Events())-1)
		}
		if said := text(t, strings.TrimSuffix(a.Body(), a.Events()[len(a.Events())-1].Bytes)); !strings.HasPrefix(f.want(), said) {
			t.Errorf("before the error it said %q", tail(said))
		}
	}
}

// Issue 4, bar 3: in what SDKs give their callers; in the short form through
// Traefik only, since both doors send the same.
func TestIssue4Bar3OutcomesInSDKs(t *testing.T) {
	at := doors(t, faultModels)
	if !bed.Long() {
		delete(at, "sidecar")
	}
	for _, sdk := range bed.SDKs(t) {
		t.Run(sdk.Name, func(t *testing.T) {
			t.Parallel()
			c := sdk.Run(t)
			cells := 0
			for door, to := range at {
				for _, f := range faults() {
					if f.knobs["bytes"] == 33<<20 && !bed.Long() {
						continue // the sidecar ends it: the wire's test has seen how
					}
					for _, api := range []string{"chat", "completion"} {
						for _, stream := range []bool{true, false} {
							if !stream && !f.plain {
								continue
							}
							cells++
							job := bed.Job{
								ID: fmt.Sprintf("%s, %s, %s, stream=%v", door, f.name, api, stream), BaseURL: "http://" + to + "/v1",
								API: api, Stream: stream, Model: f.model(), Prompt: prompt, Extra: f.extra(), Timeout: 30,
							}
							wantSeen(t, f, job, c.Do(job))
						}
					}
				}
			}
			t.Logf("%d cells", cells)
		})
	}
}

// wantSeen checks what an SDK made of a fault.
func wantSeen(t *testing.T, f fault, job bed.Job, lines []bed.Line) {
	t.Helper()
	last, said := lines[len(lines)-1], bed.Text(lines)
	switch {
	case f.code == "" && (last.Kind != "done" || said != f.want()):
		t.Errorf("%s: %s %s, text %q", job.ID, last.Kind, last.Message, tail(said))
	case f.code != "" && last.Kind == "done":
		t.Errorf("%s: the SDK took it for a success: %q", job.ID, tail(said))
	case f.code != "" && (last.Code != f.code || last.Message == ""):
		t.Errorf("%s: %s code %q, want %s: %s", job.ID, last.Class, last.Code, f.code, last.Message)
	case !strings.HasPrefix(f.want(), said):
		t.Errorf("%s: before the error it said %q", job.ID, tail(said))
	}
}
