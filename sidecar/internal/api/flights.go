package api

import (
	"strings"
	"sync"
	"time"

	"github.com/hal0-dev/hal0/sidecar/internal/hub"
)

// Flights are the flights under way. It is relay.Relay.
type Flights interface {
	Flights() []hub.Info
}

const (
	boardEvery = time.Second // how fresh the board is
	boardMost  = 100         // flights that it shows
)

// flying is a flight as people are shown it.
type flying struct {
	Slot       string    `json:"slot"`
	Endpoint   string    `json:"endpoint"`
	Since      time.Time `json:"since"`
	Readers    int       `json:"readers"` // who led and who joined
	Events     int       `json:"events"`
	Bytes      int64     `json:"bytes"`
	Joinable   bool      `json:"joinable"`
	Dispatched bool      `json:"dispatched"` // the engine works on it
}

// flightList is the answer of GET /api/flights.
type flightList struct {
	At      time.Time `json:"at"`
	Total   int       `json:"total"`
	Flights []flying  `json:"flights"` // the oldest first, not more than a hundred
}

// board is one picture of the flights for all who look: however many look, the
// hub is asked once a second.
type board struct {
	mu   sync.Mutex
	last flightList // guarded by mu
}

func (b *board) look(f Flights, now time.Time) flightList {
	b.mu.Lock()
	defer b.mu.Unlock()
	if now.Sub(b.last.At) < boardEvery && !b.last.At.IsZero() {
		return b.last
	}
	all := f.Flights()
	b.last = flightList{At: now, Total: len(all), Flights: []flying{}}
	for _, i := range all[:min(len(all), boardMost)] {
		id, path, _ := strings.Cut(i.Label, " ")
		b.last.Flights = append(b.last.Flights, flying{
			Slot: id, Endpoint: path, Since: i.Since, Readers: i.Readers, Events: i.Frames, Bytes: i.Bytes,
			Joinable: i.Open, Dispatched: i.Dispatched,
		})
	}
	return b.last
}
