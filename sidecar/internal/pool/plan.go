package pool

import (
	"slices"
	"time"

	"github.com/hal0-dev/hal0/sidecar/internal/device"
)

// Whole stands for all of a device's memory that can be had, where nobody knows
// the need: no other slot may hold any, and what others use is left to them.
const Whole int64 = -1

// Verdict is what Plan says about the slot that wants to start.
type Verdict uint8

// Verdicts of Plan.
const (
	Admit    Verdict = iota + 1 // start on Place now
	Evict                       // send Evict away, and ask again when they are gone
	Wait                        // something is on its way; ask again when it is there
	NoMemory                    // nothing that may go would make room
	Lost                        // every device it may use is lost
	TooLarge                    // no device that it may use is large enough
)

// Decision of Plan.
type Decision struct {
	Verdict Verdict
	Place   Choice    // Admit: with Whole resolved
	Evict   []string  // slots without leases, to go now
	Shut    []string  // slots to grant no new lease, so that they can go
	Busy    bool      // Wait: for slots that serve somebody
	Guarded time.Time // Wait: until then a slot that could be shut may serve its first flights
	Near    Choice    // where it waits: the accounts that a starving slot blocks
}

// Plan decides about the slot that wants to start. It is pure.
func Plan(v View, want string) Decision {
	i := slices.IndexFunc(v.Slots, func(s SlotView) bool { return s.ID == want })
	if i < 0 || len(v.Slots[i].Choices) == 0 {
		return Decision{Verdict: Lost}
	}
	p := planner{View: v, want: v.Slots[i]}
	options := p.options()
	best := slices.MinFunc(options, option.compare)
	return best.decision
}

type planner struct {
	View
	want SlotView
}

// option is what one choice would lead to.
type option struct {
	decision Decision
	cost     float64 // of the evictions
	rank     int     // of the choice among the others
}

// compare orders options: the milder verdict, the cheaper eviction, the better
// choice first.
func (o option) compare(p option) int {
	return cmpChain(o.severity()-p.severity(), cmpFloat(o.cost, p.cost), o.rank-p.rank)
}

// severity puts admission first, then waiting for what is on its way anyhow,
// then idle victims, then busy ones, then refusals.
func (o option) severity() int {
	d := o.decision
	switch d.Verdict {
	case Admit:
		return 0
	case Evict:
		return 2
	case Wait:
		if len(d.Shut) > 0 {
			return 3
		}
		if d.Busy {
			return 4 // and nobody starves yet
		}
		return 1
	case NoMemory:
		return 5
	case Lost:
		return 6
	case TooLarge:
		return 7
	}
	return 8
}

func (p planner) options() []option {
	out := make([]option, 0, len(p.want.Choices))
	for rank, c := range p.want.Choices {
		o := p.option(c)
		o.rank = rank
		o.decision.Near = c
		out = append(out, o)
	}
	return out
}

// option decides about one choice.
func (p planner) option(c Choice) option {
	place, verdict := p.resolve(c)
	if verdict != 0 {
		return option{decision: Decision{Verdict: verdict}}
	}
	if p.occupied(place) {
		return option{decision: Decision{Verdict: Wait}}
	}
	if p.fits(place, nil) {
		return option{decision: Decision{Verdict: Admit, Place: place}}
	}
	going := p.standing(Going)
	if p.fits(place, going) {
		return option{decision: Decision{Verdict: Wait}}
	}
	idle, busy := p.victims(place)
	if chosen, ok := p.choose(place, going, idle); ok {
		return option{decision: Decision{Verdict: Evict, Evict: ids(chosen)}, cost: cost(chosen, p.Now)}
	}
	if chosen, ok := p.choose(place, going, append(idle, busy...)); ok {
		return p.outwait(chosen)
	}
	if p.fits(place, slices.Concat(going, idle, busy, p.evictableSoon())) {
		return option{decision: Decision{Verdict: Wait, Busy: true}, cost: 1}
	}
	return option{decision: Decision{Verdict: NoMemory}}
}

