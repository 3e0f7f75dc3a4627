// Package slot runs one slot: the life of the one engine process that serves
// one model.
//
// Vocabulary. A slot comes up and goes down again, over and over; each attempt
// to come up is an incarnation, and everything asynchronous carries the number
// of the incarnation that made it. Memory is the right to occupy devices: a
// slot asks for it before it launches (state starting, phase memory), holds it
// as long as a process exists, and gives it back when the devices show it as
// free. A Lease is the right to send the engine one request; it exists only
// because the slot was up, and is lost when the slot leaves under it.
//
// What may happen when is one table (table.go), total and pure; lifecycle.md
// is generated from it, testdata/transitions.txt is its golden file.
//
// Concurrency. One goroutine owns all of a slot; the methods of Slot leave a
// message and return at once. What takes long (launch, probes, waiting for the
// process) runs in goroutines of its own and reports back as a message. Each
// message that changed something ends in one call of Config.Report, from the
// slot's goroutine, in order; Report must not block.
package slot
