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
	At        time.Time     `json:"at"` // when it came
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
	Wait      time.Duration `json:"wait_ns"` // until there was an answer, of any kind
	FirstByte time.Duration `json:"ttft_ns"` // until the first frame; 0 = there was none
	Took      time.Duration `json:"took_ns"`
	Events    int           `json:"events"`
	Bytes     int64         `json:"bytes"`
}

// Outcomes lists how requests end.
func Outcomes() []string {
	return []string{outcomeOK, outcomeCancelled, outcomeFailed, outcomeTruncated}
}

type unobserved struct{}

func (unobserved) Answered(Answered) {}

func answered(ask relay.Request, p wire.Proof, t told, began time.Time) Answered {
	return Answered{
		ID: ask.ID, At: began, Route: p.Route, Slot: ask.Slot, Endpoint: ask.Endpoint.Path, Client: p.Client, Scope: p.Scope,
		Stream: t.Stream, Outcome: t.Outcome, Code: t.Code, Flight: t.Flight, Cold: t.Cold, Status: t.Status,
		Wait: t.Wait, FirstByte: t.FirstByte, Took: time.Since(began), Events: t.Events, Bytes: t.Bytes,
	}
}

// turnAway answers a request that gets no flight.
func (s *Server) turnAway(w http.ResponseWriter, id string, e wire.Endpoint, f wire.Failure) {
	fail(w, id, e.Family, f)
	a := Answered{
		ID: id, At: time.Now(), Slot: f.Details.Slot, Endpoint: e.Path, Outcome: outcomeFailed, Code: f.Code, Status: f.Status(),
	}
	s.history.add(a)
	s.cfg.Observe.Answered(a)
}
