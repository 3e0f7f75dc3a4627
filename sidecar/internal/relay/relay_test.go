package relay_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hal0-dev/hal0/plugin/wire"
	"github.com/hal0-dev/hal0/sidecar/internal/hub"
	"github.com/hal0-dev/hal0/sidecar/internal/pool"
	"github.com/hal0-dev/hal0/sidecar/internal/relay"
	"github.com/hal0-dev/hal0/sidecar/internal/relay/relaytest"
	"github.com/hal0-dev/hal0/sidecar/internal/slot"
)

// bench is a relay between fake slots and an engine in memory.
type bench struct {
	*relay.Relay
	slots  *relaytest.Slots
	engine *relaytest.Engine

	mu    sync.Mutex
	calls []string // the bodies that the engine got
}

func newBench(t *testing.T, engine http.HandlerFunc) *bench {
	b := &bench{slots: &relaytest.Slots{}}
	b.engine = relaytest.NewEngine(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		b.mu.Lock()
		b.calls = append(b.calls, string(body))
		b.mu.Unlock()
		engine(w, r)
	}))
	b.Relay = relay.New(relay.Config{Slots: booting{b.slots, b.engine}, Dial: b.engine.Dial})
	t.Cleanup(func() { b.Close(context.Background()) })
	return b
}

// booting starts an engine that went down for whoever asks for its slot.
type booting struct {
	*relaytest.Slots
	engine *relaytest.Engine
}

func (s booting) Request(r pool.Request) relay.Ticket {
	s.engine.Restart()
	return s.Slots.Request(r)
}

func (b *bench) Calls() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.calls
}

// endpoint finds a row of the table of endpoints.
func endpoint(t testing.TB, path string) wire.Endpoint {
	t.Helper()
	e, code := wire.Match("POST", path)
	if code != "" {
		t.Fatalf("no endpoint %s: %s", path, code)
	}
	return e
}

func chat(t testing.TB, body string) relay.Request {
	return ask(t, "/v1/chat/completions", body)
}

func ask(t testing.TB, path, body string) relay.Request {
	return relay.Request{
		ID: "r1", Slot: "primary", Scope: "s", Lane: "s/1", Endpoint: endpoint(t, path),
		Model: wire.Model{Slot: "primary", Coalesce: wire.CoalesceCold}, Header: http.Header{},
		Body: []byte(body),
	}
}

func (b *bench) open(t *testing.T, r relay.Request) *relay.Subscription {
	t.Helper()
	s, err := b.Open(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Leave)
	return s
}

// read reads a subscription to its end.
func read(s *relay.Subscription) (string, relay.Outcome) {
	var all strings.Builder
	for {
		frames, state := s.Take()
		for _, f := range frames {
			all.Write(f)
		}
		if state != hub.Open {
			return all.String(), s.Outcome(state)
		}
		if len(frames) == 0 {
			<-s.Wake()
		}
	}
}

const (
	streamBody = `{"model":"gpt-4o-mini","stream":true,"messages":[{"role":"user","content":"Count."}]}`
	one        = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\" one\"},\"finish_reason\":null}]}\n\n"
	two        = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\" two\"},\"finish_reason\":null}]}\n\n"
	stop       = "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"
	done       = "data: [DONE]\n\n"
)

// streams answers with pieces, each flushed alone.
func streams(pieces ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for _, p := range pieces {
			if p == abort {
				panic(http.ErrAbortHandler)
			}
			io.WriteString(w, p)
			w.(http.Flusher).Flush()
		}
	}
}

const abort = "\x00abort"

// answers answers with one body.
func answers(status int, kind, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		w.WriteHeader(status)
		io.WriteString(w, body)
	}
}

