package integration

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/hal0-dev/hal0/integration/bed"
)

// llama-server serves some endpoints under other paths than /v1/…, and others
// not at all; clients know one set of paths.
func TestEndpointsOfRealEngine(t *testing.T) {
	bed.Tool(t, "llama-server")
	bed.Tool(t, "traefik")
	bed.Model(t, "count.gguf")
	s := bed.NewSidecar(t, "allow: {args: [--pooling]}\n").Start()
	e := bed.NewEdge(t, s, bed.Middleware(`
default: primary
models:
  primary: {model: count.gguf, context: "512", capabilities: "chat,completion,transcription,speech,image,moderation"}
  vectors: {model: count.gguf, context: "512", capabilities: embedding, args: "--pooling,mean"}
  ranks: {model: count.gguf, context: "512", capabilities: rerank}
`))
	post := func(path, body string) *bed.Stream {
		return bed.Open(t, bed.Request{Addr: e.Web("127.0.0.1"), Path: path, Body: body})
	}
	var tokens []any
	for _, c := range []struct {
		path, body, field string
		check             func(any) bool
	}{
		{"/v1/tokenize", `{"content":" two five"}`, "tokens", func(v any) bool {
			tokens, _ = v.([]any)
			return len(tokens) == 2
		}},
		{"/v1/detokenize", ``, "content", func(v any) bool { return v == " two five" }},
		{"/v1/messages/count_tokens", `{"messages":[{"role":"user","content":"hi"}]}`, "input_tokens", func(v any) bool { return v.(float64) > 1 }},
		{"/v1/embeddings", `{"model":"vectors","input":["one","two"]}`, "data", func(v any) bool { return len(v.([]any)) == 2 }},
		{"/v1/embeddings", `{"model":"vectors","input":"one","encoding_format":"base64"}`, "data", func(v any) bool {
			_, text := v.([]any)[0].(map[string]any)["embedding"].(string)
			return text
		}},
		{"/v1/rerank", `{"model":"ranks","query":"a","documents":["a","b"]}`, "results", func(v any) bool { return len(v.([]any)) == 2 }},
		{"/v1/rerankings", `{"model":"ranks","query":"a","documents":["a","b"]}`, "results", func(v any) bool { return len(v.([]any)) == 2 }},
	} {
		body := c.body
		if c.path == "/v1/detokenize" {
			b, err := json.Marshal(map[string]any{"tokens": tokens})
			if err != nil {
				t.Fatal(err)
			}
			body = string(b)
		}
		a := post(c.path, body)
		var answer map[string]any
		if text := a.Body(); a.Status != 200 || json.Unmarshal([]byte(text), &answer) != nil || answer[c.field] == nil || !c.check(answer[c.field]) {
			t.Errorf("%s %s: %d %s", c.path, body, a.Status, text)
		}
	}
	// What the model, or llama-server, cannot do: the engine's own words where it
	// knows the endpoint, ours where it does not.
	var said []string
	for _, path := range []string{"/v1/infill", "/v1/audio/transcriptions", "/v1/audio/speech", "/v1/moderations", "/v1/images/generations"} {
		r := bed.Request{Addr: e.Web("127.0.0.1"), Path: path, Body: `{"input":"a","input_prefix":"a","input_suffix":"b"}`}
		if path == "/v1/audio/transcriptions" {
			r.Header = map[string]string{"Content-Type": "multipart/form-data; boundary=b"}
			r.Body = "--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nprimary\r\n--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\n\r\nRIFF\r\n--b--\r\n"
		}
		said = append(said, wantRefused(t, bed.Open(t, r), 400, "request.capability").Message)
	}
	const unserved = "the model's engine does not serve this endpoint"
	want := []string{
		"Infill is not supported by this model: prefix token is missing. suffix token is missing. middle token is missing.",
		"The current model does not support audio input.", unserved, unserved, unserved,
	}
	if !reflect.DeepEqual(said, want) {
		t.Errorf("refusals say %q, want %q", said, want)
	}
}
