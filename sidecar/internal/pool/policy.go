package pool

import (
	"cmp"
	"slices"
	"time"

	"github.com/hal0-dev/hal0/sidecar/internal/device"
)

// victims returns the slots that hold memory of the place and may go, in the
// order in which they should, those that nobody uses apart.
func (p planner) victims(place Choice) (idle, used []SlotView) {
	for _, s := range p.standing(Up) {
		if s.Pin || !slices.ContainsFunc(s.Holds, func(h device.Share) bool { return h.Bytes > 0 && need(place.Shares, h.Device) > 0 }) {
			continue
		}
		if busy(s) {
			used = append(used, s)
		} else {
			idle = append(idle, s)
		}
	}
	order := func(a, b SlotView) int { return evictionOrder(a, b, p.Now) }
	slices.SortFunc(idle, order)
	slices.SortFunc(used, order)
	return idle, used
}

// busy reports whether the slot serves somebody, or would at once.
func busy(s SlotView) bool { return s.Leases > 0 || s.Waiting > 0 && !s.Shut }

// evictionOrder says who goes first: who was chosen before, the lowest
// priority, then who was idle for longest by what coming back costs.
func evictionOrder(a, b SlotView, now time.Time) int {
	chosen := func(s SlotView) int {
		if s.Shut {
			return 0
		}
		return 1
	}
	return cmpChain(
		chosen(a)-chosen(b),
		cmp.Compare(a.Priority, b.Priority),
		-cmpFloat(idleness(a, now), idleness(b, now)),
		cmp.Compare(a.ID, b.ID),
	)
}

// idleness is the idle time divided by reload cost and size, in seconds per
// second and GiB.
func idleness(s SlotView, now time.Time) float64 {
	idle := max(now.Sub(s.UsedAt).Seconds(), 0)
	if s.Leases > 0 {
		idle = 0
	}
	return idle / (reload(s) * size(s))
}

func reload(s SlotView) float64 { return max(s.Reload.Seconds(), 0.1) }

func size(s SlotView) float64 {
	var sum int64
	for _, h := range s.Holds {
		sum += h.Bytes
	}
	return max(float64(sum)/(1<<30), 0.001)
}

// choose takes victims in order until the place fits, then spares those that
// need not go after all, the last chosen first.
func (p planner) choose(place Choice, going, candidates []SlotView) ([]SlotView, bool) {
	var chosen []SlotView
	for _, s := range candidates {
		if p.fits(place, append(slices.Clone(going), chosen...)) {
			break
		}
		chosen = append(chosen, s)
	}
	if !p.fits(place, append(slices.Clone(going), chosen...)) {
		return nil, false
	}
	for i := len(chosen) - 1; i >= 0; i-- {
		without := slices.Delete(slices.Clone(chosen), i, i+1)
		if p.fits(place, append(slices.Clone(going), without...)) {
			chosen = without
		}
	}
	return chosen, true
}

// cost is what evicting the slots costs, for comparing choices.
func cost(chosen []SlotView, now time.Time) float64 {
	var sum float64
	for _, s := range chosen {
		sum += 1 / (idleness(s, now) + 1e-6)
	}
	return sum
}

func ids(slots []SlotView) []string {
	out := make([]string, len(slots))
	for i, s := range slots {
		out[i] = s.ID
	}
	return out
}

func cmpFloat(a, b float64) int { return cmp.Compare(a, b) }

func cmpChain(orders ...int) int {
	for _, o := range orders {
		if o != 0 {
			return o
		}
	}
	return 0
}
