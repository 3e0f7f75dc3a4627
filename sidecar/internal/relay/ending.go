package relay

import (
	"github.com/hal0-dev/hal0/plugin/wire"
	"github.com/hal0-dev/hal0/sidecar/internal/slot"
)

// how an attempt ended, as it was seen.
type how uint8

const (
	whole     how = iota + 1 // the answer is complete
	refused                  // no lease; failure says why
	complains                // the engine told an error; failure says which
	odd                      // the engine answered something that is no answer to this
	clipped                  // the input ended properly, but before the answer did
	torn                     // the connection ended inside the answer, or before it
	unreached                // the engine took no connection
	tooLarge                 // an event larger than clients can read
	lost                     // the lease was lost
	late                     // nothing came for too long
	unwanted                 // nobody reads any more
	closing                  // the sidecar shuts down
	native                   // the engine told its failure in the family's own last event
)

func (h how) String() string {
	names := [...]string{
		"invalid", "whole", "refused", "complains", "odd", "clipped", "torn", "unreached",
		"too_large", "lost", "late", "unwanted", "closing", "native",
	}
	if int(h) < len(names) {
		return names[h]
	}
	return names[0]
}

// ending is how an attempt ended.
type ending struct {
	how      how
	failure  wire.Failure // of refused, complains, odd and late
	loss     slot.Loss    // of lost
	appended bool         // a frame went out
	second   bool         // this was the second attempt
	suspect  bool         // an engine went down under the same request before
	spent    bool         // the request cannot be sent a second time
	err      error        // for the operator
}

// conclude decides what an ending means: an outcome, or another attempt. There
// is one only if no frame went out and the engine's process, or its connection,
// ended; never after an answer of any kind, or a wait that was too long.
func (e ending) conclude() (Outcome, bool) {
	if e.mends() && !e.appended && !e.second && !e.spent {
		return Outcome{}, true
	}
	switch e.how {
	case whole:
		return Outcome{Kind: Complete}, false
	case native:
		out := failed(wire.NewFailure(wire.CodeEngine, "the engine ended the answer as failed"))
		out.Told = true
		return out, false
	case unwanted:
		return Outcome{Kind: Abandoned}, false
	case refused, complains, odd, late:
		return failed(e.failure), false
	case clipped:
		return failed(wire.NewFailure(wire.CodeTruncated, "the engine ended the answer before it was complete")), false
	case torn:
		return failed(wire.NewFailure(wire.CodeTruncated, "the connection to the engine broke in the middle of the answer")), false
	case unreached:
		return failed(wire.NewFailure(wire.CodeEngine, "the engine takes no connections")), false
	case tooLarge:
		return failed(wire.NewFailure(wire.CodeEngine, "the engine sent an event that is larger than clients can read")), false
	case lost:
		return failed(e.lossFailure()), false
	case closing:
		return failed(wire.NewFailure(wire.CodeShutdown, "the sidecar is shutting down")), false
	}
	return failed(wire.NewFailure(wire.CodeInternal, "the answer ended in a way that is not known")), false
}

func failed(f wire.Failure) Outcome { return Outcome{Kind: Failed, Failure: f} }

// mends reports whether a second attempt may well do better.
func (e ending) mends() bool {
	switch e.how {
	case torn, unreached:
		return true
	case lost:
		return e.loss.Why == slot.WhyCrashed && !e.suspect
	}
	return false
}

// crashed reports whether the engine's process ended under the request.
func (e ending) crashed() bool { return e.how == lost && e.loss.Why == slot.WhyCrashed }

// lossFailure words the loss of a lease. What went down with an engine twice is
// not worth a third try, whoever made the second.
func (e ending) lossFailure() wire.Failure {
	f := wire.NewFailure(e.loss.Code(), lossMessage(e.loss.Why))
	f.Details.Exit = string(e.loss.Exit.Class)
	if (e.second || e.suspect) && e.crashed() {
		f.Details.Retryable = false
		f.Message = "the engine's process ended again while it worked on the same request"
	}
	return f
}

func lossMessage(why slot.Why) string {
	switch why {
	case slot.WhyCrashed:
		return "the engine's process ended while it worked on the request"
	case slot.WhyHung:
		return "the engine shows no life any more"
	case slot.WhyIdle, slot.WhyEvicted:
		return "the model was unloaded while the request ran"
	case slot.WhyChanged:
		return "the model's declaration changed while the request ran"
	case slot.WhyHand:
		return "the model was unloaded by hand while the request ran"
	case slot.WhyRemoved:
		return "the model was removed while the request ran"
	case slot.WhyShutdown:
		return "the sidecar is shutting down"
	case slot.WhyAbandon:
		return "the model's load was given up"
	}
	return "the engine was lost"
}
