package integration

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hal0-dev/hal0/integration/bed"
)

const (
	chatPath       = "/v1/chat/completions"
	completionPath = "/v1/completions"
	prompt         = "Count to five."
	counted        = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty"
)

// models is what the tests serve, as the plugin's labels and hal0.yml's route
// say it: primary counts to twenty, slow streams at a reader's pace, big takes
// seconds to load, demo is the engine that is built in.
const models = `
default: primary
models:
  primary:
    model: count.gguf
    context: "1024"
    aliases: gpt-4o-mini
  slow:
    model: slow.gguf
    context: "2048"
  big:
    model: big.gguf
    context: "2048"
  demo:
    engine: demo
    parallel: "8"
`

// route is hal0.yml with the models as the sidecar's own route.
func route(models string) string {
	return "route:" + strings.ReplaceAll(models, "\n", "\n  ") + "\n"
}

// alone starts a sidecar that serves the models without Traefik.
func alone(t testing.TB) *bed.Sidecar {
	t.Helper()
	bed.Tool(t, "llama-server")
	bed.Model(t, "count.gguf")
	return bed.NewSidecar(t, route(models)).Start()
}

// stack starts a sidecar and a Traefik in front of it.
func stack(t testing.TB) (*bed.Sidecar, *bed.Edge) {
	t.Helper()
	bed.Tool(t, "llama-server")
	bed.Model(t, "count.gguf")
	bed.Tool(t, "traefik")
	s := bed.NewSidecar(t, "").Start()
	return s, bed.NewEdge(t, s, models)
}

// chat is the body of a chat request.
func chat(model string, stream bool, more ...string) string {
	return body(model, stream, `"messages":[{"role":"user","content":"`+prompt+`"}]`, more...)
}

// completion is the body of a legacy request.
func completion(model string, stream bool, more ...string) string {
	return body(model, stream, `"prompt":"`+prompt+`"`, more...)
}

func body(model string, stream bool, input string, more ...string) string {
	parts := append([]string{fmt.Sprintf(`"model":%q,"stream":%v`, model, stream), input}, more...)
	return "{" + strings.Join(parts, ",") + "}"
}

// text is what the events of a stream say together.
func text(t testing.TB, body string) string {
	t.Helper()
	var b strings.Builder
	for _, event := range strings.SplitAfter(body, "\n\n") {
		data, ok := strings.CutPrefix(event, "data: ")
		if !ok || strings.HasPrefix(data, "[DONE]") {
			continue
		}
		var chunk struct {
			Choices []struct {
				Text  string
				Delta struct{ Content string }
			}
		}
		if err := json.Unmarshal([]byte(data), &chunk); err != nil {
			t.Errorf("event is no JSON: %q", event)
		}
		if len(chunk.Choices) > 0 {
			b.WriteString(chunk.Choices[0].Text + chunk.Choices[0].Delta.Content)
		}
	}
	return b.String()
}

// events checks that a body is nothing but whole one-line events, and returns
// them.
func events(t testing.TB, body string) []string {
	t.Helper()
	if body == "" {
		return nil
	}
	if !strings.HasSuffix(body, "\n\n") {
		t.Errorf("the body ends in the middle of an event: %q", tail(body))
	}
	all := strings.SplitAfter(strings.TrimSuffix(body, "\n\n"), "\n\n")
	for _, e := range all {
		if line := strings.TrimSuffix(e, "\n\n"); !strings.HasPrefix(line, "data: ") || strings.Contains(line, "\n") {
			t.Errorf("not one whole event: %q", e)
		}
	}
	return all
}

func tail(s string) string { return s[max(0, len(s)-300):] }

// wantStream checks a stream that succeeded: SSE, whole events, a proper end.
func wantStream(t testing.TB, s *bed.Stream) string {
	t.Helper()
	if s.Status != http.StatusOK {
		t.Fatalf("status %d: %s", s.Status, s.Body())
	}
	if ct := s.Header.Get("Content-Type"); !strings.HasPrefix(ct, "text/event-stream") {
		t.Errorf("Content-Type %q", ct)
	}
	body := s.Body()
	events(t, body)
	if !strings.HasSuffix(body, "data: [DONE]\n\n") || strings.Count(body, "[DONE]") != 1 || !s.Clean() {
		t.Errorf("the stream does not end as it should: %q, clean %v", tail(body), s.Clean())
	}
	return body
}

// wantBroken checks a stream that could not go on: one error event with the
// code, nothing after it, and a clean end of the body.
func wantBroken(t testing.TB, s *bed.Stream, codes ...string) bed.Error {
	t.Helper()
	body := s.Body()
	all := events(t, body)
	if strings.Contains(body, "[DONE]") {
		t.Error("a broken stream says [DONE]")
	}
	if !s.Clean() {
		t.Error("the body of a broken stream has no clean end")
	}
	if strings.Count(body, `"error"`) != 1 {
		t.Errorf("want one error event: %q", tail(body))
	}
	if len(all) == 0 {
		t.Fatal("the stream is empty")
	}
	e := bed.ErrorIn(all[len(all)-1])
	wantCode(t, e, codes...)
	return e
}

// wantCode checks an error envelope.
func wantCode(t testing.TB, e bed.Error, codes ...string) {
	t.Helper()
	found := false
	for _, c := range codes {
		found = found || e.Code == c
	}
	if !found || e.Message == "" || e.Type == "" || e.Details == nil {
		t.Errorf("error %+v, want code %v with message, type and details", e, codes)
	}
}

// wantRefused checks an answer that is an error from its head on.
func wantRefused(t testing.TB, s *bed.Stream, status int, codes ...string) bed.Error {
	t.Helper()
	body := s.Body()
	if s.Status != status {
		t.Errorf("status %d, want %d: %s", s.Status, status, body)
	}
	if ct := s.Header.Get("Content-Type"); !strings.HasPrefix(ct, "application/json") {
		t.Errorf("Content-Type %q", ct)
	}
	if s.Header.Get("X-Request-Id") == "" {
		t.Error("no X-Request-Id")
	}
	if (s.Status == 503 || s.Status == 429) && s.Header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	e := bed.ErrorIn(body)
	wantCode(t, e, codes...)
	return e
}

// frames reads n events of a stream, heartbeats aside.
func frames(t testing.TB, s *bed.Stream, n int) []bed.Frame {
	t.Helper()
	var got []bed.Frame
	for len(got) < n {
		f, ok := s.Next()
		if !ok {
			t.Fatalf("the stream ended after %d events", len(got))
		}
		if f.Bytes != bed.Heartbeat {
			got = append(got, f)
		}
	}
	return got
}

// within fails the test when something took longer than it may.
func within(t testing.TB, what string, took, limit time.Duration) {
	t.Helper()
	t.Logf("%s: %v", what, took.Round(100*time.Microsecond))
	if took > limit {
		t.Errorf("%s took %v, at most %v is promised", what, took, limit)
	}
}

// middle is the median and the worst of some times.
func middle(took []time.Duration) (p50, worst time.Duration) {
	sorted := slices.Sorted(slices.Values(took))
	return sorted[len(sorted)/2].Round(10 * time.Microsecond), sorted[len(sorted)-1].Round(10 * time.Microsecond)
}
