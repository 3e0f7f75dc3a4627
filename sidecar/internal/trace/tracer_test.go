package trace

import (
	"context"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	spans "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/hal0-dev/hal0/sidecar/internal/api"
	"github.com/hal0-dev/hal0/sidecar/internal/relay"
)

var _ api.Tracer = (*Tracer)(nil)

const (
	traceID = "4bf92f3577b34da6a3ce929d0e0e4736"
	parent  = "00f067aa0ba902b7"
	sampled = "00-" + traceID + "-" + parent + "-01"
)

// begin has a tracer take a request with the header in name, value, …
func begin(t *Tracer, came time.Time, header ...string) (id string, end func(api.Answered), h http.Header) {
	h = http.Header{}
	for i := 0; i < len(header); i += 2 {
		h.Add(header[i], header[i+1])
	}
	id, end = t.Begin(h, "/v1/chat/completions", came)
	return id, end, h
}

func TestTraceGoesOnAsItCame(t *testing.T) {
	quiet, err := New(t.Context(), Config{Log: hclog.NewNullLogger()})
	if err != nil {
		t.Fatal(err)
	}
	const notSampled = "00-" + traceID + "-" + parent + "-00"
	for name, c := range map[string]struct {
		header                 []string
		id, traceparent, state string
	}{
		"none":                  {nil, "", "", ""},
		"sampled":               {[]string{"traceparent", sampled}, traceID, sampled, ""},
		"not sampled":           {[]string{"traceparent", notSampled}, traceID, notSampled, ""},
		"with state":            {[]string{"traceparent", sampled, "tracestate", "a=1,b=2"}, traceID, sampled, "a=1,b=2"},
		"a newer version":       {[]string{"traceparent", "01" + sampled[2:] + "-more"}, traceID, sampled, ""},
		"state alone":           {[]string{"tracestate", "a=1"}, "", "", ""},
		"no id":                 {[]string{"traceparent", "00-" + strings.Repeat("0", 32) + "-" + parent + "-01", "tracestate", "a=1"}, "", "", ""},
		"upper case":            {[]string{"traceparent", strings.ToUpper(sampled)}, "", "", ""},
		"too short":             {[]string{"traceparent", sampled[:50]}, "", "", ""},
		"something else":        {[]string{"traceparent", "<script>"}, "", "", ""},
		"a state that is wrong": {[]string{"traceparent", sampled, "tracestate", "=\x01"}, traceID, sampled, ""},
	} {
		id, end, h := begin(quiet, time.Now(), c.header...)
		end(api.Answered{})
		if id != c.id || h.Get("Traceparent") != c.traceparent || h.Get("Tracestate") != c.state {
			t.Errorf("%s: id %q, traceparent %q, tracestate %q", name, id, h.Get("Traceparent"), h.Get("Tracestate"))
		}
	}
	if err := quiet.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

// gathering is a collector that speaks OTLP over HTTP, and where spans go.
func gathering(t *testing.T) <-chan *spans.ResourceSpans {
	t.Helper()
	got := make(chan *spans.ResourceSpans, 8)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var m collector.ExportTraceServiceRequest
		if err == nil {
			err = proto.Unmarshal(body, &m)
		}
		if err != nil || r.URL.Path != "/v1/traces" {
			t.Errorf("%s: %v", r.URL.Path, err)
		}
		for _, one := range m.GetResourceSpans() {
			got <- one
		}
	}))
	t.Cleanup(s.Close)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", s.URL)
	return got
}

func TestSpansReachACollector(t *testing.T) {
	got := gathering(t)
	loud, err := New(t.Context(), Config{Export: true, Version: "v1.2.3", Log: hclog.NewNullLogger()})
	if err != nil {
		t.Fatal(err)
	}
	came := time.Now().Add(-10 * time.Second)
	at := func(s int) time.Time { return came.Add(time.Duration(s) * time.Second) }
	id, end, h := begin(loud, came, "traceparent", sampled)
	if id != traceID || !strings.HasPrefix(h.Get("Traceparent"), "00-"+traceID) || strings.Contains(h.Get("Traceparent"), parent) {
		t.Errorf("id %q, the engine sees %q", id, h.Get("Traceparent"))
	}
	end(api.Answered{
		ID: "r1", Endpoint: "/v1/chat/completions", Slot: "primary", Flight: "lead", Cold: true, Status: 200, Outcome: "failed", Code: "slot.crashed",
		Times: relay.Times{Queued: at(1), Up: at(4), Dispatched: at(5), First: at(7)},
	})
	own, _, _ := begin(loud, came) // no trace came: one begins here
	if len(own) != len(traceID) || own == traceID {
		t.Errorf("a request without a trace has the id %q", own)
	}
	if err := loud.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	r := <-got
	var names []string
	var root *spans.Span
	for _, s := range r.ScopeSpans[0].Spans {
		names = append(names, s.Name)
		if s.Kind == spans.Span_SPAN_KIND_SERVER {
			root = s
		}
	}
	if strings.Join(names, ", ") != "boot, queue, prefill, stream, POST /v1/chat/completions" {
		t.Fatalf("spans are %v", names)
	}
	if root.Status.GetMessage() != "slot.crashed" || !strings.Contains(h.Get("Traceparent"), hex.EncodeToString(root.SpanId)) || hex.EncodeToString(root.ParentSpanId) != parent {
		t.Errorf("the request's span is %v", root)
	}
	if about := r.Resource.String(); !strings.Contains(about, `"hal0"`) || !strings.Contains(about, "v1.2.3") {
		t.Errorf("the resource is %s", about)
	}
}

