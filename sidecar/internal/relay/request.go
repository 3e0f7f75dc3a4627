package relay

import (
	"net/http"
	"time"

	"github.com/hal0-dev/hal0/plugin/wire"
)

// Request is what a client wants.
type Request struct {
	ID    string // of the request, for logs and for the client
	Route string
	Slot  string
	Scope string // who may share a flight
	Lane  string // the fair queue: scope and address

	Endpoint wire.Endpoint
	Model    wire.Model
	Header   http.Header // as the client sent it
	Body     []byte
	Upload   *Upload // in place of Body, where the endpoint takes a form; Open closes it, or its flight does

	CoalesceOff bool
	Retry       int // how often the client's SDK has tried before
}

// Head is what comes before the first frame of an answer.
type Head struct {
	Status int
	Header http.Header // what clients may see
	SSE    bool        // the frames are whole events
}

// Kind of an outcome.
type Kind uint8

const (
	// Complete: the answer was whole.
	Complete Kind = iota + 1
	// Failed: Failure says why.
	Failed
	// Abandoned: nobody wanted the answer any more.
	Abandoned
)

func (k Kind) String() string {
	switch k {
	case Complete:
		return "complete"
	case Failed:
		return "failed"
	case Abandoned:
		return "abandoned"
	}
	return "invalid"
}

// Outcome is how a flight ended. It is a value: every reader tells it to its
// client in its own way.
type Outcome struct {
	Kind    Kind
	Failure wire.Failure // of Failed
	Told    bool         // Failure stands in the stream already, in the engine's own words
	Retried bool         // there was a second attempt

	final final // what the family needs to tell a failure in its stream
}

// Times of a flight, for logs and metrics. A zero time has not come.
type Times struct {
	Queued     time.Time // it asked for its lease
	Up         time.Time // the engine became ready, before or after Queued
	Dispatched time.Time // the engine was called, in the last attempt
	First      time.Time // the engine's first frame
}
