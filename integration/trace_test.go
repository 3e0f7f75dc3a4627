package integration

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/hal0-dev/hal0/integration/bed"
)

// lineWith is the first line of a log that has all of the words; "" = none.
func lineWith(log string, words ...string) string {
lines:
	for line := range strings.Lines(log) {
		for _, w := range words {
			if !strings.Contains(line, w) {
				continue lines
			}
		}
		return line
	}
	return ""
}

// One id leads through Traefik's access log, the plugin, the sidecar's log, its
// history and the engine; so does the trace that a client follows.
func TestRequestIsFollowedByItsID(t *testing.T) {
	s := bed.NewSidecar(t, "").Start()
	edge := bed.NewEdge(t, s, models, "--accesslog=true", "--accesslog.format=json", "--accesslog.fields.headers.names.X-Request-Id=keep")
	const id, traceID = "trip-4711", "4bf92f3577b34da6a3ce929d0e0e4736"
	const traceparent = "00-" + traceID + "-00f067aa0ba902b7-01"
	answer := bed.Open(t, bed.Request{
		Addr: edge.Web("127.0.0.1"), Path: chatPath, Body: chat("primary", true),
		Header: map[string]string{"X-Request-Id": id, "Traceparent": traceparent, "Tracestate": "a=1"},
	})
	wantStream(t, answer)
	if got := answer.Header.Get("X-Request-Id"); got != id {
		t.Errorf("the client is told the id %q", got)
	}
	seen := s.Exchanges(chatPath)
	if len(seen) != 1 {
		t.Fatalf("the engine saw %d requests", len(seen))
	}
	for name, want := range map[string]string{"X-Request-Id": id, "Traceparent": traceparent, "Tracestate": "a=1"} {
		if got := seen[0].Asked.Get(name); got != want {
			t.Errorf("the engine saw %s: %q", name, got)
		}
	}
	refused := bed.Open(t, bed.Request{Addr: edge.Web("127.0.0.1"), Path: chatPath, Body: "{", Header: map[string]string{"X-Request-Id": id + "-bad"}})
	wantRefused(t, refused, 400, "request.invalid_json")
	bed.Until(t, "the lines of the logs", 10*time.Second, func() bool {
		return lineWith(s.Log(), "request_id="+id, "trace_id="+traceID, "outcome=ok") != "" &&
			lineWith(edge.Log(), `"request_X-Request-Id":"`+id+`"`, `"DownstreamStatus":200`) != "" &&
			lineWith(edge.Log(), `"downstream_X-Request-Id":"`+id+`-bad"`, `"DownstreamStatus":400`) != ""
	})
	var history struct {
		Requests []struct {
			ID    string `json:"id"`
			Trace string `json:"trace_id"`
		}
	}
	kept := bed.Open(t, bed.Request{Method: "GET", Addr: strings.TrimPrefix(s.ControlURL(), "http://"), Path: "/api/requests"})
	if err := json.Unmarshal([]byte(kept.Body()), &history); err != nil {
		t.Fatal(err)
	}
	if n := len(history.Requests); n != 1 || history.Requests[0].ID != id || history.Requests[0].Trace != traceID {
		t.Errorf("the history has %+v", history.Requests)
	}
}
