package demo

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// loaded is a server that is ready, without pace.
func loaded(t *testing.T, change func(*Launch)) *Server {
	t.Helper()
	l := Launch{Name: "primary", Knobs: defaultKnobs()}
	l.Knobs.Rate = 0
	if change != nil {
		change(&l)
	}
	s := NewServer(l)
	s.exit = func(int) {}
	if err := s.load(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

func serve(t *testing.T, change func(*Launch)) string {
	t.Helper()
	h := httptest.NewServer(loaded(t, change))
	t.Cleanup(h.Close)
	return h.URL
}

func post(t *testing.T, url, path, body string) (*http.Response, string, error) {
	t.Helper()
	resp, err := http.Post(url+path, "application/json", strings.NewReader(body))
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp, string(b), err
}

var changing = regexp.MustCompile(`"(chatcmpl|cmpl|call)-?_?[A-Z0-9]+"|"created":\d+`)

func mask(s string) string { return changing.ReplaceAllString(s, "…") }

func TestCountStream(t *testing.T) {
	url := serve(t, nil)
	resp, body, err := post(t, url, "/v1/chat/completions", `{"stream":true,"messages":[{"role":"user","content":"Count to five."}],"stream_options":{"include_usage":true}}`)
	if err != nil || resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatal(resp, err)
	}
	const head = `data: {…:…,"object":"chat.completion.chunk",…,"model":"primary","system_fingerprint":"hal0-demo","choices":[`
	var want strings.Builder
	for _, c := range []string{
		`{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}`,
		`{"index":0,"delta":{"content":" one"},"logprobs":null,"finish_reason":null}`,
		`{"index":0,"delta":{"content":" two"},"logprobs":null,"finish_reason":null}`,
		`{"index":0,"delta":{"content":" three"},"logprobs":null,"finish_reason":null}`,
		`{"index":0,"delta":{"content":" four"},"logprobs":null,"finish_reason":null}`,
		`{"index":0,"delta":{"content":" five"},"logprobs":null,"finish_reason":null}`,
		`{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}`,
	} {
		want.WriteString(strings.Replace(head, "…:…", `"id":…`, 1) + c + "]}\n\n")
	}
	want.WriteString(strings.Replace(head, "…:…", `"id":…`, 1) + `],"usage":{"prompt_tokens":5,"completion_tokens":5,"total_tokens":10}}` + "\n\ndata: [DONE]\n\n")
	if got := mask(body); got != want.String() {
		t.Errorf("got\n%s\nwant\n%s", got, want.String())
	}
}

func TestWhole(t *testing.T) {
	url := serve(t, nil)
	for _, c := range []struct{ path, body, want string }{
		{"/v1/chat/completions", `{"messages":[{"role":"user","content":[{"type":"text","text":"count from 3 to 1"}]}]}`,
			`{"id":…,"object":"chat.completion",…,"model":"primary","system_fingerprint":"hal0-demo","choices":[{"index":0,"message":{"role":"assistant","content":" three two one"},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":7,"completion_tokens":3,"total_tokens":10}}`},
		{"/v1/completions", `{"prompt":"count to 9","max_tokens":2}`,
			`{"id":…,"object":"text_completion",…,"model":"primary","system_fingerprint":"hal0-demo","choices":[{"index":0,"text":" one two","logprobs":null,"finish_reason":"length"}],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}`},
		{"/v1/chat/completions", `{"stop":"three","messages":[{"role":"user","content":"count to five"}]}`,
			`{"id":…,"object":"chat.completion",…,"model":"primary","system_fingerprint":"hal0-demo","choices":[{"index":0,"message":{"role":"assistant","content":" one two "},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":5,"completion_tokens":3,"total_tokens":8}}`},
		{"/v1/chat/completions", `{"tools":[{"type":"function","function":{"name":"weather","parameters":{"properties":{"city":{"type":"string"}}}}}],"tool_choice":"required","messages":[{"role":"user","content":"x"}]}`,
			`{"id":…,"object":"chat.completion",…,"model":"primary","system_fingerprint":"hal0-demo","choices":[{"index":0,"message":{"role":"assistant","content":null,"tool_calls":[{"index":0,"id":…,"type":"function","function":{"name":"weather","arguments":"{\"city\":\"demo\"}"}}]},"logprobs":null,"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":3,"completion_tokens":1,"total_tokens":4}}`},
	} {
		resp, body, err := post(t, url, c.path, c.body)
		if err != nil || resp.StatusCode != 200 {
			t.Fatal(resp, err)
		}
		if got := mask(body); got != c.want {
			t.Errorf("%s\ngot  %s\nwant %s", c.body, got, c.want)
		}
	}
}

func TestToolCallStream(t *testing.T) {
	_, body, err := post(t, serve(t, nil), "/v1/chat/completions", `{"stream":true,"tools":[{"function":{"name":"a"}},{"function":{"name":"b","parameters":{"properties":{"n":{"type":"integer"},"s":{"enum":["x","y"]}}}}}],"tool_choice":{"type":"function","function":{"name":"b"}},"messages":[{"role":"user","content":"x"}]}`)
	if err != nil {
		t.Fatal(err)
	}
	var name, args, finish string
	for _, e := range strings.Split(strings.TrimSpace(body), "\n\n") {
		var c envelope
		if e == "data: [DONE]" {
			continue
		}
		if err := json.Unmarshal([]byte(strings.TrimPrefix(e, "data: ")), &c); err != nil {
			t.Fatal(err)
		}
		for _, call := range c.Choices[0].Delta.ToolCalls {
			name += call.Function.Name
			args += call.Function.Arguments
		}
		if f := c.Choices[0].FinishReason; f != nil {
			finish = *f
		}
	}
	if name != "b" || args != `{"n":1,"s":"x"}` || finish != "tool_calls" {
		t.Errorf("%s %s %s", name, args, finish)
	}
}

func TestRefusals(t *testing.T) {
	url := serve(t, nil)
	for _, c := range []struct {
		path, body string
		status     int
		text       string
	}{
		{"/v1/chat/completions", `{`, 400, "unexpected end"},
		{"/v1/chat/completions", `{}`, 400, "'messages' is required"},
		{"/v1/chat/completions", `{"messages":[{"content":"x"}]}`, 400, "'role'"},
		{"/v1/completions", `{}`, 400, "'prompt'"},
		{"/v1/completions", `{"prompt":"x","hal0_demo":{"falt":"crash"}}`, 400, "falt"},
		{"/v1/completions", `{"prompt":"x","hal0_demo":{"fault":"flood"}}`, 400, "flood"},
		{"/v1/completions", `{"prompt":"x","hal0_demo":{"fault":"status","at":2}}`, 400, "at must be 0"},
		{"/v1/completions", `{"prompt":"x","hal0_demo":{"fault":"status","status":503}}`, 503, "told to"},
		{"/v1/completions", `{"prompt":"x","hal0_demo":{"fault":"loading"}}`, 503, "Loading model"},
		{"/v1/embeddings", `{}`, 400, "'input'"},
		{"/v1/poems", `{}`, 404, "no such endpoint"},
	} {
		resp, body, err := post(t, url, c.path, c.body)
		var e apiError
		if err != nil || json.Unmarshal([]byte(body), &e) != nil {
			t.Fatal(c.body, body, err)
		}
		if resp.StatusCode != c.status || !strings.Contains(e.Error.Message, c.text) {
			t.Errorf("%s %s: %d %s", c.path, c.body, resp.StatusCode, body)
		}
	}
}

func TestKey(t *testing.T) {
	s := loaded(t, func(l *Launch) { l.Key = "secret" })
	for key, want := range map[string]int{"": 401, "Bearer ": 401, "Bearer secre": 401, "Bearer secret": 200} {
		r := httptest.NewRequest("GET", "/v1/models", nil)
		r.Header.Set("Authorization", key)
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("%q: %d", key, w.Code)
		}
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest("GET", "/health", nil))
	if w.Code != 200 {
		t.Errorf("health: %d", w.Code)
	}
}

