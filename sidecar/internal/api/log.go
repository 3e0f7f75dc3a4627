package api

// log writes the one line of a request. What was asked and answered stays out.
func (s *Server) log(a Answered) {
	s.cfg.Log.Info("request",
		"request_id", a.ID, "trace_id", a.Trace, "route", a.Route, "slot", a.Slot, "endpoint", a.Endpoint,
		"client", a.Client, "stream", a.Stream, "outcome", a.Outcome, "code", a.Code, "flight", a.Flight, "cold", a.Cold, "status", a.Status,
		"wait_ms", a.Wait.Milliseconds(), "ttft_ms", a.FirstByte.Milliseconds(), "added_us", a.Added.Microseconds(), "events", a.Events, "bytes", a.Bytes,
		"ms", a.Took.Milliseconds())
}