func TestEndings(t *testing.T) {
	for _, c := range []struct {
		name   string
		body   string // "" = streamBody
		engine http.HandlerFunc
		frames string
		code   string // "" = complete
		text   string // in the message
	}{
		{name: "complete", engine: streams(one, two, stop, done), frames: one + two + stop + done},
		{name: "pings are swallowed", engine: streams(":\n\n", one, ":\n\n", stop, ": x\n", done), frames: one + stop + done},
		{name: "done is added", engine: streams(one, stop), frames: one + stop + done},
		{name: "done without its blank line", engine: streams(one, stop, "data: [DONE]"), frames: one + stop + done},
		{name: "done without finish", engine: streams(one, done), frames: one + done},
		{name: "nothing after done", engine: streams(one, stop, done, "garbage\n\n", one), frames: one + stop + done},
		{name: "crlf", engine: streams(strings.ReplaceAll(one+stop+done, "\n", "\r\n")), frames: one + stop + done},
		{name: "event names are dropped", engine: streams("event: message\n"+one, stop, done), frames: one + stop + done},
		{name: "usage behind finish", engine: streams(one, stop, "data: {\"choices\":[],\"usage\":{}}\n\n", done), frames: one + stop + "data: {\"choices\":[],\"usage\":{}}\n\n" + done},

		{name: "reset", engine: streams(one, two, abort), frames: one + two, code: wire.CodeTruncated},
		{name: "torn event", engine: streams(one, two[:20], abort), frames: one, code: wire.CodeTruncated},
		{name: "torn event, proper end", engine: streams(one, two[:20]), frames: one, code: wire.CodeTruncated},
		{name: "clean end without finish", engine: streams(one, two), frames: one + two, code: wire.CodeTruncated},
		{name: "only one of two choices", body: `{"stream":true,"n":2}`, engine: streams(one, stop), frames: one + stop, code: wire.CodeTruncated},
		{name: "both choices, done is added", body: `{"stream":true,"n":2}`, engine: streams(one, stop, stop), frames: one + stop + stop + done},
		{name: "one of two choices, then done", body: `{"stream":true,"n":2}`, engine: streams(one, stop, done), frames: one + stop + done},
		{name: "nothing at all", engine: streams(), code: wire.CodeTruncated},
		{name: "reset after finish", engine: streams(one, stop, abort), frames: one + stop + done},
		{name: "ollama's empty chunk", engine: streams(one, "data: {\"model\":\"\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"\"},\"finish_reason\":null}]}\n\n"),
			frames: one + "data: {\"model\":\"\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"\"},\"finish_reason\":null}]}\n\n", code: wire.CodeTruncated},

		{name: "llama.cpp error", engine: streams(one, "data: {\"error\":{\"code\":500,\"message\":\"boom\",\"type\":\"server_error\"}}\n\n"), frames: one, code: wire.CodeEngine, text: "boom"},
		{name: "old llama.cpp error", engine: streams(one, "error: {\"code\":500,\"message\":\"boom\"}\n\n"), frames: one, code: wire.CodeEngine, text: "boom"},
		{name: "vllm error", engine: streams(one, "data: {\"error\":{\"message\":\"boom\",\"type\":\"InternalServerError\",\"param\":null,\"code\":500}}\n\n", done), frames: one, code: wire.CodeEngine, text: "boom"},
		{name: "old vllm error", engine: streams(one, "data: {\"object\":\"error\",\"message\":\"boom\",\"code\":500}\n\n"), frames: one, code: wire.CodeEngine, text: "boom"},
		{name: "tgi error", engine: streams(one, "data: {\"error\":{\"message\":\"boom\",\"http_status_code\":422}}\n\n", done), frames: one, code: wire.CodeRejected, text: "boom"},
		{name: "error as a string", engine: streams(one, "data: {\"error\":\"boom\"}\n\n"), frames: one, code: wire.CodeEngine, text: "boom"},
		{name: "error with a name", engine: streams(one, "event: error\ndata: {\"message\":\"boom\"}\n\n"), frames: one, code: wire.CodeEngine, text: "boom"},
		{name: "error last in order", engine: streams(one, "data: {\"choices\":[],\"finish_reason\":\"error\",\"error\":{\"message\":\"boom\"}}\n\n"), frames: one, code: wire.CodeEngine, text: "boom"},
		{name: "router's raw text", engine: streams(one, "proxy error: Failed to read connection"), frames: one, code: wire.CodeEngine, text: "proxy error"},
		{name: "context overflow in the stream", engine: streams("data: {\"error\":{\"code\":400,\"message\":\"request (404 tokens) exceeds the available context size (256 tokens), try increasing it\",\"type\":\"exceed_context_size_error\"}}\n\n"), code: wire.CodeContextLength},

		{name: "json for a stream", engine: answers(200, "application/json", `{"choices":[]}`), code: wire.CodeEngine, text: "one body"},
		{name: "json error for a stream", engine: answers(200, "application/json", `{"error":{"message":"boom"}}`), code: wire.CodeEngine, text: "boom"},
		{name: "html for a stream", engine: answers(200, "text/html", "<html>oops</html>"), code: wire.CodeEngine},
		{name: "html error", engine: answers(502, "text/html", "<html>oops</html>"), code: wire.CodeEngine},
		{name: "redirect", engine: answers(302, "text/html", ""), code: wire.CodeEngine},
		{name: "context overflow", engine: answers(400, "application/json", `{"error":{"code":400,"message":"request (404 tokens) exceeds the available context size (256 tokens), try increasing it","type":"exceed_context_size_error","n_prompt_tokens":404,"n_ctx":256}}`), code: wire.CodeContextLength, text: "404 tokens"},
		{name: "vllm context overflow", engine: answers(400, "application/json", `{"error":{"message":"This model's maximum context length is 2048 tokens. However, you requested 3000","type":"BadRequestError","code":400}}`), code: wire.CodeContextLength},
		{name: "unknown model", engine: answers(404, "application/json", `{"error":{"message":"model 'nope' not found","type":"api_error"}}`), code: wire.CodeModelNotFound},
		{name: "bad parameters", engine: answers(400, "application/json", `{"error":{"message":"'messages' is required","type":"invalid_request_error"}}`), code: wire.CodeRejected, text: "'messages' is required"},
		{name: "llama.cpp's 500 for a wrong request", engine: answers(500, "application/json", `{"error":{"code":500,"message":"Failed to parse messages: Missing 'role'","type":"server_error"}}`), code: wire.CodeRejected},
		{name: "our key refused", engine: answers(401, "application/json", `{"error":{"message":"Invalid API Key"}}`), code: wire.CodeEngine},
		{name: "no such endpoint", engine: answers(404, "application/json", `{"error":{"message":"File Not Found"}}`), code: wire.CodeCapability},
		{name: "not supported", engine: answers(501, "application/json", `{"error":{"message":"This server does not support embeddings"}}`), code: wire.CodeCapability},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, c.engine)
				body := c.body
				if body == "" {
					body = streamBody
				}
				frames, out := read(b.open(t, chat(t, body)))
				if frames != c.frames {
					t.Errorf("frames:\n%s\nwant:\n%s", frames, c.frames)
				}
				want := relay.Complete
				if c.code != "" {
					want = relay.Failed
				}
				if out.Kind != want || out.Failure.Code != c.code || !strings.Contains(out.Failure.Message, c.text) {
					t.Errorf("outcome %v, code %q, message %q; want code %q and %q", out.Kind, out.Failure.Code, out.Failure.Message, c.code, c.text)
				}
				synctest.Wait()
				if n := len(b.slots.Leased()); n != 0 {
					t.Errorf("%d leases are still held", n)
				}
			})
		})
	}
}