// Every fault ends a stream in its own way, after exactly the tokens before it.
func TestFaults(t *testing.T) {
	url := serve(t, nil)
	for _, c := range []struct {
		knobs string
		err   error
		end   string // of the body
	}{
		{`"fault":"crash","at":3`, io.ErrUnexpectedEOF, " two\"},…"},
		{`"fault":"cut","at":3`, io.ErrUnexpectedEOF, " two\"},…"},
		{`"fault":"reset","at":3`, syscall.ECONNRESET, " two\"},…"},
		{`"fault":"eof","at":3`, nil, " two\"},…"},
		{`"fault":"torn","at":3`, io.ErrUnexpectedEOF, `"model":"primary","`},
		{`"fault":"tornend","at":3`, nil, `"model":"primary","`},
		{`"fault":"error","at":3`, nil, `data: {"error":{"code":500,"message":"` + said + `","type":"server_error"}}` + "\n\n"},
		{`"fault":"error","at":3,"shape":"vllm"`, nil, "\"code\":500}}\n\ndata: [DONE]\n\n"},
		{`"fault":"error","at":3,"shape":"ollama"`, nil, "\"delta\":{\"content\":\"\"},…"},
		{`"fault":"error","at":3,"shape":"llama.cpp-router"`, nil, "…proxy error: Failed to read connection"},
		{`"fault":"error","at":9`, nil, "\"type\":\"server_error\"}}\n\n"},
		{`"fault":"pause","pause_ms":1,"at":3`, nil, "data: [DONE]\n\n"},
		{`"fault":"huge","bytes":5000,"at":3`, nil, "data: [DONE]\n\n"},
		{`"no_done":true`, nil, "\"finish_reason\":\"stop\"}]}\n\n"},
	} {
		resp, body, err := post(t, url, "/v1/chat/completions", `{"stream":true,"messages":[{"role":"user","content":"count to five"}],"hal0_demo":{`+c.knobs+`}}`)
		if err != nil && c.err == nil || c.err != nil && !errors.Is(err, c.err) {
			t.Errorf("%s: error %v, want %v", c.knobs, err, c.err)
			continue
		}
		tail := strings.ReplaceAll(body, `"logprobs":null,"finish_reason":null}]}`+"\n\n", "…")
		if resp.StatusCode != 200 || !strings.HasSuffix(tail, c.end) {
			t.Errorf("%s: ends in %q", c.knobs, tail[max(0, len(tail)-150):])
		}
	}
	for _, shape := range Shapes() {
		_, body, err := post(t, url, "/v1/chat/completions", `{"stream":true,"messages":[{"role":"user","content":"count to five"}],"hal0_demo":{"fault":"error","at":1,"shape":"`+shape+`"}}`)
		if err != nil || strings.Contains(body, " one") {
			t.Errorf("%s: %v %s", shape, err, body)
		}
	}
}

