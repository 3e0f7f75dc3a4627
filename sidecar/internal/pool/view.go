package pool

import (
	"slices"
	"time"

	"github.com/hal0-dev/hal0/sidecar/internal/device"
	"github.com/hal0-dev/hal0/sidecar/internal/slot"
)

// View is what Plan decides from.
type View struct {
	Now        time.Time
	Starvation time.Duration // a waiter older than this has a right to its slot
	Slots      []SlotView
	Accounts   []AccountView
}

// SlotView is one slot in a View.
type SlotView struct {
	ID       string
	Standing Standing
	Holds    []device.Share // reserved, by account
	Leases   int
	Waiting  int
	Oldest   time.Time // claim: since when its flights wait for their turn; zero = none waits
	Choices  []Choice  // where it may go, best first
	Shut     bool      // it grants no new lease: somebody starves
	Backlog  int       // flights that waited when it came up and wait still
	UpSince  time.Time
	UsedAt   time.Time     // when its last lease ended, or it came up
	Reload   time.Duration // what coming back costs
	Pin      bool
	Priority int64 // higher stays longer
}

// Choice is one place where a slot may go.
type Choice struct {
	Devices []device.ID
	Shares  []device.Share // by account; Whole is the account's capacity
	Lost    bool           // one of the devices does not work
}

// Standing is what a slot's state means for planning.
type Standing uint8

// Standings of a slot.
const (
	Down    Standing = iota + 1 // holds nothing
	Loading                     // holds memory, on its way up
	Up                          // holds memory, grants leases
	Going                       // holds memory, on its way down
	Stuck                       // holds memory that nobody can free
)

// AccountView is the memory of one device, or of several that share it.
type AccountView struct {
	ID       device.ID
	Capacity int64 // that may be reserved in all; Unknown = no limit
	Free     int64 // by the ledger and by the device; Unknown = no limit
	Serial   bool  // one load at a time
	Blocked  bool  // what is free belongs to somebody who waited longer
}

// view copies what Plan needs to decide about e.
func (p *Pool) view(e *entry, need int64, blocked map[device.ID]bool) View {
	v := View{Now: time.Now(), Starvation: p.cfg.Starvation}
	for _, o := range p.entries {
		s := o.view()
		if o == e {
			s.Choices = p.choices(e, need)
		}
		v.Slots = append(v.Slots, s)
	}
	slices.SortFunc(v.Slots, func(a, b SlotView) int { return cmpString(a.ID, b.ID) })
	for _, a := range p.ledger.Accounts() {
		v.Accounts = append(v.Accounts, p.account(a, v, blocked[a.ID]))
	}
	return v
}

func (e *entry) view() SlotView {
	s := SlotView{
		ID: e.id, Standing: e.standing(), Leases: e.snap.Leases + e.granting, Waiting: e.queue.len, Oldest: e.claim(),
		Shut: e.shut, Backlog: e.backlog, UpSince: e.snap.UpSince, UsedAt: e.snap.UpSince,
		Reload: e.pool.eta(e), Pin: e.spec.Model.Pin, Priority: e.spec.Model.Priority,
	}
	if e.snap.LastUsed.After(s.UsedAt) {
		s.UsedAt = e.snap.LastUsed
	}
	if e.lease != nil {
		s.Holds = e.lease.reservation.Shares()
	}
	return s
}

// serial reports whether slots load there one at a time: engines look at what
// is free while they load. Host memory alone is known well enough without.
func (p *Pool) serial(account device.ID) bool {
	return slices.ContainsFunc(p.devices.last.Devices, func(d device.Device) bool {
		return d.Kind != device.KindHost && d.Account() == account
	})
}

func (e *entry) standing() Standing {
	s := e.snap.State
	switch {
	case e.lease == nil:
		return Down
	case s == slot.ErrorStuck:
		return Stuck
	case s.Up() && !e.leaving:
		return Up
	case s == slot.StartingMemory || s == slot.Starting || s == slot.Warming: // memory: started, not yet heard
		if e.leaving {
			return Going
		}
		return Loading
	}
	return Going
}

// account is one account as it is now: what is free is what the ledger has
// left, and not more than what the devices say, less what slots that load have
// yet to take.
func (p *Pool) account(a device.Account, v View, blocked bool) AccountView {
	out := AccountView{ID: a.ID, Capacity: a.Capacity, Free: a.Free(), Blocked: blocked, Serial: p.serial(a.ID)}
	d, ok := p.devices.last.Device(a.ID)
	if !ok || d.Free == device.Unknown {
		return out
	}
	free := d.Free - p.cfg.Reserve
	for _, s := range v.Slots {
		if s.Standing == Loading {
			free -= holds(s, a.ID)
		}
	}
	if out.Free == device.Unknown || free < out.Free {
		out.Free = max(free, 0)
	}
	return out
}

// choices lists where the slot may go with that need: the devices that its
// declaration allows, the one with most room first.
func (p *Pool) choices(e *entry, need int64) []Choice {
	if p.cfg.Devices == nil {
		return []Choice{{}}
	}
	var out []Choice
	for _, set := range device.Choose(p.devices.last, e.spec.Model.Device) {
		c := divide(set, need)
		c.Lost = slices.ContainsFunc(c.Devices, p.lost)
		out = append(out, c)
	}
	return out
}

// divide spreads the need evenly over the devices of one choice.
func divide(set []device.Device, need int64) Choice {
	var c Choice
	n := int64(len(set))
	for _, d := range set {
		share := device.Share{Device: d.Account(), Bytes: need}
		if need != Whole {
			share.Bytes = (need + n - 1) / n
		}
		c.Devices = append(c.Devices, d.ID)
		c.Shares = append(c.Shares, share)
	}
	return c
}