// outwait decides about victims of which at least one is busy: before the
// waiter starves, wait for a pause; after, let them take nothing new.
func (p planner) outwait(chosen []SlotView) option {
	o := option{decision: Decision{Verdict: Wait, Busy: true}, cost: cost(chosen, p.Now)}
	if p.want.Oldest.IsZero() || p.Now.Sub(p.want.Oldest) < p.Starvation {
		return o
	}
	for _, s := range chosen {
		switch {
		case !busy(s):
		case p.guarded(s):
			o.decision.Guarded = s.UpSince.Add(p.Starvation)
		default:
			o.decision.Shut = append(o.decision.Shut, s.ID)
		}
	}
	return o
}

// guarded reports whether s still serves the flights that waited when it came
// up: else slots that take turns would load for ever and serve nobody.
func (p planner) guarded(s SlotView) bool {
	return s.Backlog > 0 && p.Now.Sub(s.UpSince) < p.Starvation
}

// resolve replaces Whole by the capacity, and says if the choice is out of the
// question.
func (p planner) resolve(c Choice) (Choice, Verdict) {
	place := Choice{Devices: c.Devices, Shares: slices.Clone(c.Shares)}
	for i, share := range place.Shares {
		a, ok := p.account(share.Device)
		if !ok {
			return place, Lost
		}
		if share.Bytes == Whole {
			place.Shares[i].Bytes = p.whole(a)
		}
		if a.Capacity != device.Unknown && place.Shares[i].Bytes > a.Capacity {
			return place, TooLarge
		}
	}
	if c.Lost {
		return place, Lost
	}
	return place, 0
}

// whole is all of an account's memory that slots have or could have.
func (p planner) whole(a AccountView) int64 {
	if a.Free == device.Unknown {
		return max(a.Capacity, 0)
	}
	n := a.Free
	for _, s := range p.Slots {
		if s.ID != p.want.ID && s.Standing != Stuck {
			n += holds(s, a.ID)
		}
	}
	if a.Capacity != device.Unknown {
		n = min(n, a.Capacity)
	}
	return max(n, 1) // of nothing, even an unknown need is too much
}

// occupied reports whether the place is not to be had whatever fits: another
// slot loads there, or somebody who waited longer does.
func (p planner) occupied(place Choice) bool {
	for _, share := range place.Shares {
		a, _ := p.account(share.Device)
		if a.Blocked || a.Serial && slices.ContainsFunc(p.standing(Loading), func(s SlotView) bool { return holds(s, a.ID) > 0 }) {
			return true
		}
	}
	return false
}

func (p planner) account(id device.ID) (AccountView, bool) {
	for _, a := range p.Accounts {
		if a.ID == id {
			return a, true
		}
	}
	return AccountView{}, false
}

// standing returns the other slots of that standing.
func (p planner) standing(s Standing) []SlotView {
	var out []SlotView
	for _, o := range p.Slots {
		if o.Standing == s && o.ID != p.want.ID {
			out = append(out, o)
		}
	}
	return out
}

// evictableSoon returns the slots that load now and may go later.
func (p planner) evictableSoon() []SlotView {
	return slices.DeleteFunc(p.standing(Loading), func(s SlotView) bool { return s.Pin })
}

// fits reports whether the place is free once the slots are gone.
func (p planner) fits(place Choice, gone []SlotView) bool {
	for _, share := range place.Shares {
		a, _ := p.account(share.Device)
		if a.Free == device.Unknown {
			continue
		}
		free := a.Free
		for _, s := range gone {
			free += holds(s, a.ID)
		}
		if need(place.Shares, a.ID) > free {
			return false
		}
	}
	return true
}

func need(shares []device.Share, account device.ID) int64 {
	var sum int64
	for _, share := range shares {
		if share.Device == account {
			sum += share.Bytes
		}
	}
	return sum
}

func holds(s SlotView, account device.ID) int64 { return need(s.Holds, account) }
