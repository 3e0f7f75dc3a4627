package api

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/hal0-dev/hal0/plugin/wire"
	"github.com/hal0-dev/hal0/sidecar/internal/relay"
)

// follower is a tracer that has one answer.
type follower struct{ ended []Answered }

func (f *follower) Begin(h http.Header, endpoint string, _ time.Time) (string, func(Answered)) {
	return h.Get("Traceparent") + " " + endpoint, func(a Answered) { f.ended = append(f.ended, a) }
}

func TestRefusalsAreFollowedToo(t *testing.T) {
	f := &follower{}
	s, _ := control(t, func(c *Config) { c.Trace = f })
	const path = "/v1/chat/completions"
	r := httptest.NewRequest("POST", path, strings.NewReader("{}"))
	r.Header.Set("Traceparent", "t")
	r.Header.Set(wire.HeaderProof, wire.Sign(testToken, wire.Subject{Purpose: wire.PurposeRequest, Method: "POST", Path: path},
		wire.Proof{TimeMS: time.Now().UnixMilli(), RequestID: "r1", Route: "unknown", Slot: "a"}))
	w := httptest.NewRecorder()
	s.proven(w, r)
	all := s.history.recent()
	if len(all) != 1 || all[0].ID != "r1" || all[0].Trace != "t "+path || all[0].Outcome != outcomeFailed || len(f.ended) != 1 {
		t.Errorf("%d: history %+v, %d spans ended", w.Code, all, len(f.ended))
	}
}

func TestAdded(t *testing.T) {
	at := func(ms int) time.Time { return time.UnixMilli(int64(ms)) }
	for name, c := range map[string]struct {
		told told
		want time.Duration
	}{
		"lead":           {told{Flight: wire.FlightLead, FirstByte: 30 * time.Millisecond, Times: relay.Times{Queued: at(2), First: at(29)}}, 3 * time.Millisecond},
		"join":           {told{Flight: wire.FlightJoin, FirstByte: 30 * time.Millisecond, Times: relay.Times{Queued: at(2), First: at(29)}}, 0},
		"no frame":       {told{Flight: wire.FlightLead, Times: relay.Times{Queued: at(2)}}, 0},
		"clocks stepped": {told{Flight: wire.FlightLead, FirstByte: time.Millisecond, Times: relay.Times{Queued: at(2), First: at(29)}}, 0},
	} {
		if got := added(c.told); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}