func TestInvisibleRetry(t *testing.T) {
	crash := slot.Loss{Why: slot.WhyCrashed, Exit: slot.Exit{Class: slot.ClassCrash}}
	for _, c := range []struct {
		name    string
		crashes int
		frames  string
		code    string
	}{
		{name: "once", crashes: 1, frames: one + stop + done},
		{name: "twice", crashes: 2, code: wire.CodeCrashed},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var b *bench
				crashed := 0
				b = newBench(t, func(w http.ResponseWriter, r *http.Request) {
					if crashed < c.crashes {
						crashed++
						b.slots.Leased()[0].Lose(crash)
						panic(http.ErrAbortHandler)
					}
					streams(one, stop, done)(w, r)
				})
				text, out := read(b.open(t, chat(t, streamBody)))
				if text != c.frames || out.Failure.Code != c.code || !out.Retried {
					t.Errorf("got %q, %q, retried %v", text, out.Failure.Code, out.Retried)
				}
				if c.code != "" && (out.Failure.Details.Retryable || out.Failure.Details.Exit != "crash") {
					t.Errorf("details %+v", out.Failure.Details)
				}
				asked := b.slots.Asked()
				if len(asked) != 2 || asked[0].Front || !asked[1].Front {
					t.Errorf("asked for %+v", asked)
				}
			})
		})
	}
}

func TestNoRetryAfterAFrame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b *bench
		b = newBench(t, func(w http.ResponseWriter, r *http.Request) {
			streams(one)(w, r)
			b.slots.Leased()[0].Lose(slot.Loss{Why: slot.WhyCrashed, Exit: slot.Exit{Class: slot.ClassOOM}})
			panic(http.ErrAbortHandler)
		})
		text, out := read(b.open(t, chat(t, streamBody)))
		if text != one || out.Failure.Code != wire.CodeCrashed || !out.Failure.Details.Retryable || out.Failure.Details.Exit != "oom" || out.Retried {
			t.Errorf("got %q, %+v", text, out)
		}
	})
}

func TestSlotLeavesUnderAHangingStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(w http.ResponseWriter, r *http.Request) {
			streams(one)(w, r)
			<-r.Context().Done()
		})
		s := b.open(t, chat(t, streamBody))
		synctest.Wait()
		b.slots.Leased()[0].Lose(slot.Loss{Why: slot.WhyHand})
		if text, out := read(s); text != one || out.Failure.Code != wire.CodeUnloading {
			t.Errorf("got %q, %+v", text, out)
		}
	})
}

