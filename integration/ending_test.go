package integration

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hal0-dev/hal0/integration/bed"
)

// streaming is a job on the slow model that runs until something happens.
func streaming(e *bed.Edge, host string) bed.Job {
	return bed.Job{
		ID: "broken", BaseURL: "http://" + e.Web(host) + "/v1", API: "chat", Stream: true,
		Model: "slow", Prompt: prompt, MaxTokens: 1500, Resolve: loopback,
	}
}

// started runs a job until the SDK has given some events.
func started(t *testing.T, c *bed.Client, job bed.Job) {
	t.Helper()
	c.Ask(job)
	for range 6 {
		if l := c.Next(60 * time.Second); l.Kind != "event" {
			t.Fatalf("%s: %+v", job.ID, l)
		}
	}
}

// wantAPIError checks that the SDK raised its own error with our code.
func wantAPIError(t *testing.T, sdk bed.SDK, lines []bed.Line, code string) {
	t.Helper()
	last := lines[len(lines)-1]
	if last.Kind != "error" {
		t.Fatalf("the SDK took the broken stream for a whole one: %+v", last)
	}
	t.Logf("%s: %s", last.Class, last.Message)
	ours := map[string]string{"python": "openai.APIError", "node": "openai.APIError", "go": ""}
	language, _, _ := strings.Cut(sdk.Name, "-")
	if class := ours[language]; class != "" && last.Class != class {
		t.Errorf("class %s, want %s", last.Class, class)
	}
	if last.Code != code || last.Message == "" || last.Type == "" {
		t.Errorf("error %+v, want code %s with message and type", last, code)
	}
}

func kill(t *testing.T, pid int) {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatalf("kill %d: %v", pid, err)
	}
}

// Bar 5: the engine is killed in the middle of a stream.
func TestBar5EngineKilledMidStream(t *testing.T) {
	s, e := stack(t)
	newest := func() bed.Launch {
		all := s.Launches()
		return all[len(all)-1]
	}
	t.Run("raw", func(t *testing.T) {
		stream := bed.Open(t, bed.Request{Addr: e.Web("127.0.0.1"), Host: "hal0.lan", Path: chatPath, Body: chat("slow", true, `"max_tokens":1500`)})
		frames(t, stream, 10)
		kill(t, newest().PID)
		failure := wantBroken(t, stream, "slot.crashed")
		if failure.Details["slot"] != "slow" || failure.Details["request_id"] != stream.Header.Get("X-Request-Id") {
			t.Errorf("details %v", failure.Details)
		}
		if n, _ := failure.Details["events_delivered"].(float64); int(n) != len(stream.Events())-1 {
			t.Errorf("details say %v events were delivered, it were %d", failure.Details["events_delivered"], len(stream.Events())-1)
		}
	})
	for _, sdk := range bed.SDKs(t) {
		t.Run(sdk.Name, func(t *testing.T) {
			fresh(t, s)
			c := sdk.Run(t)
			started(t, c, streaming(e, "hal0.lan"))
			kill(t, newest().PID)
			wantAPIError(t, sdk, c.Rest(20*time.Second), "slot.crashed")
		})
	}
	t.Run("and the next request is served", func(t *testing.T) {
		wantStream(t, bed.Open(t, bed.Request{Addr: e.Web("127.0.0.1"), Path: chatPath, Body: chat("slow", true, `"max_tokens":10`)}))
	})
}

// fresh restarts the sidecar, so that earlier crashes do not make the slot
// wait longer and longer.
func fresh(t *testing.T, s *bed.Sidecar) {
	t.Helper()
	if code := s.Stop(); code != 0 {
		t.Errorf("the sidecar ended with %d at SIGTERM", code)
	}
	s.Start()
}

