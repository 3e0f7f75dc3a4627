package api

import (
	"time"

	"github.com/hal0-dev/hal0/plugin/wire"
	"github.com/hal0-dev/hal0/sidecar/internal/relay"
)

// log writes the one line of a request. What was asked and answered stays out.
func (s *Server) log(ask relay.Request, p wire.Proof, t told, took time.Duration) {
	s.cfg.Log.Info("request",
		"request_id", ask.ID, "route", p.Route, "slot", ask.Slot, "endpoint", ask.Endpoint.Path,
		"client", p.Client, "stream", ask.Stream, "outcome", t.Outcome, "code", t.Code, "flight", t.Flight, "cold", t.Cold, "status", t.Status,
		"wait_ms", t.Wait.Milliseconds(), "ttft_ms", t.FirstByte.Milliseconds(), "events", t.Events, "bytes", t.Bytes,
		"ms", took.Milliseconds())
}
