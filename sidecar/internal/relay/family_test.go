package relay

import (
	"testing"

	"github.com/hal0-dev/hal0/plugin/wire"
	"github.com/hal0-dev/hal0/sidecar/internal/sse"
)

func TestMeanings(t *testing.T) {
	for _, c := range []struct {
		family, name, data string
		want               meaning
	}{
		{wire.FamilyChat, "", `[DONE]`, last},
		{wire.FamilyChat, "", `{"choices":[{"delta":{"content":"x"},"finish_reason":null}]}`, content},
		{wire.FamilyChat, "", `{"choices":[{"delta":{},"finish_reason": "stop"}]}`, finish},
		{wire.FamilyChat, "", `{"choices":[{"finish_reason" : null},{"finish_reason":"length"}]}`, finish},
		{wire.FamilyChat, "", `{"choices":[{"delta":{"content":"say \"finish_reason\":\"stop\" and \"error\""},"finish_reason":null}]}`, content},
		{wire.FamilyChat, "", `{"choices":[{"delta":{"content":"error"},"finish_reason":null}]}`, content},
		{wire.FamilyChat, "", `{"choices":[],"error":null}`, content},
		{wire.FamilyChat, "", `{"error":{"message":"x"}}`, mishap},
		{wire.FamilyChat, "", `{"choices":[{"finish_reason":"error"}],"error":{"message":"x"}}`, mishap},
		{wire.FamilyChat, "", `{"object":"error","message":"x"}`, mishap},
		{wire.FamilyChat, "error", `anything`, mishap},
		{wire.FamilyChat, "", `{"choices":[{"terror":"x","mirror":"y"}]}`, content},
		{wire.FamilyCompletions, "", `{"choices":[{"text":"","finish_reason":"stop"}]}`, finish},

		{wire.FamilyResponses, "response.created", `{"type":"response.created","response":{"error":null}}`, content},
		{wire.FamilyResponses, "response.completed", `{}`, last},
		{wire.FamilyResponses, "", `{"type":"response.completed"}`, last},
		{wire.FamilyResponses, "response.incomplete", `{}`, last},
		{wire.FamilyResponses, "response.failed", `{}`, terminal},
		{wire.FamilyResponses, "error", `{}`, mishap},
		{wire.FamilyResponses, "", `{"error":{"message":"x"}}`, mishap},
		{wire.FamilyResponses, "", `[DONE]`, ping},
		{wire.FamilyResponses, "keepalive", `{}`, ping},

		{wire.FamilyMessages, "message_start", `{}`, content},
		{wire.FamilyMessages, "", `{"type":"message_stop"}`, last},
		{wire.FamilyMessages, "ping", `{"type":"ping"}`, ping},
		{wire.FamilyMessages, "error", `{"type":"error"}`, mishap},
		{wire.FamilyMessages, "", `{"error":{"message":"x"}}`, mishap},

		{wire.FamilyPlain, "", `{"type":"transcript.text.delta","delta":"x"}`, content},
		{wire.FamilyPlain, "", `{"type":"transcript.text.done"}`, finish},
		{wire.FamilyPlain, "image_generation.partial_image", `{}`, content},
		{wire.FamilyPlain, "image_generation.completed", `{}`, finish},
		{wire.FamilyPlain, "speech.audio.delta", `{}`, content},
		{wire.FamilyPlain, "", `{"content":"x","stop":false}`, content},
		{wire.FamilyPlain, "", `{"content":"","stop":true}`, finish},
		{wire.FamilyPlain, "", `{"whatever":1}`, finish},
		{wire.FamilyPlain, "", `[DONE]`, last},
		{wire.FamilyPlain, "", `{"error":"x"}`, mishap},
	} {
		if got := styleOf(c.family).read(&sse.Event{Name: c.name, Data: []byte(c.data)}); got != c.want {
			t.Errorf("%s %q %s: %v, want %v", c.family, c.name, c.data, got, c.want)
		}
	}
}

func TestChoices(t *testing.T) {
	for body, want := range map[string]int{
		`{}`: 1, `{"n":3}`: 3, `{"n":null}`: 1, `{"n":0}`: 1, `{"n":"x"}`: 1,
		`{"prompt":"x"}`: 1, `{"prompt":["x","y"]}`: 2, `{"prompt":[1,2,3]}`: 1, `{"prompt":[[1],[2,3]],"n":2}`: 4, `{"prompt":[]}`: 1,
	} {
		o, err := parseObject([]byte(body))
		if err != nil {
			t.Fatal(err)
		}
		if got := choicesOf(o); got != want {
			t.Errorf("%s: %d choices, want %d", body, got, want)
		}
	}
}

func BenchmarkReadChat(b *testing.B) {
	e := &sse.Event{Data: []byte(`{"choices":[{"finish_reason":null,"index":0,"delta":{"content":" one"}}],"created":1795346565,"id":"chatcmpl-rAb0l6Nn4c141vIQpJQbxzqaf087z4J7","model":"mid","system_fingerprint":"b11669-Debian","object":"chat.completion.chunk"}`)}
	for b.Loop() {
		if readChat(e) != content {
			b.Fatal("misread")
		}
	}
}
