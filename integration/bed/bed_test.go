package bed

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"
	"time"
)

func TestMain(m *testing.M) { Main(m) }

// The bed's own instruments, each shown to see what it is for.

func TestTapRecordsWhatTheEngineSent(t *testing.T) {
	llama, model := Tool(t, "llama-server"), Model(t, "count.gguf")
	s := &Sidecar{t: t, dir: t.TempDir()}
	port := Port(t)
	addr := fmt.Sprintf("127.0.0.1:%d", port)
	cmd := exec.Command(s.tapped(llama), "--host", "127.0.0.1", "--port", fmt.Sprint(port), "-m", model, "-c", "256", "--no-ui")
	cmd.Env = append(Environment(), "LLAMA_API_KEY=secret")
	p := Start(t, "tap", cmd)
	Until(t, "engine is ready", 20*time.Second, func() bool {
		status, _ := Get(t, "http://"+addr+"/health")
		return status == http.StatusOK
	})
	const path = "/v1/chat/completions"
	body := `{"stream":true,"messages":[{"role":"user","content":"Count to five."}]}`
	stream := Open(t, Request{Addr: addr, Path: path, Body: body, Header: map[string]string{"Authorization": "Bearer secret"}})
	got := stream.Body()
	if !stream.Clean() || !strings.Contains(got, "twenty") || !strings.HasSuffix(got, "data: [DONE]\n\n") {
		t.Errorf("stream through the tap: %q", got)
	}
	seen := s.Exchanges(path)
	if len(seen) != 1 || string(seen[0].Request) != body || string(seen[0].Body) != got || !seen[0].Complete {
		t.Errorf("recorded %d exchanges: %+v", len(seen), seen)
	}
	launch := s.Launches()[0]
	if status, direct := launch.Direct(t, path, body); status != 200 || !strings.Contains(string(direct), "twenty") {
		t.Errorf("direct: %d %s", status, direct)
	}
	if launch.Busy(t) {
		t.Error("the engine is busy after its answer")
	}
	// The engine's death is the tap's.
	if err := exec.Command("kill", "-9", fmt.Sprint(launch.PID)).Run(); err != nil {
		t.Fatal(err)
	}
	if code := p.Wait(5 * time.Second); code != -1 {
		t.Errorf("tap exited with %d, want a signal", code)
	}
}

func TestSDKsSeePaceAndErrors(t *testing.T) {
	const pause = 60 * time.Millisecond
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/completions") && r.Header.Get("X-Refuse") != "" {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(404)
			fmt.Fprint(w, `{"error":{"message":"no such model","type":"invalid_request_error","param":null,"code":"model_not_found"}}`)
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		for _, word := range []string{"one", "two", "three"} {
			fmt.Fprintf(w, "data: {\"id\":\"x\",\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"text\":%q,\"delta\":{\"content\":%q}}]}\n\n", word, word)
			w.(http.Flusher).Flush()
			time.Sleep(pause)
		}
		fmt.Fprint(w, "data: {\"error\":{\"message\":\"gone\",\"type\":\"server_error\",\"param\":null,\"code\":\"slot.crashed\"}}\n\n")
	}))
	defer server.Close()
	_, port, _ := strings.Cut(strings.TrimPrefix(server.URL, "http://"), ":")
	job := Job{
		ID: "a", BaseURL: "http://hal0.lan:" + port + "/v1", API: "chat", Stream: true, Model: "m", Prompt: "hello",
		Resolve: map[string]string{"hal0.lan": "127.0.0.1"},
	}
	for _, sdk := range SDKs(t) {
		t.Run(sdk.Name, func(t *testing.T) {
			c := sdk.Run(t)
			for _, api := range []string{"chat", "completion"} {
				job := job
				job.API = api
				lines := c.Do(job)
				last := lines[len(lines)-1]
				if Text(lines) != "onetwothree" || last.Kind != "error" || last.Code != "slot.crashed" || last.Status != 0 {
					t.Errorf("%s: stream with an error: %+v", api, lines)
				}
				// A client that waits for the end sees no pace at all; a machine
				// that is busy, now and then.
				for try := 1; !paced(lines, pause); try++ {
					if try == 5 {
						t.Errorf("%s: events do not come as they are sent: %+v", api, lines)
						break
					}
					lines = c.Do(job)
				}
				job.Headers = map[string]string{"X-Refuse": "1"}
				lines = c.Do(job)
				if last := lines[0]; last.Kind != "error" || last.Code != "model_not_found" || last.Status != 404 {
					t.Errorf("%s: refused: %+v", api, lines)
				}
			}
		})
	}
}

// paced reports whether there was a pause between the events.
func paced(lines []Line, pause time.Duration) bool {
	for i := 1; i < 3 && i < len(lines); i++ {
		if time.Duration(lines[i].At-lines[i-1].At) < pause/3 {
			return false
		}
	}
	return true
}

func TestStreamTellsFrames(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, ":\ndata: 1\n\n:\n:\nevent: x\ndata: 2\n\ndata: to")
		w.(http.Flusher).Flush()
		if r.URL.Path == "/cut" {
			panic(http.ErrAbortHandler)
		}
	}))
	defer server.Close()
	addr := strings.TrimPrefix(server.URL, "http://")
	for path, clean := range map[string]bool{"/": true, "/cut": false} {
		s := Open(t, Request{Addr: addr, Path: path})
		if got := s.Body(); got != "data: 1\n\nevent: x\ndata: 2\n\ndata: to" {
			t.Errorf("%s: body %q", path, got)
		}
		if len(s.Rest()) != 6 || s.Clean() != clean {
			t.Errorf("%s: frames %q, clean %v", path, s.Rest(), s.Clean())
		}
	}
}
