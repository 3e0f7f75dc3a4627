package api

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hal0-dev/hal0/plugin/wire"
	"github.com/hal0-dev/hal0/sidecar/internal/relay"
	"github.com/hal0-dev/hal0/sidecar/internal/relay/relaytest"
	"github.com/hal0-dev/hal0/sidecar/internal/slot"
)

// front is a server in memory whose handler opens a flight and replies.
type front struct {
	slots  *relaytest.Slots
	relay  *relay.Relay
	server *relaytest.Engine // what clients talk to
	client *http.Client
	told   chan told
}

func newFront(t *testing.T, o replyOptions, engine http.HandlerFunc) *front {
	f := &front{slots: &relaytest.Slots{}, told: make(chan told, 8)}
	f.relay = relay.New(relay.Config{Slots: f.slots, Dial: relaytest.NewEngine(t, engine).Dial})
	f.server = relaytest.NewEngine(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e, _ := wire.Match(r.Method, r.URL.EscapedPath())
		body, _ := io.ReadAll(r.Body)
		o := o
		o.Family, o.Slot, o.RequestID, o.Whole = e.Family, "primary", "r1", time.Now()
		s, err := f.relay.Open(r.Context(), relay.Request{
			ID: "r1", Slot: "primary", Lane: "l", Endpoint: e, Model: wire.Model{Slot: "primary"}, Header: r.Header, Body: body,
		})
		if err != nil {
			t.Error(err)
			return
		}
		told := reply(w, r, s, o)
		f.told <- told
		if told.Aborted {
			panic(http.ErrAbortHandler)
		}
	}))
	transport := &http.Transport{DialContext: f.server.Dial, DisableCompression: true}
	f.client = &http.Client{Transport: transport}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		f.relay.Close(context.Background())
	})
	return f
}

const streamed = `{"stream":true}`

// ask sends a request; its answer's body ends with the test.
func (f *front) ask(t *testing.T, path, body string, header ...string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "POST", "http://hal0"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := f.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	return resp
}

func all(t *testing.T, r *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return string(b) + "<" + err.Error() + ">"
	}
	return string(b)
}

// events answers with pieces, each flushed alone; "\x00" breaks off.
func events(pieces ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for _, p := range pieces {
			if p == "\x00" {
				panic(http.ErrAbortHandler)
			}
			io.WriteString(w, p)
			w.(http.Flusher).Flush()
		}
	}
}

const (
	chatPath = "/v1/chat/completions"
	chunk    = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"x\"},\"finish_reason\":null}]}\n\n"
	stopped  = "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"
	doneLine = "data: [DONE]\n\n"
)

func TestReplyWarm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFront(t, replyOptions{CommitAfter: 20 * time.Second}, events(chunk, stopped, doneLine))
		r := f.ask(t, chatPath, streamed)
		if got := all(t, r); got != chunk+stopped+doneLine {
			t.Errorf("body %q", got)
		}
		for name, want := range map[string]string{
			"Content-Type": "text/event-stream; charset=utf-8", "Cache-Control": "no-cache", "X-Accel-Buffering": "no",
			"X-Hal0-Slot": "primary", "X-Hal0-Flight": "lead", "X-Hal0-Cold-Start": "", "X-Request-Id": "r1", "X-Hal0-Heartbeat": "10",
		} {
			if got := r.Header.Get(name); got != want {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		}
		if told := <-f.told; told.Outcome != "ok" || told.Events != 3 || told.Status != 200 || told.Bytes != int64(len(chunk+stopped+doneLine)) {
			t.Errorf("told %+v", told)
		}
	})
}

func TestReplyHoldsCommitsAndBeats(t *testing.T) {
	for _, c := range []struct {
		name   string
		path   string
		header []string
		commit time.Duration
		beats  string
	}{
		{"chat", chatPath, nil, 20 * time.Second, strings.Repeat(":\n", 4)},
		{"messages", "/v1/messages", nil, 20 * time.Second, strings.Repeat("event: ping\ndata: {\"type\": \"ping\"}\n\n", 4)},
		{"client's own time", chatPath, []string{"X-Stainless-Timeout", "10"}, 5 * time.Second, strings.Repeat(":\n", 6)},
		{"client's read time", chatPath, []string{"X-Stainless-Read-Timeout", "3.0"}, 1500 * time.Millisecond, strings.Repeat(":\n", 6)},
		{"client's nonsense", chatPath, []string{"X-Stainless-Timeout", "1", "X-Stainless-Read-Timeout", "nan"}, 20 * time.Second, strings.Repeat(":\n", 4)},
		{"client's long time", chatPath, []string{"X-Stainless-Timeout", "600"}, 20 * time.Second, strings.Repeat(":\n", 4)},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFront(t, replyOptions{CommitAfter: 20 * time.Second}, events(chunk, stopped, doneLine))
				f.slots.Cold(true, true)
				time.AfterFunc(65*time.Second, f.slots.Grant)
				began := time.Now()
				r := f.ask(t, c.path, streamed, c.header...)
				if took := time.Since(began); took != c.commit {
					t.Errorf("headers after %v, want %v", took, c.commit)
				}
				if r.Header.Get("X-Hal0-Cold-Start") != "true" {
					t.Error("not told as cold")
				}
				if got := all(t, r); !strings.HasPrefix(got, c.beats+chunk) {
					t.Errorf("body %q", got)
				}
			})
		})
	}
}

func TestReplyBeatsInAnySilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFront(t, replyOptions{CommitAfter: time.Second, Heartbeat: 4 * time.Second}, func(w http.ResponseWriter, r *http.Request) {
			events(chunk)(w, r)
			time.Sleep(3 * time.Second)
			events(chunk)(w, r)
			time.Sleep(9 * time.Second)
			events(stopped, doneLine)(w, r)
		})
		r := f.ask(t, chatPath, streamed)
		began := time.Now()
		var seen strings.Builder
		lines := bufio.NewReader(r.Body)
		for {
			line, err := lines.ReadString('\n')
			if err != nil {
				break
			}
			if line != "\n" {
				fmt.Fprintf(&seen, "%v %.3q, ", time.Since(began), line)
			}
		}
		want := `0s "dat", 3s "dat", 7s ":\n", 11s ":\n", 12s "dat", 12s "dat", `
		if got := seen.String(); got != want {
			t.Errorf("got %s\nwant %s", got, want)
		}
	})
}

func TestReplyNeverCommitsWithoutStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFront(t, replyOptions{CommitAfter: time.Second}, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			io.WriteString(w, `{"a":1}`)
		})
		f.slots.Cold(true, true)
		time.AfterFunc(100*time.Second, f.slots.Grant)
		r := f.ask(t, chatPath, `{}`)
		if got := all(t, r); got != `{"a":1}` || r.Header.Get("X-Hal0-Wait-Ms") != "100000" || r.Header.Get("Content-Length") != "7" {
			t.Errorf("got %q, %v", got, r.Header)
		}
	})
}

