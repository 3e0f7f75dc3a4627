package pool

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/hal0-dev/hal0/sidecar/internal/device"
	"github.com/hal0-dev/hal0/sidecar/internal/slot"
)

// ask is a slot's wait for memory.
type ask struct {
	since    time.Time
	refused  time.Time // since when nothing that may go would make room
	estimate bool      // its need is being estimated
}

// devices is what the pool's goroutine knows of the devices.
type devices struct {
	reading device.Reading
	asked   time.Time // when the reading under way was asked for
	running bool
	again   bool // another one is needed after it
}

// refresh asks for a new reading.
func (p *Pool) refresh() {
	d := &p.devices
	if p.cfg.Devices == nil {
		d.reading.At = time.Now()
		return
	}
	if d.running {
		d.again = true
		return
	}
	d.running, d.asked = true, time.Now()
	asked := d.asked
	p.cfg.Devices.Refresh(func(r device.Reading) { p.in.Put(func() { p.read(r, asked) }) })
}

// read takes in a reading: it tells the devices as they were at asked or later.
func (p *Pool) read(r device.Reading, asked time.Time) {
	d := &p.devices
	d.reading, d.running = r, false
	d.reading.At = asked
	for _, dev := range r.Devices {
		if dev.Account() == dev.ID && !dev.MIG {
			p.ledger.Capacity(dev.ID, p.cfg.Capacity(dev))
		}
	}
	p.touch()
	if d.again {
		d.again = false
		p.refresh()
	}
}

// admit plans for every slot that waits for memory, the one whose flights have
// waited longest first.
func (p *Pool) admit() {
	if p.closing {
		return
	}
	var asking, opened []*entry
	for _, e := range p.entries {
		if e.shut {
			e.shut, opened = false, append(opened, e)
		}
		if e.ask != nil && !e.leaving {
			asking = append(asking, e)
		}
	}
	slices.SortFunc(asking, func(a, b *entry) int { return a.claim().Compare(b.claim()) })
	blocked := map[device.ID]bool{}
	for _, e := range asking {
		p.plan(e, blocked)
	}
	for _, e := range opened {
		if !e.shut { // nobody starves for it any more
			p.dirty[e] = true
		}
	}
}

// claim is since when the slot's oldest flight waits, else since when it asks.
func (e *entry) claim() time.Time {
	if t := e.oldest(); !t.IsZero() {
		return t
	}
	return e.ask.since
}

// oldest is when the oldest waiting flight came; zero = none waits.
func (e *entry) oldest() time.Time {
	var oldest time.Time
	for t := range e.queue.all {
		if oldest.IsZero() || t.since.Before(oldest) {
			oldest = t.since
		}
	}
	return oldest
}

// plan decides about one slot that waits for memory, and acts.
func (p *Pool) plan(e *entry, blocked map[device.ID]bool) {
	need, known := p.need(e)
	if !known || p.devices.reading.At.Before(e.ask.since) {
		return // the estimate or the reading is under way
	}
	d := Plan(p.view(e, need, blocked), e.id)
	switch d.Verdict {
	case Admit:
		p.start(e, d.Place)
		return
	case Evict:
		for _, id := range d.Evict {
			if victim := p.entries[id]; !victim.leaving && e.needed() {
				p.log.Info("evict", "slot", id, "for", e.id)
				victim.unload(slot.WhyEvicted)
			}
		}
	case Wait:
		for _, id := range d.Shut {
			p.entries[id].shut = true
		}
	case NoMemory, Lost:
		p.impatient(e, d.Verdict)
		return
	case TooLarge:
		e.deny(slot.ClassTooLarge)
		return
	}
	e.ask.refused = time.Time{}
	starves := e.claim().Add(p.cfg.Starvation)
	if time.Now().Before(starves) {
		p.wake(starves)
		return
	}
	for _, share := range d.Near.Shares {
		blocked[share.Device] = true
	}
}

// impatient denies memory once nothing could have made room for a while:
// others' processes may be about to give theirs back.
func (p *Pool) impatient(e *entry, v Verdict) {
	now := time.Now()
	if e.ask.refused.IsZero() {
		e.ask.refused = now
	}
	if v == Lost {
		e.deny(slot.ClassGPU)
		return
	}
	if over := e.ask.refused.Add(p.cfg.Patience); now.Before(over) {
		p.wake(minTime(over, now.Add(time.Second)))
		if now.Sub(p.devices.reading.At) >= time.Second {
			p.refresh()
		}
		return
	}
	e.deny(slot.ClassNoMemory)
}

// deny ends the slot's wait for memory.
func (e *entry) deny(c slot.Class) {
	e.ask = nil
	e.slot.Deny(e.snap.Incarnation, slot.Exit{Class: c})
}

func minTime(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// start reserves the memory and starts the slot.
func (p *Pool) start(e *entry, place Choice) {
	r, err := p.ledger.Reserve(e.id, place.Shares)
	if errors.Is(err, device.ErrNoRoom) {
		return // a capacity fell between view and reservation; planned again at the next reading
	}
	if err != nil {
		p.log.Error("reserve memory", "slot", e.id, "error", err)
		e.deny(slot.ClassNoMemory)
		return
	}
	e.ask = nil
	e.lease = &holding{reservation: r, place: place}
	e.slot.Start(e.snap.Incarnation, slot.Start{
		Memory:   &memory{pool: p, entry: e, holding: e.lease},
		Launcher: p.placed(e, place),
		Budget:   p.budget(e),
		ETA:      p.eta(e),
	})
}

// placed is the slot's launcher, bound to the devices it was given.
func (p *Pool) placed(e *entry, place Choice) slot.Launcher {
	placer, ok := e.spec.Launcher.(Placer)
	if !ok {
		return e.spec.Launcher
	}
	return placer.On(device.NewPlacement(p.devices.reading, place.Devices, place.Shares))
}

// memory is a reservation as the slot sees it: slot.Memory.
type memory struct {
	pool    *Pool
	entry   *entry
	holding *holding
}

// settleFor bounds the wait for devices to show memory as free.
const settleFor = 10 * time.Second

func (m *memory) Settle(ctx context.Context, pid int) {
	if m.pool.cfg.Devices == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, settleFor)
	defer cancel()
	m.pool.cfg.Devices.Settle(ctx, m.holding.place.Devices, pid)
}

func (m *memory) Quarantine() { m.holding.reservation.Quarantine() }

func (m *memory) Release() {
	m.holding.reservation.Release()
	m.pool.in.Put(func() { m.pool.released(m.entry, m.holding) })
}

// released is called when a slot gave its memory back.
func (p *Pool) released(e *entry, h *holding) {
	if e.lease == h {
		e.lease = nil
	}
	p.touch()
}