// A collector that does not answer must not hold up a shutdown.
func TestCloseIsBounded(t *testing.T) {
	hang := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-hang }))
	defer s.Close()
	defer close(hang)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", s.URL)
	loud, err := New(t.Context(), Config{Export: true, Log: hclog.NewNullLogger()})
	if err != nil {
		t.Fatal(err)
	}
	_, end, _ := begin(loud, time.Now())
	end(api.Answered{})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := loud.Close(ctx); err == nil {
		t.Error("the spans were taken")
	}
}

func TestWanted(t *testing.T) {
	const at = "OTEL_EXPORTER_OTLP_ENDPOINT"
	for name, c := range map[string]struct {
		env  map[string]string
		want bool
		err  string
	}{
		"nothing":             {nil, false, ""},
		"an address":          {map[string]string{at: "http://c:4318"}, true, ""},
		"one for traces":      {map[string]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c:4318/v1/traces"}, true, ""},
		"switched off":        {map[string]string{at: "http://c", "OTEL_SDK_DISABLED": "true"}, false, ""},
		"no traces":           {map[string]string{at: "http://c", "OTEL_TRACES_EXPORTER": "none"}, false, ""},
		"another exporter":    {map[string]string{at: "http://c", "OTEL_TRACES_EXPORTER": "zipkin"}, false, "zipkin"},
		"HTTP":                {map[string]string{at: "http://c", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}, true, ""},
		"gRPC":                {map[string]string{at: "http://c", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, false, "4318"},
		"gRPC, HTTP for them": {map[string]string{at: "http://c", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf"}, true, ""},
	} {
		got, err := Wanted(func(name string) string { return c.env[name] })
		if got != c.want || (err != nil) != (c.err != "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

func TestPhases(t *testing.T) {
	came := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	at := func(s int) time.Time { return came.Add(time.Duration(s) * time.Second) }
	for name, c := range map[string]struct {
		a    api.Answered
		want string
	}{
		"refused":            {api.Answered{}, ""},
		"warm":               {api.Answered{Times: relay.Times{Queued: at(1), Up: at(-50), Dispatched: at(2), First: at(4)}}, "queue 1-2, prefill 2-4, stream 4-9"},
		"cold":               {api.Answered{Cold: true, Times: relay.Times{Queued: at(1), Up: at(3), Dispatched: at(3), First: at(4)}}, "boot 1-3, prefill 3-4, stream 4-9"},
		"failed to boot":     {api.Answered{Cold: true, Times: relay.Times{Queued: at(1)}}, "boot 1-9"},
		"left the queue":     {api.Answered{Times: relay.Times{Queued: at(1)}}, "queue 1-9"},
		"crashed in prefill": {api.Answered{Times: relay.Times{Queued: at(1), Up: at(-50), Dispatched: at(1)}}, "prefill 1-9"},
		"joined late":        {api.Answered{Times: relay.Times{Queued: at(-9), Up: at(-6), Dispatched: at(-5), First: at(-4)}}, "stream 0-9"},
		"joined a boot":      {api.Answered{Cold: true, Times: relay.Times{Queued: at(-9), Up: at(2), Dispatched: at(2), First: at(3)}}, "boot 0-2, prefill 2-3, stream 3-9"},
	} {
		var got []string
		for _, p := range phases(c.a, came, at(9)) {
			got = append(got, p.name+" "+p.from.Format("5")+"-"+p.to.Format("5"))
		}
		if s := strings.Join(got, ", "); s != c.want {
			t.Errorf("%s: %s, want %s", name, s, c.want)
		}
	}
}
