package relay

import (
	"testing"

	"github.com/hal0-dev/hal0/plugin/wire"
	"github.com/hal0-dev/hal0/sidecar/internal/slot"
)

// Every way to end has an outcome, and another attempt follows only where the
// engine went down before anything came of the first.
func TestConclude(t *testing.T) {
	crash := slot.Loss{Why: slot.WhyCrashed}
	for _, c := range []struct {
		end   ending
		again bool
		kind  Kind
		code  string
	}{
		{ending{how: torn}, true, 0, ""},
		{ending{how: unreached}, true, 0, ""},
		{ending{how: lost, loss: crash}, true, 0, ""},

		{ending{how: torn, appended: true}, false, Failed, wire.CodeTruncated},
		{ending{how: lost, loss: crash, appended: true}, false, Failed, wire.CodeCrashed},
		{ending{how: torn, second: true}, false, Failed, wire.CodeTruncated},
		{ending{how: lost, loss: crash, second: true}, false, Failed, wire.CodeCrashed},
		{ending{how: lost, loss: crash, suspect: true}, false, Failed, wire.CodeCrashed},
		{ending{how: unreached, spent: true}, false, Failed, wire.CodeEngine},
		{ending{how: lost, loss: slot.Loss{Why: slot.WhyHand}}, false, Failed, wire.CodeUnloading},

		{ending{how: whole}, false, Complete, ""},
		{ending{how: unwanted}, false, Abandoned, ""},
		{ending{how: native}, false, Failed, wire.CodeEngine},
		{ending{how: clipped}, false, Failed, wire.CodeTruncated},
		{ending{how: tooLarge}, false, Failed, wire.CodeEngine},
		{ending{how: closing}, false, Failed, wire.CodeShutdown},
		{ending{how: late, failure: wire.NewFailure(wire.CodeStalled, "")}, false, Failed, wire.CodeStalled},
		{ending{how: refused, failure: wire.NewFailure(wire.CodeQueueFull, "")}, false, Failed, wire.CodeQueueFull},
		{ending{how: complains, failure: wire.NewFailure(wire.CodeEngine, "")}, false, Failed, wire.CodeEngine},
		{ending{how: odd, failure: wire.NewFailure(wire.CodeEngine, "")}, false, Failed, wire.CodeEngine},
		{ending{}, false, Failed, wire.CodeInternal},
	} {
		out, again := c.end.conclude()
		if again != c.again || out.Kind != c.kind || out.Failure.Code != c.code {
			t.Errorf("%v %+v: again %v, %v %q", c.end.how, c.end, again, out.Kind, out.Failure.Code)
		}
	}
}