func TestReplyFailures(t *testing.T) {
	crash := slot.Loss{Why: slot.WhyCrashed, Exit: slot.Exit{Class: slot.ClassOOM}}
	var f *front
	lose := func(h http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			h(w, r)
			f.slots.Leased()[0].Lose(crash)
			panic(http.ErrAbortHandler)
		}
	}
	for _, c := range []struct {
		name   string
		path   string
		body   string
		engine http.HandlerFunc
		status int
		want   string
		told   string
		header string // Retry-After, X-Should-Retry
	}{
		{
			name: "before anything", path: chatPath, body: streamed, status: 400, told: "failed request.rejected", header: " false",
			engine: func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(400)
				io.WriteString(w, `{"error":{"message":"bad"}}`)
			},
			want: `{"error":{"message":"bad","type":"invalid_request_error","param":null,"code":"request.rejected","details":{"slot":"primary","request_id":"r1","retryable":false}}}`,
		},
		{
			name: "chat, mid-stream", path: chatPath, body: streamed, status: 200, told: "failed slot.crashed", engine: lose(events(chunk)), header: " ",
			want: chunk + `data: {"error":{"message":"the engine's process ended while it worked on the request","type":"server_error","param":null,"code":"slot.crashed","details":{"slot":"primary","request_id":"r1","retryable":true,"exit":"oom","events_delivered":1}}}` + "\n\n",
		},
		{
			name: "messages, mid-stream", path: "/v1/messages", body: streamed, status: 200, told: "failed slot.crashed", header: " ",
			engine: lose(events("event: message_start\ndata: {\"type\":\"message_start\"}\n\n")),
			want: "event: message_start\ndata: {\"type\":\"message_start\"}\n\nevent: error\n" +
				`data: {"type":"error","error":{"type":"api_error","message":"the engine's process ended while it worked on the request","code":"slot.crashed","details":{"slot":"primary","request_id":"r1","retryable":true,"exit":"oom","events_delivered":1}},"request_id":"r1"}` + "\n\n",
		},
		{
			name: "responses, begun", path: "/v1/responses", body: streamed, status: 200, told: "failed slot.crashed", header: " ",
			engine: lose(events("event: response.created\ndata: {\"type\":\"response.created\",\"sequence_number\":0,\"response\":{\"id\":\"r\",\"status\":\"in_progress\",\"error\":null}}\n\n",
				"event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"sequence_number\":7}\n\n")),
			want: "event: response.created\ndata: {\"type\":\"response.created\",\"sequence_number\":0,\"response\":{\"id\":\"r\",\"status\":\"in_progress\",\"error\":null}}\n\n" +
				"event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"sequence_number\":7}\n\n" +
				"event: response.failed\n" + `data: {"type":"response.failed","sequence_number":8,"response":{"id":"r","status":"failed","error":{"message":"the engine's process ended while it worked on the request","type":"server_error","param":null,"code":"slot.crashed","details":{"slot":"primary","request_id":"r1","retryable":true,"exit":"oom","events_delivered":2}}}}` + "\n\n",
		},
		{
			name: "responses, not begun", path: "/v1/responses", body: streamed, status: 200, told: "truncated stream.truncated", header: " ",
			engine: events("event: x\ndata: {\"type\":\"x\"}\n\n"),
			want: "event: x\ndata: {\"type\":\"x\"}\n\nevent: error\n" +
				`data: {"type":"error","sequence_number":1,"error":{"message":"the engine ended the answer before it was complete","type":"server_error","param":null,"code":"stream.truncated","details":{"slot":"primary","request_id":"r1","retryable":true,"events_delivered":1}}}` + "\n\n",
		},
		{
			name: "audio, begun", path: "/v1/audio/speech", body: `{}`, status: 200, told: "failed slot.crashed", header: " ",
			engine: lose(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "audio/mpeg")
				io.WriteString(w, "abc")
				w.(http.Flusher).Flush()
			}),
			want: "abc<unexpected EOF>",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f = newFront(t, replyOptions{CommitAfter: 20 * time.Second}, c.engine)
				r := f.ask(t, c.path, c.body)
				got := all(t, r)
				if r.StatusCode != c.status || got != c.want {
					t.Errorf("%d\n%s\nwant %d\n%s", r.StatusCode, got, c.status, c.want)
				}
				told := <-f.told
				if s := told.Outcome + " " + told.Code; s != c.told {
					t.Errorf("told %q, want %q", s, c.told)
				}
				if s := r.Header.Get("Retry-After") + " " + r.Header.Get("X-Should-Retry"); s != c.header {
					t.Errorf("retry headers %q, want %q", s, c.header)
				}
			})
		})
	}
}

func TestReplyToAClientThatLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFront(t, replyOptions{CommitAfter: time.Second}, func(w http.ResponseWriter, r *http.Request) {
			events(chunk)(w, r)
			<-r.Context().Done()
		})
		r := f.ask(t, chatPath, streamed)
		synctest.Wait()
		r.Body.Close()
		time.Sleep(time.Second)
		synctest.Wait()
		if told := <-f.told; told.Outcome != "cancelled" {
			t.Errorf("told %+v", told)
		}
		if len(f.slots.Leased()) != 0 {
			t.Error("the lease is still held")
		}
	})
}

// A client that does not read is cut off, and its handler returns.
func TestReplyToAClientThatDoesNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFront(t, replyOptions{CommitAfter: time.Second}, func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				events(strings.Repeat(chunk, 100))(w, r)
			}
		})
		conn, err := f.server.Dial(t.Context(), "", "")
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: hal0\r\nContent-Length: %d\r\n\r\n%s", chatPath, len(streamed), streamed)
		began := time.Now()
		<-f.told
		if took := time.Since(began); took > 2*time.Minute {
			t.Errorf("given up after %v", took)
		}
		time.Sleep(time.Second) // the flight lingers for a moment
		synctest.Wait()
		if len(f.slots.Leased()) != 0 {
			t.Error("the lease is still held")
		}
	})
}

// The deadline of one answer's end is not the next answer's.
func TestReplyLeavesNoDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		f := newFront(t, replyOptions{CommitAfter: time.Minute}, func(w http.ResponseWriter, r *http.Request) {
			if n++; n == 1 {
				w.WriteHeader(400)
				return
			}
			events(chunk, stopped, doneLine)(w, r)
		})
		var conns []net.Conn
		dial := f.server.Dial
		f.client.Transport.(*http.Transport).DialContext = func(ctx context.Context, a, b string) (net.Conn, error) {
			c, err := dial(ctx, a, b)
			conns = append(conns, c)
			return c, err
		}
		all(t, f.ask(t, chatPath, streamed))
		time.Sleep(time.Minute)
		if got := all(t, f.ask(t, chatPath, streamed)); got != chunk+stopped+doneLine || len(conns) != 1 {
			t.Errorf("got %q over %d connections", got, len(conns))
		}
	})
}
