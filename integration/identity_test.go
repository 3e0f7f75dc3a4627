package integration

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/hal0-dev/hal0/integration/bed"
)

// Bar 2: what a client gets is what the engine sent on that connection, byte
// for byte, and what the engine would have said without us.
func TestBar2EngineBytesArriveUnchanged(t *testing.T) {
	s := alone(t)
	for name, c := range map[string]struct {
		path, body string
		stream     bool
	}{
		"chat stream":         {chatPath, chat("primary", true), true},
		"chat with usage":     {chatPath, chat("primary", true, `"stream_options":{"include_usage":true}`), true},
		"chat":                {chatPath, chat("primary", false), false},
		"completion stream":   {completionPath, completion("primary", true, `"max_tokens":64`), true},
		"completion":          {completionPath, completion("primary", false, `"max_tokens":64`), false},
		"unknown field":       {chatPath, chat("primary", true, `"x_unknown":{"a":[1,2]}`), true},
		"alias":               {chatPath, chat("gpt-4o-mini", true), true},
		"no model, a default": {chatPath, `{"stream":true,"messages":[{"role":"user","content":"Count to five."}]}`, true},
	} {
		t.Run(name, func(t *testing.T) {
			before := len(s.Exchanges(c.path))
			answer := bed.Open(t, bed.Request{Addr: addr(s), Path: c.path, Body: c.body})
			var got string
			if c.stream {
				got = wantStream(t, answer)
				if said := strings.TrimSpace(text(t, got)); said != counted {
					t.Errorf("the stream says %q", said)
				}
				if n := len(events(t, got)); n < 20 {
					t.Errorf("%d events: not token by token", n)
				}
			} else {
				got = answer.Body()
				if answer.Status != 200 || !strings.Contains(got, counted) {
					t.Errorf("%d %s", answer.Status, got)
				}
			}
			seen := s.Exchanges(c.path)[before:]
			if len(seen) != 1 {
				t.Fatalf("the engine saw %d requests, want 1", len(seen))
			}
			sent := withoutPings(string(seen[0].Body))
			if got != sent {
				t.Errorf("the client got other bytes than the engine sent\n got %q\nsent %q", got, sent)
			}
			launches := s.Launches()
			status, direct := launches[len(launches)-1].Direct(t, c.path, string(seen[0].Request))
			if status != 200 || !reflect.DeepEqual(masked(t, got), masked(t, withoutPings(string(direct)))) {
				t.Errorf("not what the engine says by itself:\n   got %q\ndirect %q", got, direct)
			}
		})
	}
}

func addr(s *bed.Sidecar) string { return strings.TrimPrefix(s.DataURL(), "http://") }

// withoutPings drops the comments by which llama-server shows that it lives.
func withoutPings(body string) string {
	var b strings.Builder
	for _, frame := range strings.SplitAfter(body, "\n\n") {
		if frame != ":\n\n" {
			b.WriteString(frame)
		}
	}
	return b.String()
}

// masked is an answer without what differs between two runs of one request.
func masked(t *testing.T, body string) []any {
	t.Helper()
	var all []any
	for _, line := range strings.Split(body, "\n") {
		line = strings.TrimPrefix(line, "data: ")
		if line == "" || line == "[DONE]" {
			all = append(all, line)
			continue
		}
		var v map[string]any
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			t.Fatalf("no JSON: %q", line)
		}
		delete(v, "id")
		delete(v, "created")
		delete(v, "timings")
		if usage, ok := v["usage"].(map[string]any); ok {
			delete(usage, "prompt_tokens_details") // how much of the prompt the request before left in the cache
		}
		all = append(all, v)
	}
	return all
}
