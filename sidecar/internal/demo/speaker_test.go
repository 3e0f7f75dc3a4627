package demo

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

const (
	askResponses = `"input":[{"role":"user","content":[{"type":"input_text","text":"Count to three."}]}]`
	askMessages  = `"messages":[{"role":"user","content":"Count to three."}]`
)

// spokenIn returns the names of a stream's events and its text; the names agree with the
// types, the sequence numbers with the order.
func spokenIn(t *testing.T, body string) (names []string, text string) {
	t.Helper()
	for i, e := range strings.Split(strings.TrimSuffix(body, "\n\n"), "\n\n") {
		var name string
		var data struct {
			Type   string
			Number *int `json:"sequence_number"`
			Delta  any
		}
		head, rest, _ := strings.Cut(e, "\ndata: ")
		if _, err := fmt.Sscanf(head, "event: %s", &name); err != nil {
			t.Fatalf("%q: %v", e, err)
		}
		if err := json.Unmarshal([]byte(rest), &data); err != nil || data.Type != name {
			t.Fatalf("%q: %v", e, err)
		}
		if data.Number != nil && *data.Number != i {
			t.Errorf("event %d has number %d", i, *data.Number)
		}
		switch d := data.Delta.(type) {
		case string:
			text += d
		case map[string]any:
			more, _ := d["text"].(string)
			text += more
		}
		names = append(names, name)
	}
	return names, text
}

func TestNamedStreams(t *testing.T) {
	url := serve(t, nil)
	for _, c := range []struct{ path, body, limit, names string }{
		{"/v1/responses", askResponses, "",
			"response.created response.in_progress response.output_item.added response.content_part.added " + strings.Repeat("response.output_text.delta ", 3) +
				"response.output_text.done response.content_part.done response.output_item.done response.completed"},
		{"/v1/responses", `"input":"Count to three."`, `"max_output_tokens":2,`,
			"response.created response.in_progress response.output_item.added response.content_part.added " + strings.Repeat("response.output_text.delta ", 2) +
				"response.output_text.done response.content_part.done response.output_item.done response.incomplete"},
		{"/v1/messages", askMessages, "",
			"message_start content_block_start " + strings.Repeat("content_block_delta ", 3) + "content_block_stop message_delta message_stop"},
		{"/v1/messages", askMessages, `"stop_sequences":[" three"],`,
			"message_start content_block_start " + strings.Repeat("content_block_delta ", 2) + "content_block_stop message_delta message_stop"},
	} {
		_, body, err := post(t, url, c.path, `{"stream":true,`+c.limit+c.body+`}`)
		if err != nil {
			t.Fatal(err)
		}
		names, text := spokenIn(t, body)
		want := " one two three"
		if c.limit != "" {
			want = " one two"
		}
		if got := strings.Join(names, " "); got != c.names || text != want {
			t.Errorf("%s: %s: %q", c.path, got, text)
		}
	}
}

func TestNamedWhole(t *testing.T) {
	url := serve(t, nil)
	for path, c := range map[string]struct{ ask, want string }{
		"/v1/responses": {askResponses, `"status":"completed"`},
		"/v1/messages":  {askMessages, `"stop_reason":"end_turn"`},
	} {
		_, body, err := post(t, url, path, `{`+c.ask+`}`)
		if err != nil || !strings.Contains(body, `"text":" one two three"`) || !strings.Contains(body, c.want) {
			t.Errorf("%s: %s %v", path, body, err)
		}
	}
}

// A fault at an event leaves exactly the events before it.
func TestFaultAtEvent(t *testing.T) {
	url := serve(t, nil)
	for path, c := range map[string]struct {
		ask    string
		events int
	}{
		"/v1/chat/completions": {askMessages, 6}, "/v1/completions": {`"prompt":"Count to three."`, 5},
		"/v1/responses": {askResponses, 11}, "/v1/messages": {askMessages, 8},
	} {
		for at := 1; at <= c.events+1; at++ {
			_, body, err := post(t, url, path, fmt.Sprintf(`{"stream":true,%s,"hal0_demo":{"fault":"eof","event":%d}}`, c.ask, at))
			if n := strings.Count(body, "\n\n"); err != nil || n != min(at-1, c.events) {
				t.Errorf("%s, at %d: %d events, %v", path, at, n, err)
			}
		}
	}
}
