package pool

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hal0-dev/hal0/plugin/wire"
	"github.com/hal0-dev/hal0/sidecar/internal/slot"
	"github.com/hal0-dev/hal0/sidecar/internal/slot/slottest"
)

// A model that is not there is told at once, and no memory is asked for it; what
// it needs is found out when it has come.
func TestEstimateThatFindsNoModel(t *testing.T) {
	bubble("missing, then there", t, func(t *testing.T) {
		missing := true
		c := Config{Devices: hostOf(10 * gib), Estimate: func(context.Context, wire.Model) (int64, error) {
			if missing {
				return 0, &slot.LaunchError{Class: slot.ClassBadModel, Err: errors.New("no such file")}
			}
			return 3 * gib, nil
		}}
		a := slottest.New(slottest.Behaviour{})
		a.SetStamp("absent")
		b := newBench(t, c, spec("a", a))
		if r := b.refused("a"); r.Code != wire.CodeLoadFailed || r.Details.Retryable {
			t.Errorf("refused with %v", r)
		}
		b.wantAt(0)
		synctest.Wait()
		missing = false
		a.SetStamp("there")
		time.Sleep(5 * time.Second) // it looks every 2 s
		b.wantState("a", slot.Offline)
		b.get("a").Release()
		if held := b.state("a").Memory; len(held) != 1 || held[0].Bytes != 3*gib {
			t.Errorf("holds %v", held)
		}
	})
}
