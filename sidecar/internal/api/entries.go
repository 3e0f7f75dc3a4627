package api

import "net/http"

// Who may use an entry of the control side.
const (
	AccessAll      = "everybody"
	AccessProof    = "the plugin, with a proof"
	AccessOperator = "the operator: from the box itself, with the token, or signed in"
)

// Entry is one entry of the control side: for the handler, and for the
// reference.
type Entry struct {
	Pattern string // as http.ServeMux has it
	Access  string
	About   string
	serve   func(*Server) http.HandlerFunc
}

// Entries lists what the control side serves, the dashboard aside.
func Entries() []Entry {
	method := func(f func(*Server, http.ResponseWriter, *http.Request)) func(*Server) http.HandlerFunc {
		return func(s *Server) http.HandlerFunc {
			return func(w http.ResponseWriter, r *http.Request) { f(s, w, r) }
		}
	}
	return []Entry{
		{"GET /healthz", AccessAll, "200 while the sidecar can answer at all; with `?request=ID`, 404 where it does not work on that request.", method((*Server).healthz)},
		{"GET /readyz", AccessAll, "200 where a request could be served; with `?slot=ID`, by that slot. A cold slot is ready.", method((*Server).readyz)},
		{"PUT /api/routes/{name}", AccessProof, "Declares a route.", method((*Server).declare)},
		{"GET /api/slots", AccessOperator, "Every slot: state, declaration, leases, memory.", method((*Server).slots)},
		{"GET /api/slots/{id}", AccessOperator, "One slot.", method((*Server).slot)},
		{"GET /api/slots/{id}/logs", AccessOperator, "The last lines of the slot's engine as text; with `?follow=1` as events that go on.", method((*Server).logs)},
		{"POST /api/slots/{id}/load", AccessOperator, "Brings the slot up and answers when it is.", func(s *Server) http.HandlerFunc { return s.move(s.cfg.Slots.Load) }},
		{"POST /api/slots/{id}/unload", AccessOperator, "Sends the slot's engine away and answers when it is gone.", func(s *Server) http.HandlerFunc { return s.move(s.cfg.Slots.Unload) }},
		{"POST /api/slots/{id}/restart", AccessOperator, "Both, one after the other.", func(s *Server) http.HandlerFunc { return s.move(s.cfg.Slots.Restart) }},
		{"POST /api/slots/{id}/pin", AccessOperator, "Keeps the slot up: it is neither unloaded when idle nor for another slot's sake. Holds over a restart, and wins over the declaration.", func(s *Server) http.HandlerFunc { return s.pin(true) }},
		{"POST /api/slots/{id}/unpin", AccessOperator, "Ends that, also where the slot is declared as pinned.", func(s *Server) http.HandlerFunc { return s.pin(false) }},
		{"GET /api/events", AccessOperator, "Events that go on: `hello` with every slot, then `slot`, `request` and `flights`.", method((*Server).events)},
		{"GET /api/devices", AccessOperator, "Devices, their memory and what is reserved of it.", method((*Server).devices)},
		{"GET /api/flights", AccessOperator, "The flights under way, not fresher than a second.", method((*Server).flights)},
		{"GET /api/requests", AccessOperator, "The last hundred requests and how they ended.", method((*Server).requests)},
		{"GET /api/routes", AccessOperator, "Every route, its slots and its problems.", method((*Server).routes)},
		{"DELETE /api/routes/{name}", AccessOperator, "Forgets a route; its slots go, unless another route has them.", method((*Server).forget)},
		{"GET /api/version", AccessOperator, "The sidecar's version and the wire's.", method((*Server).version)},
		{"POST /api/v1/chat/completions", AccessOperator, "A chat with a slot, as under /v1, without an API key.", method((*Server).console)},
		{"GET /metrics", AccessOperator, "Metrics for Prometheus.", (*Server).metrics},
		{"GET /api/session", AccessAll, "Whether who asks may come in.", method((*Server).session)},
		{"POST /api/session", AccessAll, "Signs in with the dashboard's password: `{\"password\": …}`.", method((*Server).signIn)},
		{"DELETE /api/session", AccessAll, "Signs out.", method((*Server).signOut)},
	}
}

// Control is the handler of the control listener.
func (s *Server) Control() http.Handler {
	mux := http.NewServeMux()
	for _, e := range Entries() {
		var h http.Handler = e.serve(s)
		if e.Access == AccessOperator {
			h = s.guard(h)
		}
		mux.Handle(e.Pattern, h)
	}
	if s.cfg.Pages != nil {
		mux.Handle("GET /", s.cfg.Pages)
	}
	return contained(s.cfg.Log, mux)
}
