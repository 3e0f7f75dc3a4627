// Package device knows the memory that engines live in.
//
// Vocabulary. A Device is a GPU or the host ("cpu"). A Reading is what the
// devices said at one moment. An account is the memory that a Ledger divides:
// one per device, except that integrated GPUs share the host's. A Reservation
// is the right to some of it, held from before a process is launched until its
// memory is known to be free.
//
// Concurrency. Ledger and Inventory may be used from any goroutine; a mutex
// guards each, and no tool is run under it.
package device
