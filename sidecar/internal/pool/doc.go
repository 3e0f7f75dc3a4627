// Package pool runs all slots of one machine: who may start, who must go, and
// who gets the next lease.
//
// Vocabulary. A flight asks for a slot by a Ticket, waits in its lane of the
// slot's queue, and gets one slot.Lease or a Refusal. A slot that wants to
// start asks for memory; Plan decides from a View, a value, whether it is
// admitted, whom to evict for it, or how long to wait.
//
// Memory. What is reserved is the memory of the devices that a slot runs on. What
// the engine of a GPU takes of the host's beside that is not: little, where
// llama.cpp maps its file, and not to be known before where it does not. The
// host's own figure has it from then on, and is read before each admission.
//
// Concurrency. One goroutine owns queues, plans and what was learned; requests,
// reports of slots and results of what takes long (readings, estimates) are
// messages to it. It never blocks: whatever could take long runs in a
// goroutine of its own that Close joins. A Ticket has a mutex of its own, so
// that a slot can hand a lease over without passing through the pool again.
package pool