func TestEverybodyLeaving(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var gone time.Time
		b := newBench(t, func(w http.ResponseWriter, r *http.Request) {
			streams(one)(w, r)
			<-r.Context().Done()
			gone = time.Now()
		})
		s := b.open(t, chat(t, streamBody))
		synctest.Wait()
		left := time.Now()
		s.Leave()
		time.Sleep(time.Minute)
		synctest.Wait()
		if d := gone.Sub(left); d != 100*time.Millisecond {
			t.Errorf("the engine was told after %v", d)
		}
		if len(b.slots.Leased()) != 0 {
			t.Error("the lease is still held")
		}
	})
}

func TestStalls(t *testing.T) {
	for _, c := range []struct {
		name     string
		timeouts wire.Timeouts
		engine   http.HandlerFunc
		after    time.Duration
		frames   string
	}{
		{"first token", wire.Timeouts{FirstTokenMS: 5000}, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, 5 * time.Second, ""},
		{"first token, with pings", wire.Timeouts{FirstTokenMS: 5000}, func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				streams(":\n\n")(w, r)
				time.Sleep(time.Second)
			}
		}, 5 * time.Second, ""},
		{"idle", wire.Timeouts{IdleMS: 7000}, func(w http.ResponseWriter, r *http.Request) {
			streams(one)(w, r)
			<-r.Context().Done()
		}, 7 * time.Second, one},
		{"total", wire.Timeouts{TotalMS: 9500}, func(w http.ResponseWriter, r *http.Request) {
			streams(one)(w, r)
			for r.Context().Err() == nil {
				streams(":\n\n")(w, r)
				time.Sleep(time.Second)
			}
		}, 9500 * time.Millisecond, one},
		{"default of idle", wire.Timeouts{}, func(w http.ResponseWriter, r *http.Request) {
			streams(one)(w, r)
			<-r.Context().Done()
		}, 300 * time.Second, one},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, c.engine)
				r := chat(t, streamBody)
				r.Model.Timeouts = c.timeouts
				began := time.Now()
				text, out := read(b.open(t, r))
				if took := time.Since(began); took < c.after || took > c.after*5/4 || text != c.frames || out.Failure.Code != wire.CodeStalled {
					t.Errorf("after %v: %q, %+v", took, text, out.Failure)
				}
			})
		})
	}
}

func TestPingsKeepAStreamAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(w http.ResponseWriter, r *http.Request) {
			streams(one)(w, r)
			for range 60 {
				time.Sleep(time.Minute)
				streams(":\n\n")(w, r)
			}
			streams(stop, done)(w, r)
		})
		if text, out := read(b.open(t, chat(t, streamBody))); text != one+stop+done || out.Kind != relay.Complete {
			t.Errorf("got %q, %+v", text, out)
		}
	})
}

func TestEngineThatLoadsIsAskedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		b := newBench(t, func(w http.ResponseWriter, r *http.Request) {
			if n++; n < 3 {
				answers(503, "application/json", `{"error":{"message":"Loading model","type":"unavailable_error","code":503}}`)(w, r)
				return
			}
			streams(one, stop, done)(w, r)
		})
		if text, _ := read(b.open(t, chat(t, streamBody))); text != one+stop+done || n != 3 {
			t.Errorf("got %q after %d calls", text, n)
		}
	})
}

func TestRefusalIsPassedOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, streams())
		b.slots.Cold(true, true)
		s := b.open(t, chat(t, streamBody))
		synctest.Wait()
		b.slots.Refuse(wire.NewFailure(wire.CodeLoadFailed, "no"))
		if _, out := read(s); out.Failure.Code != wire.CodeLoadFailed || out.Failure.Details.Slot != "primary" {
			t.Errorf("outcome %+v", out)
		}
	})
}

func TestShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(w http.ResponseWriter, r *http.Request) {
			streams(one)(w, r)
			<-r.Context().Done()
		})
		s := b.open(t, chat(t, streamBody))
		synctest.Wait()
		if err := b.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if text, out := read(s); text != one || out.Failure.Code != wire.CodeShutdown {
			t.Errorf("got %q, %+v", text, out)
		}
		if _, err := b.Open(t.Context(), chat(t, streamBody)); err == nil || !strings.Contains(err.Error(), wire.CodeShutdown) {
			t.Errorf("open after close: %v", err)
		}
	})
}