// Bar 5: the sidecar is killed in the middle of a stream; the plugin ends it.
func TestBar5SidecarKilledMidStream(t *testing.T) {
	s, e := stack(t)
	t.Run("raw", func(t *testing.T) {
		stream := bed.Open(t, bed.Request{Addr: e.Web("127.0.0.1"), Host: "hal0.lan", Path: chatPath, Body: chat("slow", true, `"max_tokens":1500`)})
		frames(t, stream, 10)
		engine := s.Launches()[0].PID
		s.Kill()
		wantBroken(t, stream, "sidecar.lost")
		bed.Until(t, "the engine has died with the sidecar", 5*time.Second, func() bool { return !bed.Alive(engine) })
	})
	for _, sdk := range bed.SDKs(t) {
		t.Run(sdk.Name, func(t *testing.T) {
			s.Start()
			c := sdk.Run(t)
			started(t, c, streaming(e, "localhost"))
			s.Kill()
			wantAPIError(t, sdk, c.Rest(20*time.Second), "sidecar.lost")
		})
	}
}

// Bar 5: the sidecar is killed while it holds requests, and is back two
// seconds later: they are answered.
func TestBar5SidecarKilledWhileHolding(t *testing.T) {
	s, e := stack(t)
	const limit = `"max_tokens":5`
	var held []<-chan *bed.Stream
	for i := range 3 {
		stream, cancel := bed.Opening(t, bed.Request{
			Addr: e.Web("127.0.0.1"), Host: "hal0.lan", Path: chatPath,
			Body: chat("big", i != 0, limit, fmt.Sprintf(`"seed":%d`, i)),
		})
		defer cancel()
		held = append(held, stream)
	}
	sdk := bed.SDKs(t)[0].Run(t)
	job := streaming(e, "hal0.lan")
	job.Model, job.MaxTokens = "big", 5
	sdk.Ask(job)
	s.Await("big", 20*time.Second, "starting", "warming")
	bed.Until(t, "all are held", 10*time.Second, func() bool { return s.Slot("big").Waiting >= 4 })
	s.Kill()
	time.Sleep(2 * time.Second) // the bar says so
	s.Start()
	for i, stream := range held {
		got := <-stream
		if got == nil {
			t.Fatalf("request %d got no answer", i)
		}
		if i == 0 {
			if body := got.Body(); got.Status != 200 || !strings.Contains(body, "one two") {
				t.Errorf("request %d: %d %s", i, got.Status, body)
			}
			continue
		}
		wantStream(t, got)
	}
	lines := sdk.Rest(90 * time.Second)
	if last := lines[len(lines)-1]; last.Kind != "done" {
		t.Errorf("the SDK: %+v", last)
	}
}

// Told to stop, the sidecar ends what runs with a coded event and leaves no
// engine behind.
func TestSidecarTerminatedMidStream(t *testing.T) {
	s, e := stack(t)
	stream := bed.Open(t, bed.Request{Addr: e.Web("127.0.0.1"), Path: chatPath, Body: chat("slow", true, `"max_tokens":1500`)})
	frames(t, stream, 10)
	engine := s.Launches()[0].PID
	began := time.Now()
	if code := s.Stop(); code != 0 {
		t.Errorf("the sidecar ended with %d at SIGTERM", code)
	}
	within(t, "stop", time.Since(began), 12*time.Second)
	wantBroken(t, stream, "sidecar.shutdown")
	if bed.Alive(engine) {
		t.Error("the engine outlives the sidecar")
	}
}

// Traefik's own end, too, ends streams with a coded event.
func TestTraefikTerminatedMidStream(t *testing.T) {
	bed.Tool(t, "llama-server")
	bed.Tool(t, "traefik")
	s := bed.NewSidecar(t, "").Start()
	e := bed.NewEdge(t, s, "shutdownAfter: 1s"+models)
	stream := bed.Open(t, bed.Request{Addr: e.Web("127.0.0.1"), Path: chatPath, Body: chat("slow", true, `"max_tokens":1500`)})
	frames(t, stream, 10)
	e.Signal(syscall.SIGTERM)
	wantBroken(t, stream, "edge.shutdown")
	e.Wait(15 * time.Second)
}
