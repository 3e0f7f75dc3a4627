package relay

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/hal0-dev/hal0/plugin/wire"
	"github.com/hal0-dev/hal0/sidecar/internal/sse"
)

// meaning of an event for the stream it is part of.
type meaning uint8

const (
	content  meaning = iota + 1 // goes to clients
	finish                      // goes to clients; the answer is whole, the stream's last event may follow
	last                        // goes to clients; nothing may follow
	ping                        // life, not for clients
	mishap                      // the engine's error, to be told in our words
	terminal                    // goes to clients; it is the family's own telling of a failure
)

func (m meaning) String() string {
	switch m {
	case content:
		return "content"
	case finish:
		return "finish"
	case last:
		return "last"
	case ping:
		return "ping"
	case mishap:
		return "mishap"
	case terminal:
		return "terminal"
	}
	return "invalid"
}

// style is what sets a family's streams apart.
type style struct {
	names bool                     // events have names
	read  func(*sse.Event) meaning // what one means
	done  []byte                   // the event that ends a stream where the engine forgot it
}

var doneData = []byte("[DONE]")

func styleOf(family string) style {
	switch family {
	case wire.FamilyChat, wire.FamilyCompletions:
		return style{read: readChat, done: sse.Encode("", doneData).Bytes}
	case wire.FamilyResponses:
		return style{names: true, read: readResponses}
	case wire.FamilyMessages:
		return style{names: true, read: readMessages}
	}
	return style{names: true, read: readPlain}
}

// word is a quoted name that events are searched for. The search goes by a
// part of it that begins with a byte, or two, that are rare in events; by the
// quote it would take ten times as long.
type word struct{ front, back []byte }

var (
	finishReason = word{[]byte(`"finish`), []byte(`_reason"`)}
	errorText    = word{[]byte(`"e`), []byte(`rror"`)}
)

// in returns the rest of data behind the word.
func (w word) in(data []byte) ([]byte, bool) {
	for from := 0; ; {
		i := bytes.Index(data[from:], w.back)
		if i < 0 {
			return nil, false
		}
		i += from
		from = i + len(w.back)
		if bytes.HasSuffix(data[:i], w.front) {
			return data[from:], true
		}
	}
}

// mentionsError reports whether data may be an error.
func mentionsError(data []byte) bool {
	_, ok := errorText.in(data)
	return ok
}

// readChat reads an event of chat/completions and completions.
func readChat(e *sse.Event) meaning {
	switch {
	case bytes.Equal(e.Data, doneData):
		return last
	case e.Name == "error":
		return mishap
	}
	named, values := valuesOf(e.Data, finishReason)
	switch {
	case named > 0 && values == 0: // a chunk as most are
		return content
	case mentionsError(e.Data) && isError(e.Data):
		return mishap
	case values > 0:
		return finish
	}
	return content
}

// finishes is how many choices an event finishes.
func finishes(e *sse.Event) int {
	_, values := valuesOf(e.Data, finishReason)
	return max(values, 1)
}

// choicesOf is how many choices a request makes an engine answer with.
func choicesOf(o object) int {
	n, err := strconv.Atoi(string(o.raw("n")))
	if err != nil || n < 1 {
		n = 1
	}
	var prompts []json.RawMessage
	if json.Unmarshal(o.raw("prompt"), &prompts) != nil || len(prompts) == 0 {
		return n
	}
	if first := prompts[0]; first[0] != '"' && first[0] != '[' { // the tokens of one
		return n
	}
	return n * len(prompts)
}

// readResponses reads an event of /v1/responses.
func readResponses(e *sse.Event) meaning {
	switch kind := kindOf(e); kind {
	case "response.completed", "response.incomplete":
		return last
	case "response.failed":
		return terminal
	case "error":
		return mishap
	case "keepalive", "ping":
		return ping
	case "":
		if bytes.Equal(e.Data, doneData) { // some engines add it; the family has none
			return ping
		}
		if mentionsError(e.Data) && isError(e.Data) {
			return mishap
		}
	}
	return content
}

// readMessages reads an event of Anthropic's /v1/messages.
func readMessages(e *sse.Event) meaning {
	switch kindOf(e) {
	case "ping":
		return ping
	case "error":
		return mishap
	case "message_stop":
		return last
	case "":
		if bytes.Equal(e.Data, doneData) {
			return ping
		}
		if mentionsError(e.Data) && isError(e.Data) {
			return mishap
		}
	}
	return content
}

// typedStreams begin the types of events whose last one is known: it ends with
// ".done" or ".completed".
var typedStreams = []string{"speech.", "transcript.", "image_generation.", "image_edit."}

// readPlain reads an event of an endpoint whose answer is usually one body:
// speech, transcription, images, llama.cpp's infill. Where nothing says which
// event is the last, any may be.
func readPlain(e *sse.Event) meaning {
	kind := kindOf(e)
	switch {
	case bytes.Equal(e.Data, doneData):
		return last
	case kind == "error" || mentionsError(e.Data) && isError(e.Data):
		return mishap
	case kind == "ping" || kind == "keepalive":
		return ping
	case strings.HasSuffix(kind, ".done"), strings.HasSuffix(kind, ".completed"):
		return finish
	case bytes.Contains(e.Data, []byte(`"stop":false`)):
		return content
	}
	for _, prefix := range typedStreams {
		if strings.HasPrefix(kind, prefix) {
			return content
		}
	}
	return finish
}

// kindOf is an event's name, or the type that its data states.
func kindOf(e *sse.Event) string {
	if e.Name != "" && e.Name != "message" {
		return e.Name
	}
	if !bytes.Contains(e.Data, []byte(`"type"`)) {
		return ""
	}
	var typed struct {
		Type any `json:"type"`
	}
	if json.Unmarshal(e.Data, &typed) != nil {
		return ""
	}
	kind, _ := typed.Type.(string)
	return kind
}

// valuesOf counts where the word stands in the data as a member's name, and how
// many of those members have another value than null. Inside a string the
// word's quotes would be escaped.
func valuesOf(data []byte, w word) (named, values int) {
	for {
		rest, ok := w.in(data)
		if !ok {
			return named, values
		}
		data = rest
		if j := space(data, 0); j < len(data) && data[j] == ':' {
			named++
			if j = space(data, j+1); j < len(data) && !bytes.HasPrefix(data[j:], []byte("null")) {
				values++
			}
		}
	}
}

// isError reports whether data is an engine's error instead of a chunk:
// a member "error" that is not null, or one of the flat shapes.
func isError(data []byte) bool {
	var shape struct {
		Error  json.RawMessage `json:"error"`
		Object string          `json:"object"`
		Type   string          `json:"type"`
	}
	if json.Unmarshal(data, &shape) != nil {
		return false
	}
	switch string(bytes.TrimSpace(shape.Error)) {
	case "", "null":
		return shape.Object == "error" || shape.Type == "error"
	}
	return true
}