func TestOneBody(t *testing.T) {
	big := `{"data":"` + strings.Repeat("x", 3<<20) + `"}`
	for _, c := range []struct {
		name   string
		engine http.HandlerFunc
		frames string
		code   string
	}{
		{name: "small", engine: answers(200, "application/json", `{"a":1}`), frames: `{"a":1}`},
		{name: "big", engine: answers(200, "application/json", big), frames: big},
		{name: "bytes", engine: answers(200, "audio/mpeg", "\x00\x01"), frames: "\x00\x01"},
		{name: "a response tells its own error", engine: answers(200, "application/json", `{"object":"response","error":{"message":"x"}}`), frames: `{"object":"response","error":{"message":"x"}}`},
		{name: "error with a good status", engine: answers(200, "application/json", `{"error":{"message":"x"}}`), code: wire.CodeEngine},
		{name: "empty", engine: answers(200, "application/json", ""), code: wire.CodeTruncated},
		{name: "cut twice", engine: func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "100")
			answers(200, "application/json", `{"a":1`)(w, r)
		}, code: wire.CodeTruncated},
		{name: "audio cut", engine: func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "100")
			answers(200, "audio/mpeg", "ab")(w, r)
		}, frames: "ab", code: wire.CodeTruncated},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, c.engine)
				text, out := read(b.open(t, ask(t, "/v1/embeddings", `{"input":"x"}`)))
				if text != c.frames || out.Failure.Code != c.code {
					t.Errorf("%d bytes, code %q; want %d, %q", len(text), out.Failure.Code, len(c.frames), c.code)
				}
			})
		})
	}
}

func TestWhatTheEngineSees(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen http.Header
		b := newBench(t, func(w http.ResponseWriter, r *http.Request) {
			seen = r.Header.Clone()
			w.Header().Set("Server", "llama.cpp")
			w.Header().Set("Access-Control-Allow-Origin", "http://evil")
			answers(200, "application/json", `{}`)(w, r)
		})
		r := ask(t, "/v1/embeddings", `{"input":"x"}`)
		for name, value := range map[string]string{
			"Cookie": "c", "Authorization": "Bearer client", "X-Api-Key": "k", "Accept-Encoding": "gzip", "X-Forwarded-For": "1.2.3.4",
			"X-Hal0": "v1", "X-Conversation-Id": "x", "Origin": "http://o", "Openai-Beta": "b", "X-Request-Id": "id", "Traceparent": "00-1",
		} {
			r.Header.Set(name, value)
		}
		s := b.open(t, r)
		read(s)
		want := map[string]string{
			"Authorization": "Bearer launch-key", "Openai-Beta": "b", "X-Request-Id": "id", "Traceparent": "00-1",
			"Content-Type": "application/json", "User-Agent": "hal0", "Content-Length": "31",
		}
		for name := range seen {
			if seen.Get(name) != want[name] {
				t.Errorf("the engine saw %s: %s", name, seen.Get(name))
			}
			delete(want, name)
		}
		if len(want) > 0 {
			t.Errorf("the engine did not see %v", want)
		}
		head, _ := s.Head()
		if got := fmt.Sprint(head.Header); got != "map[Content-Length:[2] Content-Type:[application/json]]" {
			t.Errorf("clients see %s", got)
		}
	})
}

func TestBadBodies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, streams())
		for _, body := range []string{"", "{", "[]", "null", `"x"`, `{"a":1}x`} {
			if _, err := b.Open(t.Context(), chat(t, body)); err == nil || !strings.Contains(err.Error(), wire.CodeInvalidJSON) {
				t.Errorf("%q: %v", body, err)
			}
		}
		if len(b.slots.Asked()) != 0 {
			t.Error("a slot was woken")
		}
	})
}

// A client's SDK that gave up and asks again finds the flight it has led.
func TestRepeatedRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(5 * time.Second)
			streams(one, stop, done)(w, r)
		})
		r := chat(t, streamBody)
		r.Model.Coalesce = wire.CoalesceDeterministic
		first := b.open(t, r)
		synctest.Wait()
		first.Leave()
		time.Sleep(50 * time.Millisecond)
		r.Retry = 1
		elsewhere := r
		elsewhere.Lane = "s/2"
		if s := b.open(t, elsewhere); !s.Lead() {
			t.Error("somebody else's repeat joined")
		}
		again := b.open(t, r)
		if again.Lead() {
			t.Error("the repeat leads a flight of its own")
		}
		if text, out := read(again); text != one+stop+done || out.Kind != relay.Complete {
			t.Errorf("got %q, %+v", text, out)
		}
	})
}
