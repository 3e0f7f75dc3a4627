package integration

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/hal0-dev/hal0/integration/bed"
)

// family is one API of four, as llama-server itself serves it.
type family struct {
	name, path, body string
	ended            func(t testing.TB, events []bed.Frame)
}

const manyTokens = 400

func families() []family {
	return []family{
		{"chat", chatPath, `"stream":true,"max_tokens":%d,"messages":[{"role":"user","content":"Count."}]`, endedByEnvelope},
		{"completions", completionPath, `"stream":true,"max_tokens":%d,"prompt":"Count."`, endedByEnvelope},
		{"responses", "/v1/responses", `"stream":true,"max_output_tokens":%d,"input":"Count."`, endedByResponseFailed},
		{"messages", "/v1/messages", `"stream":true,"max_tokens":%d,"messages":[{"role":"user","content":"Count."}]`, endedByErrorEvent},
	}
}

func endedByEnvelope(t testing.TB, events []bed.Frame) {
	t.Helper()
	for i, e := range events {
		if f := bed.ErrorIn(e.Bytes); (f.Code == "slot.crashed") != (i == len(events)-1) {
			t.Errorf("event %d of %d: %q", i, len(events), e.Bytes)
		}
	}
}

// named takes an event with a name apart.
func named(t testing.TB, f bed.Frame) (name string, data struct {
	Type     string
	Sequence *int `json:"sequence_number"`
	Error    bed.Error
	Response struct {
		Status string
		Error  bed.Error
	}
}) {
	t.Helper()
	line, rest, _ := strings.Cut(f.Bytes, "\n")
	name, ok := strings.CutPrefix(line, "event: ")
	text, also := strings.CutPrefix(rest, "data: ")
	if !ok || !also || !strings.HasSuffix(text, "\n\n") || json.Unmarshal([]byte(text), &data) != nil || data.Type != name {
		t.Errorf("not an event with a name: %q", f.Bytes)
	}
	return name, data
}

func endedByResponseFailed(t testing.TB, events []bed.Frame) {
	t.Helper()
	sequence := -1
	for i, f := range events {
		name, data := named(t, f)
		if (name == "response.failed") != (i == len(events)-1) || name == "error" || name == "response.completed" {
			t.Errorf("event %d of %d: %q", i, len(events), f.Bytes)
		}
		if data.Sequence != nil {
			if *data.Sequence <= sequence {
				t.Errorf("event %d has number %d after %d", i, *data.Sequence, sequence)
			}
			sequence = *data.Sequence
		}
		if last := i == len(events)-1; last && (data.Sequence == nil || data.Response.Status != "failed" || data.Response.Error.Code != "slot.crashed") {
			t.Errorf("the last event: %q", f.Bytes)
		}
	}
}

func endedByErrorEvent(t testing.TB, events []bed.Frame) {
	t.Helper()
	for i, f := range events {
		name, data := named(t, f)
		if (name == "error") != (i == len(events)-1) || name == "message_stop" {
			t.Errorf("event %d of %d: %q", i, len(events), f.Bytes)
		}
		if name == "error" && (data.Error.Type == "" || data.Error.Message == "") {
			t.Errorf("the last event: %q", f.Bytes)
		}
	}
}

// Issue 4, bar 7: a real llama-server is killed after any event of its answer,
// in the families that it serves itself.
func TestIssue4Bar7RealEngineKilled(t *testing.T) {
	bed.Tool(t, "llama-server")
	bed.Tool(t, "traefik")
	bed.Model(t, "slow.gguf")
	after := []int{1, 6}
	if bed.Long() {
		after = nil
		for i := 1; i <= 40; i++ {
			after = append(after, i)
		}
	}
	var config strings.Builder
	config.WriteString("\nmodels:\n")
	for _, f := range families() {
		for _, n := range after {
			fmt.Fprintf(&config, "  %s-%d: {model: slow.gguf, context: \"512\", memory: 300MiB}\n", f.name, n)
		}
	}
	s := bed.NewSidecar(t, "").Start()
	e := bed.NewEdge(t, s, bed.Middleware(config.String()))
	for _, f := range families() {
		t.Run(f.name, func(t *testing.T) {
			for _, n := range after {
				model := fmt.Sprintf("%s-%d", f.name, n)
				a := bed.Open(t, bed.Request{Addr: e.Web("127.0.0.1"), Path: f.path, Body: fmt.Sprintf(`{"model":%q,`+f.body+`}`, model, manyTokens)})
				if a.Status != 200 {
					t.Fatalf("%s: %d %s", model, a.Status, a.Body())
				}
				frames(t, a, n)
				launches := s.Launches()
				kill(t, launches[len(launches)-1].PID)
				got := a.Events()
				if !a.Clean() || len(got) <= n || strings.Contains(a.Body(), "[DONE]") {
					t.Errorf("%s: %d events, clean %v: %q", model, len(got), a.Clean(), tail(a.Body()))
				}
				f.ended(t, got)
			}
		})
	}
}
