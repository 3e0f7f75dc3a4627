package pool

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hal0-dev/hal0/sidecar/internal/device"
)

// holding is the memory that a slot was started with.
type holding struct {
	reservation *device.Reservation
	place       Choice
	gate        *gate            // left when it no longer loads
	before      device.Reading   // by which it was admitted
	beside      []device.Account // as they were then, itself included
	measured    bool             // also after its first use
}

// memory is a holding as the slot sees it: slot.Memory.
type memory struct {
	pool    *Pool
	entry   *entry
	holding *holding
}

// settleFor bounds the wait for devices to show memory as free.
const settleFor = 10 * time.Second

// Settle implements slot.Memory. The host's memory is free when the process is
// gone; a driver may take seconds.
func (m *memory) Settle(ctx context.Context, pid int) {
	h := m.holding
	if m.pool.cfg.Devices == nil || pid == 0 || !slices.ContainsFunc(h.place.Devices, func(id device.ID) bool { return id != device.Host }) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, settleFor)
	defer cancel()
	free := func(r device.Reading) bool { return h.freed(r, m.pool.ledger.Accounts(), pid) }
	if !m.pool.cfg.Devices.Until(ctx, free) && ctx.Err() == context.DeadlineExceeded {
		m.pool.log.Warn("devices do not show the engine's memory as free; the ledger decides", "slot", m.entry.id, "pid", pid)
	}
}

// freed reports whether the devices show the memory of the ended process as
// free: it is not listed any more, and as much is free as before it started,
// but for a quarter of its share and what others have reserved since. It is
// pure.
func (h *holding) freed(r device.Reading, now []device.Account, pid int) bool {
	for _, id := range h.place.Devices {
		d, ok := r.Device(id)
		was, known := h.before.Device(id)
		if !ok || !known || id == device.Host {
			continue // it will not say
		}
		if slices.ContainsFunc(d.Uses, func(u device.Use) bool { return u.PID == pid }) {
			return false
		}
		if d.Unified || d.Free == device.Unknown || was.Free == device.Unknown {
			continue
		}
		share := need(h.place.Shares, d.Account())
		others := reserved(now, d.Account()) - (reserved(h.beside, d.Account()) - share)
		own := need(h.reservation.Shares(), d.Account())
		if d.Free < was.Free-share/4-max(others-own, 0) {
			return false
		}
	}
	return true
}

func reserved(accounts []device.Account, id device.ID) int64 {
	for _, a := range accounts {
		if a.ID == id {
			return a.Reserved
		}
	}
	return 0
}

// Quarantine implements slot.Memory.
func (m *memory) Quarantine() { m.holding.reservation.Quarantine() }

// Release implements slot.Memory.
func (m *memory) Release() {
	m.holding.reservation.Release()
	m.pool.in.Put(func() { m.pool.released(m.entry, m.holding) })
}

// released is called when a slot gave its memory back.
func (p *Pool) released(e *entry, h *holding) {
	h.gate.exit()
	if e.lease == h {
		e.lease = nil
	}
	p.replan()
}

// measure finds out what the slot's process holds, so that the rest of a guess
// goes back to the ledger: when it came up, and after it was used once.
func (p *Pool) measure(e *entry) {
	h, pid := e.lease, e.snap.PID
	if h == nil || p.cfg.Devices == nil || pid == 0 {
		return
	}
	p.work(func() {
		ctx, cancel := context.WithTimeout(p.ctx, 10*time.Second)
		defer cancel()
		r := p.readingOf(ctx, h.place)
		var resident int64
		if p.cfg.Resident != nil {
			n, err := p.cfg.Resident(pid)
			if err != nil {
				p.log.Debug("measure engine", "slot", e.id, "error", err)
			}
			resident = n
		}
		p.in.Put(func() { p.measured(e, h, h.held(r, resident, pid)) })
	})
}

// readingOf reads the devices of a place anew, and no tool for the host's memory;
// empty where they do not answer before ctx's end.
func (p *Pool) readingOf(ctx context.Context, place Choice) device.Reading {
	read := p.cfg.Devices.Refresh
	if !slices.ContainsFunc(place.Devices, func(id device.ID) bool { return id != device.Host }) {
		read = p.cfg.Devices.Host
	}
	got := make(chan device.Reading, 1)
	read(func(r device.Reading) { got <- r })
	select {
	case r := <-got:
		return r
	case <-ctx.Done():
		return device.Reading{}
	}
}

