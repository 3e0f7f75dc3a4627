package relay_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hal0-dev/hal0/plugin/wire"
	"github.com/hal0-dev/hal0/sidecar/internal/hub"
	"github.com/hal0-dev/hal0/sidecar/internal/relay"
	"github.com/hal0-dev/hal0/sidecar/internal/slot"
)

// Whatever engines put into their events reaches clients byte for byte: fields
// that nobody here knows, words that look like endings or errors inside others,
// odd spacing, images.
func TestEventsAreNotTouched(t *testing.T) {
	for path, events := range map[string][]string{
		"/v1/chat/completions": {
			`data: {"id":"x","choices":[{"index":0,"delta":{"role":"assistant","content":null},"finish_reason":null}],"error":null}`,
			`data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"c","type":"function","function":{"name":"f","arguments":"{\"error\":{\"a\":1}}"}}]}}]}`,
			`data: {"choices":[{"delta":{"content":"\"finish_reason\":\"stop\",\"error\":{}"},"logprobs":{"content":[{"token":"a","logprob":-1.0e-1,"bytes":[97]}]}}]}`,
			`data: { "choices" : [ { "delta":{"reasoning_content":"h\u006dm","x_unknown":{"a":[1.0,1e2,12345678901234567890]}} } ] }`,
			`data: {"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}],"timings":{"prompt_ms":1.50}}`,
			`data: {"choices":[],"usage":{"prompt_tokens":1},"object":"x"}`,
			`data: [DONE]`,
		},
		"/v1/responses": {
			"event: response.created\n" + `data: {"type":"response.created","sequence_number":0,"response":{"id":"r","error":null}}`,
			"event: response.function_call_arguments.delta\n" + `data: {"type":"response.function_call_arguments.delta","sequence_number":1,"delta":"{\"error\":"}`,
			"event: response.some_day.delta\n" + `data: {"type":"response.some_day.delta", "sequence_number":2,"error_like":{"error":"x"}}`,
			"event: response.completed\n" + `data: {"type":"response.completed","sequence_number":3,"response":{"id":"r","error":null}}`,
		},
		"/v1/messages": {
			"event: message_start\n" + `data: {"type":"message_start","message":{"id":"m","usage":{"input_tokens":1}}}`,
			"event: content_block_delta\n" + `data: {"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{\"error\":{}}"}}`,
			"event: content_block_delta\n" + `data: {"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"…"}}`,
			"event: some_day\n" + `data: {"type":"some_day"}`,
			"event: message_stop\n" + `data: {"type":"message_stop"}`,
		},
		"/v1/images/generations": {
			"event: image_generation.partial_image\n" + `data: {"type":"image_generation.partial_image","b64_json":"` + strings.Repeat("A", 30<<20) + `"}`,
			"event: image_generation.completed\n" + `data: {"type":"image_generation.completed","b64_json":"` + strings.Repeat("B", 5<<20) + `"}`,
		},
		"/v1/infill": {
			`data: {"content":" one","stop":false,"tokens":[1]}`,
			`data: {"content":"","stop":true,"stop_type":"eos","timings":{}}`,
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			sent := strings.Join(events, "\n\n") + "\n\n"
			b := newBench(t, streams(sent))
			got, out := read(b.open(t, ask(t, path, `{"stream":true,"prompt":"x"}`)))
			if got != sent || out.Kind != relay.Complete {
				t.Errorf("%s: %d bytes of %d, %v %s\n%.500s", path, len(got), len(sent), out.Kind, out.Failure.Code, got)
			}
		})
	}
}

// A body that is no stream of events is passed on as it comes, too.
func TestBytesArriveAsTheyAreSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		more := make(chan struct{})
		b := newBench(t, func(w http.ResponseWriter, r *http.Request) {
			answers(200, "audio/wav", "RIFF")(w, r)
			w.(http.Flusher).Flush()
			<-more
			io.WriteString(w, "\x00\x01data")
		})
		s := b.open(t, ask(t, "/v1/audio/speech", `{"input":"x"}`))
		synctest.Wait()
		if frames, state := s.Take(); len(frames) != 1 || string(frames[0]) != "RIFF" || state != hub.Open {
			t.Errorf("first came %q, %v", frames, state)
		}
		time.Sleep(time.Minute) // nothing is due meanwhile
		close(more)
		if text, out := read(s); text != "\x00\x01data" || out.Kind != relay.Complete {
			t.Errorf("then came %q, %+v", text, out)
		}
		if head, _ := s.Head(); head.SSE || head.Header.Get("Content-Type") != "audio/wav" {
			t.Errorf("%+v", head)
		}
	})
}

// How a family tells what became of a stream does not depend on what became of
// its engine.
func TestEveryLossInEveryFamily(t *testing.T) {
	for path, event := range map[string]string{
		"/v1/chat/completions": one,
		"/v1/completions":      "data: {\"choices\":[{\"text\":\" one\"}]}\n\n",
		"/v1/responses":        "event: response.created\ndata: {\"type\":\"response.created\",\"sequence_number\":0,\"response\":{\"id\":\"r\"}}\n\n",
		"/v1/messages":         "event: message_start\ndata: {\"type\":\"message_start\"}\n\n",
	} {
		for loss, code := range map[slot.Loss]string{
			{Why: slot.WhyCrashed, Exit: slot.Exit{Class: slot.ClassCrash}}: wire.CodeCrashed,
			{Why: slot.WhyCrashed, Exit: slot.Exit{Class: slot.ClassGPU}}:   wire.CodeDeviceLost,
			{Why: slot.WhyHung}:     wire.CodeStalled,
			{Why: slot.WhyEvicted}:  wire.CodeUnloading,
			{Why: slot.WhyShutdown}: wire.CodeShutdown,
		} {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, func(w http.ResponseWriter, r *http.Request) {
					streams(event)(w, r)
					<-r.Context().Done()
				})
				s := b.open(t, ask(t, path, `{"stream":true}`))
				synctest.Wait()
				b.slots.Leased()[0].Lose(loss)
				text, out := read(s)
				last := string(out.Final(s.Family(), out.Failure))
				if text != event || out.Failure.Code != code {
					t.Errorf("%s, %v: %q, %+v", path, loss.Why, text, out)
				}
				begin := map[string]string{
					wire.FamilyResponses: "event: response.failed\ndata: {\"type\":\"response.failed\",\"sequence_number\":1,",
					wire.FamilyMessages:  "event: error\ndata: {\"type\":\"error\",\"error\":{",
				}[s.Family()]
				if begin == "" {
					begin = "data: {\"error\":{\"message\":"
				}
				if !strings.HasPrefix(last, begin) || !strings.HasSuffix(last, "}\n\n") || !strings.Contains(last, code) {
					t.Errorf("%s, %v ends with %q", path, loss.Why, last)
				}
			})
		}
	}
}