func TestHangEndsWithItsClient(t *testing.T) {
	url := serve(t, nil)
	resp, err := http.Post(url+"/v1/chat/completions", "application/json", strings.NewReader(`{"stream":true,"messages":[{"role":"user","content":"count to five"}],"hal0_demo":{"fault":"hang","at":2}}`))
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() && !strings.Contains(lines.Text(), " one") {
	}
	if err := resp.Body.Close(); err != nil { // Close of the server would hang if the handler did
		t.Fatal(err)
	}
}

func TestEmbeddings(t *testing.T) {
	url := serve(t, nil)
	_, list, err := post(t, url, "/v1/embeddings", `{"input":["a cat","a cat","dogs"]}`)
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Data []struct{ Embedding []float32 }
	}
	if err := json.Unmarshal([]byte(list), &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Data) != 3 || !reflect.DeepEqual(got.Data[0], got.Data[1]) || reflect.DeepEqual(got.Data[0], got.Data[2]) || len(got.Data[0].Embedding) != dimensions {
		t.Error(list)
	}
	_, packed, err := post(t, url, "/v1/embeddings", `{"input":"a cat","encoding_format":"base64"}`)
	if err != nil || !strings.Contains(packed, `"embedding":"`) {
		t.Error(packed, err)
	}
}

func TestTranscribe(t *testing.T) {
	url := serve(t, nil)
	for body, want := range map[string]string{
		"--B\r\nContent-Disposition: form-data; name=model\r\n\r\nx\r\n--B\r\nContent-Disposition: form-data; name=file; filename=a\r\n\r\nabc\r\n--B--\r\n": `{"text":"A script hears nothing. 3 bytes, SHA-256 ba7816bf`,
		"--B\r\nContent-Disposition: form-data; name=model\r\n\r\nx\r\n--B--\r\n":                                                                            "'file' is required",
		"--B\r\nContent-Disposition: form-data; name=file; filename=a\r\n\r\nabc":                                                                            "cannot be read",
	} {
		resp, err := http.Post(url+"/v1/audio/transcriptions", "multipart/form-data; boundary=B", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || !strings.Contains(string(got), want) {
			t.Errorf("%s, %v; want %s", got, err, want)
		}
	}
}

func TestPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := loaded(t, func(l *Launch) { l.Knobs.Rate = 10; l.Knobs.DelayMS = 250; l.Knobs.PingMS = 100 })
		w := httptest.NewRecorder()
		began := time.Now()
		s.ServeHTTP(w, httptest.NewRequest("POST", "/v1/chat/completions", strings.NewReader(`{"stream":true,"messages":[{"role":"user","content":"count to five"}]}`)))
		if took := time.Since(began); took != 650*time.Millisecond {
			t.Errorf("took %v", took)
		}
		if n := bytes.Count(w.Body.Bytes(), []byte(":\n\n")); n != 2 {
			t.Errorf("%d pings", n)
		}
	})
}

func TestLoading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewServer(Launch{Load: 10 * time.Second, Memory: 1 << 20, Again: 3 * time.Second, Knobs: defaultKnobs()})
		status := func(path string) int {
			w := httptest.NewRecorder()
			s.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
			return w.Code
		}
		done := make(chan error, 1)
		go func() { done <- s.load(t.Context()) }()
		time.Sleep(9 * time.Second)
		if status("/health") != 503 || status("/v1/models") != 503 {
			t.Error("ready before it has loaded")
		}
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if status("/health") != 200 {
			t.Error("not ready after it has loaded")
		}
		time.Sleep(2 * time.Second)
		if status("/health") != 503 {
			t.Error("not loading again")
		}
		time.Sleep(2 * time.Second)
		if status("/health") != 200 || status("/v1/models") != 200 {
			t.Error("loading for too long")
		}
	})
}

func TestParallel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := loaded(t, func(l *Launch) { l.Knobs.Rate = 1; l.Parallel = 1 })
		began := time.Now()
		done := make(chan time.Duration)
		for range 2 {
			go func() {
				s.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("POST", "/v1/completions", strings.NewReader(`{"prompt":"count to 3"}`)))
				done <- time.Since(began)
			}()
		}
		if first, second := <-done, <-done; first != 2*time.Second || second != 4*time.Second {
			t.Errorf("%v, %v", first, second)
		}
	})
}
