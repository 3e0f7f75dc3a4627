package pool

import (
	"slices"
	"time"

	"github.com/hal0-dev/hal0/sidecar/internal/device"
	"github.com/hal0-dev/hal0/sidecar/internal/slot"
)

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
		ID: e.id, Standing: e.standing(), Leases: e.snap.Leases + e.granting, Waiting: e.queue.len, Oldest: e.oldest(),
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
	free := d.Free
	if d.Total != device.Unknown && a.Capacity != device.Unknown {
		free -= max(d.Total-a.Capacity, 0) // the reserve
	}
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
