package api

import (
	"net/http"
	"time"

	"github.com/hal0-dev/hal0/plugin/wire"
	"github.com/hal0-dev/hal0/sidecar/internal/relay"
)

// Observer hears how each request ended. It is called by the handler's
// goroutine, after the answer, and must not wait.
type Observer interface {
	Answered(Answered)
}

// Answered is one finished request, for logs, metrics and people. Nothing of
// what was asked or answered is in it.
type Answered struct {
	ID        string        `json:"id"`
	Trace     string        `json:"trace_id,omitempty"` // of the trace that the client follows; "" = none
	At        time.Time     `json:"at"`                 // when it came
	Route     string        `json:"route"`
	Slot      string        `json:"slot"`
	Endpoint  string        `json:"endpoint"`
	Client    string        `json:"client,omitempty"` // address
	Scope     string        `json:"scope,omitempty"`
	Stream    bool          `json:"stream"`
	Outcome   string        `json:"outcome"` // ok, cancelled, failed, truncated
	Code      string        `json:"code,omitempty"`
	Flight    string        `json:"flight"` // lead or join; "" = refused before it had one
	Cold      bool          `json:"cold"`
	Status    int           `json:"status"`
	Wait      time.Duration `json:"wait_ns"`            // until there was an answer, of any kind
	FirstByte time.Duration `json:"ttft_ns"`            // until the first frame; 0 = there was none
	Added     time.Duration `json:"added_ns,omitempty"` // of FirstByte: what neither the queue nor the engine took; 0 = joined, or no frame
	Took      time.Duration `json:"took_ns"`
	Events    int           `json:"events"`
	Bytes     int64         `json:"bytes"`

	Times relay.Times `json:"-"` // of the flight
}

// Outcomes lists how requests end.
func Outcomes() []string {
	return []string{outcomeOK, outcomeCancelled, outcomeFailed, outcomeTruncated}
}

type unobserved struct{}

func (unobserved) Answered(Answered) {}

// Tracer takes requests into the traces that their clients follow. It is
// trace.Tracer.
type Tracer interface {
	// Begin reads the trace off a request's header, and leaves there what the
	// engine is to be told of it. It returns the trace's id, "" = there is none,
	// and what must hear how the request ended.
	Begin(h http.Header, endpoint string, came time.Time) (id string, end func(Answered))
}

type untraced struct{}

func (untraced) Begin(http.Header, string, time.Time) (string, func(Answered)) {
	return "", func(Answered) {}
}

func answered(ask relay.Request, p wire.Proof, t told, whole time.Time) Answered {
	return Answered{
		At: whole, Route: p.Route, Slot: ask.Slot, Endpoint: ask.Endpoint.Path, Client: p.Client, Scope: p.Scope,
		Stream: t.Stream, Outcome: t.Outcome, Code: t.Code, Flight: t.Flight, Cold: t.Cold, Status: t.Status,
		Wait: t.Wait, FirstByte: t.FirstByte, Added: added(t), Took: time.Since(whole), Events: t.Events, Bytes: t.Bytes,
		Times: t.Times,
	}
}

// added is how long the request's first frame was in our own hands: before it
// asked for its lease, and after the engine had sent the frame. Who joins a
// flight waits for others' work; nothing tells the two apart.
func added(t told) time.Duration {
	if t.Flight != wire.FlightLead || t.FirstByte == 0 || t.Times.First.IsZero() {
		return 0
	}
	return max(t.FirstByte-t.Times.First.Sub(t.Times.Queued), 0)
}

// visit is a request that is being served.
type visit struct {
	id       string
	endpoint wire.Endpoint
	trace    string
	end      func(Answered) // the tracer's
}

// finish tells everybody who wants to know how a request ended.
func (s *Server) finish(v *visit, a Answered) {
	a.ID, a.Trace = v.id, v.trace
	s.log(a)
	s.history.add(a)
	s.cfg.Observe.Answered(a)
	v.end(a)
}

// turnAway answers a request that gets no flight.
func (s *Server) turnAway(w http.ResponseWriter, v *visit, f wire.Failure) {
	fail(w, v.id, v.endpoint.Family, f)
	s.finish(v, Answered{
		At: time.Now(), Slot: f.Details.Slot, Endpoint: v.endpoint.Path, Outcome: outcomeFailed, Code: f.Code, Status: f.Status(),
	})
}
