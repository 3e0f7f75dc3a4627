// Package hub lets many readers share one piece of work and its output.
//
// Vocabulary. A Flight is one run of the work: a head, an append-only log of
// frames, and at the end one outcome, a value. A Subscription is a reader's
// place in that log; replaying what was and following what comes is the same
// code. An Arrival is a reader that asks for a flight: it joins one that is
// under way with its key, or it leads one of its own. While a flight's window
// is open its whole log is kept, so that whoever joins reads from the first
// frame; once the window is closed, and that is for good, only what somebody
// still has to read is kept.
//
// Concurrency. A flight has one writer: the goroutine that Hub starts for
// Arrival.Run, under a context of the hub's own, which ends when nobody reads
// any more or the hub closes, and never with a reader's. Each Subscription
// belongs to one goroutine, except Kick and Leave, which anyone may call. No
// reader waits for another one. The writer waits only when the *fastest* reader
// is far behind; slower ones than that are cut off. Every reader hears the
// outcome, whatever becomes of the run: return, panic or Goexit.
//
// Locks: Hub.mu, then Flight.mu. Nothing blocks and nothing foreign is called
// under either.
package hub
