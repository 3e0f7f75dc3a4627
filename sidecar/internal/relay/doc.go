// Package relay carries requests to engines and their answers back: the one
// place where hub and pool meet.
//
// Vocabulary. A Request is what a client wants of a slot. It joins a flight or
// leads one. The flight of a lead makes an attempt: ticket, lease, one call to
// the engine (upstream), frames. An ending is how an attempt ended, as it was
// seen from here; conclude turns it into an Outcome, or says that the flight
// gets a second attempt, which no client notices. A family is one of the API
// styles: it decides how a stream ends and how a failure is told in it.
//
// What is decided is decided by functions of values: policy.go (who shares),
// key.go (with whom), prepare.go (what the engine is sent), family.go (what an
// event means), refusal.go (what an engine's error means), ending.go (what an
// ending means), final.go (how a failure is told). What acts is relay.go,
// flight.go, upstream.go, stream.go, body.go and guard.go.
//
// Concurrency. A Relay's methods may be called from anywhere. A flight runs in
// the hub's goroutine and owns everything of its attempts; a guard watches each
// attempt from a second goroutine, which the attempt joins. An Upload is read
// from its client by a goroutine of its own, for which whoever began it waits
// (Done): while no engine takes it, what comes goes to a file. A Subscription
// belongs to its reader.
package relay
