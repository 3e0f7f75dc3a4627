package pool

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hal0-dev/hal0/plugin/wire"
	"github.com/hal0-dev/hal0/sidecar/internal/device"
	"github.com/hal0-dev/hal0/sidecar/internal/slot"
	"github.com/hal0-dev/hal0/sidecar/internal/slot/slottest"
)

// holders are the accounts on which the slot holds memory, and how much.
func holders(b *bench, id string) map[device.ID]int64 {
	out := map[device.ID]int64{}
	for _, a := range b.Accounts() {
		for _, h := range a.Holders {
			if h.Owner == id {
				out[a.ID] = h.Bytes
			}
		}
	}
	return out
}

// A slot that was measured before anybody filled its context may grow to its
// estimate later: what it was seen to hold must not make room for another.
func TestMeasuredLessThanEstimated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &fakeStore{}
		estimate := func(context.Context, wire.Model) (int64, error) { return 6 * gib, nil }
		c := Config{Devices: hostOf(10 * gib), Estimate: estimate, Resident: func(int) (int64, error) { return 2 * gib, nil }, Store: store}
		for range 2 { // the second time with what the first has learned
			a, other := slottest.New(slottest.Behaviour{}), slottest.New(slottest.Behaviour{})
			b := newBench(t, c, spec("a", a), spec("other", other))
			lease := b.get("a")
			synctest.Wait()
			if got := holders(b, "a")[device.Host]; got != 6*gib {
				t.Errorf("a holds %s after it was measured", gibibytes(got))
			}
			waits := b.Request(Request{Slot: "other"})
			time.Sleep(5 * time.Second)
			if up, _ := other.Alive(); up != 0 {
				t.Error("both are up: together they may come to need more than there is")
			}
			lease.Release()
			if _, err := waits.Lease(t.Context()); err != nil {
				t.Error(err)
			}
			if up, _ := a.Alive(); up != 0 {
				t.Error("the other one did not take the first one's place")
			}
			if err := b.Close(t.Context()); err != nil {
				t.Error(err)
			}
		}
		for _, l := range store.known {
			if l.Need == 0 || l.Need >= 6*gib {
				t.Errorf("learned %s: want what was measured", gibibytes(l.Need))
			}
		}
	})
}

func TestSeveralGPUs(t *testing.T) {
	bubble("the one with most free memory", t, func(t *testing.T) {
		f := gpusOf(24*gib, 12*gib)
		f.devices[1].Free = 4 * gib // others use the larger one
		b := newBench(t, Config{Devices: f}, spec("a", slottest.New(slottest.Behaviour{}), memoryOf(3*gib)),
			spec("c", slottest.New(slottest.Behaviour{}), memoryOf(11*gib)), spec("d", slottest.New(slottest.Behaviour{}), memoryOf(3*gib)))
		b.get("a").Release()
		if got := holders(b, "a"); got["GPU-1"] != 3*gib || len(got) != 1 {
			t.Errorf("a holds %v", got)
		}
		b.get("c").Release() // in place of a: it fits nowhere else
		b.wantState("a", slot.Offline)
		if got := holders(b, "c"); got["GPU-1"] != 11*gib || len(got) != 1 {
			t.Errorf("c holds %v", got)
		}
		b.get("d").Release() // beside c, where it fits
		if got := holders(b, "d"); got["GPU-0"] != 3*gib || len(got) != 1 {
			t.Errorf("d holds %v", got)
		}
		synctest.Wait()
		b.wantState("c", slot.Idle)
	})
	bubble("larger than each of them", t, func(t *testing.T) {
		all := func(m *wire.Model) { m.Device = "0,1" }
		b := newBench(t, Config{Devices: gpusOf(8*gib, 12*gib)}, spec("a", slottest.New(slottest.Behaviour{}), memoryOf(15*gib)),
			spec("c", slottest.New(slottest.Behaviour{}), memoryOf(15*gib), all), spec("d", slottest.New(slottest.Behaviour{}), memoryOf(30*gib), all))
		r := b.refused("a")
		b.wantAt(0)
		if r.Details.Retryable || r.Details.Exit != "too_large" || !strings.Contains(r.Message, "needs 15.0 GiB") ||
			!strings.Contains(r.Message, "is 12.0 GiB") || !strings.Contains(r.Message, "`device` may name several") {
			t.Errorf("refusal is %+v", r)
		}
		b.get("c").Release()
		if got := holders(b, "c"); got["GPU-0"] != 15*gib/2 || got["GPU-1"] != 15*gib/2 {
			t.Errorf("c holds %v", got)
		}
		if r = b.refused("d"); !strings.Contains(r.Message, "needs 30.0 GiB") || strings.Contains(r.Message, "several") {
			t.Errorf("refusal is %+v", r)
		}
	})
}

// What the engine of a GPU takes of the host's memory is in no reservation:
// nobody knows it before, and the host's own figure tells it after.
func TestHostMemoryBesideAGPU(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := gpusOf(24 * gib)
		gpu := slottest.New(slottest.Behaviour{})
		f.look = func(d *device.Device) {
			if now, _ := gpu.Alive(); d.ID == device.Host {
				d.Free = 64*gib - int64(now)*40*gib // half of its layers, say
			}
		}
		onHost := func(m *wire.Model) { m.Device = "cpu" }
		b := newBench(t, Config{Devices: f}, spec("gpu", gpu, memoryOf(20*gib)),
			spec("c", slottest.New(slottest.Behaviour{}), memoryOf(30*gib), onHost), spec("d", slottest.New(slottest.Behaviour{}), memoryOf(20*gib), onHost))
		b.get("gpu").Release()
		if r := b.refused("c"); r.Code != wire.CodeNoMemory || !r.Details.Retryable || !strings.Contains(r.Message, "others hold 40.0 GiB") {
			t.Errorf("refusal is %+v", r)
		}
		b.get("d").Release()
	})
}