// held is what the process holds, by account: on the host what is resident, on
// a GPU what the driver lists for it, or else what is gone since before it
// started: a driver does not know the process numbers of a container. It is
// pure.
func (h *holding) held(r device.Reading, resident int64, pid int) []device.Share {
	var out []device.Share
	for _, id := range h.place.Devices {
		d, ok := r.Device(id)
		was, known := h.before.Device(id)
		var bytes int64
		switch {
		case !ok || !known:
		case d.Account() == device.Host:
			bytes = resident + listed(d, pid)
		case listed(d, pid) > 0:
			bytes = listed(d, pid)
		case d.Free != device.Unknown && was.Free != device.Unknown:
			bytes = max(was.Free-d.Free, 0)
		}
		out = append(out, device.Share{Device: d.Account(), Bytes: bytes})
	}
	return out
}

func listed(d device.Device, pid int) int64 {
	for _, u := range d.Uses {
		if u.PID == pid {
			return max(u.Bytes, 0)
		}
	}
	return 0
}

// measured learns the need, a tenth above what was measured: engines grow. What
// is declared is believed, and what is estimated stays reserved.
func (p *Pool) measured(e *entry, h *holding, shares []device.Share) {
	if e.lease != h || e.spec.Model.Memory > 0 {
		return
	}
	var sum int64
	least := e.floor() / int64(max(len(shares), 1))
	for _, share := range shares {
		if share.Bytes > 0 {
			grown := share.Bytes + share.Bytes/10
			h.reservation.Correct(share.Device, max(grown, least))
			sum += grown
		}
	}
	if sum > 0 {
		p.learn(e, func(l *Learned) { l.Need = max(l.Need, sum) })
		p.replan()
	}
}

// shortage says for clients what there is and who holds the rest.
func shortage(v View, d Decision) string {
	var b strings.Builder
	b.WriteString("there is not enough memory for the model")
	for _, share := range d.Near.Shares {
		for _, a := range v.Accounts {
			if a.ID != share.Device {
				continue
			}
			fmt.Fprintf(&b, "; %s: it needs %s of %s, %s is free", a.ID, gibibytes(resolveShare(share, a)), gibibytes(a.Capacity), gibibytes(a.Free))
			other := a.Capacity - a.Free
			for _, s := range v.Slots {
				if n := holds(s, a.ID); n > 0 {
					fmt.Fprintf(&b, ", %s holds %s", s.ID, gibibytes(n))
					other -= n
				}
			}
			if other > 64<<20 {
				fmt.Fprintf(&b, ", others hold %s", gibibytes(other))
			}
		}
	}
	return b.String()
}

// oversize says for clients what the model needs, and what the largest device
// has that it may use.
func oversize(v View, want string) string {
	i := slices.IndexFunc(v.Slots, func(s SlotView) bool { return s.ID == want })
	if i < 0 {
		return ""
	}
	var needed, largest int64
	for _, c := range v.Slots[i].Choices {
		var sum, room int64
		for _, share := range c.Shares {
			j := slices.IndexFunc(v.Accounts, func(a AccountView) bool { return a.ID == share.Device })
			if j < 0 || share.Bytes == Whole {
				return ""
			}
			sum += share.Bytes
			room += max(v.Accounts[j].Capacity, 0)
		}
		if room >= largest {
			needed, largest = sum, room
		}
	}
	text := fmt.Sprintf("the model needs %s, and the most that there is for it is %s", gibibytes(needed), gibibytes(largest))
	if alone(v.Slots[i].Choices) {
		text += ": one GPU's; `device` may name several, such as 0,1"
	}
	return text
}

// alone reports whether there are several devices to choose from, of which the
// slot gets one.
func alone(choices []Choice) bool {
	return len(choices) > 1 && !slices.ContainsFunc(choices, func(c Choice) bool { return len(c.Devices) > 1 })
}

func resolveShare(s device.Share, a AccountView) int64 {
	if s.Bytes == Whole {
		return max(a.Capacity, 0)
	}
	return s.Bytes
}

func gibibytes(n int64) string { return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30)) }
