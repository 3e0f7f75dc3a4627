package pool

import (
	"errors"
	"slices"
	"time"

	"github.com/hal0-dev/hal0/sidecar/internal/device"
	"github.com/hal0-dev/hal0/sidecar/internal/slot"
)

// ask is a slot's wait for memory.
type ask struct {
	since   time.Time
	after   time.Time // a reading from before says nothing
	refused time.Time // since when nothing that may go would make room
	guess   time.Time // since when its need is being estimated; zero = it is not
	gate    *gate     // nil = not at the gate
}

// readings is what the pool's goroutine knows of the devices.
type readings struct {
	last device.Reading
	all  look // at all devices, which takes as long as the slowest tool
	host look // at the host's memory
}

// look is a kind of reading.
type look struct {
	begun   time.Time // when the last one was asked for
	running bool
	again   bool // another one is needed after it
}

// about is the kind of reading that says all about the slot's devices: whom the
// host's memory is enough waits for no tool.
func (p *Pool) about(e *entry) *look {
	if e.spec.Model.Device == string(device.Host) {
		return &p.devices.host
	}
	return &p.devices.all
}

// refresh asks for a new reading.
func (p *Pool) refresh(l *look) {
	switch {
	case p.cfg.Devices == nil:
		l.begun = time.Now()
		return
	case l.running:
		l.again = true
		return
	}
	l.running = true
	begun := time.Now()
	ask := p.cfg.Devices.Refresh
	if l == &p.devices.host {
		ask = p.cfg.Devices.Host
	}
	ask(func(r device.Reading) { p.in.Put(func() { p.read(l, r, begun) }) })
}

// read takes in a reading that was asked for at begun.
func (p *Pool) read(l *look, r device.Reading, begun time.Time) {
	p.devices.last = r
	l.begun, l.running = begun, false
	for _, dev := range r.Devices {
		if dev.Account() == dev.ID && !dev.MIG {
			p.ledger.Capacity(dev.ID, p.cfg.Capacity(dev))
		}
	}
	if l.again {
		l.again = false
		p.refresh(l)
	}
}

// replan has every slot that waits for memory planned again, by a reading that
// is yet to be made: what they wait for has changed.
func (p *Pool) replan() {
	now, stale := time.Now(), map[*look]bool{}
	for _, e := range p.entries {
		if e.ask != nil {
			e.ask.after, stale[p.about(e)] = now, true
		}
	}
	for l := range stale {
		p.refresh(l)
	}
}

// admit plans for every slot that waits for memory: those whose flights have
// waited longest first, then those that nobody waits for.
func (p *Pool) admit() {
	if p.closing {
		return
	}
	var asking []*entry
	for _, e := range p.entries {
		if e.ask != nil && !e.leaving {
			asking = append(asking, e)
		}
	}
	slices.SortFunc(asking, askOrder)
	r := room{blocked: map[device.ID]bool{}, shut: map[string]bool{}}
	for _, e := range asking {
		p.plan(e, r)
	}
	for _, e := range p.entries {
		if e.shut != r.shut[e.id] {
			e.shut = r.shut[e.id]
			p.dirty[e] = true
		}
	}
}

// room is what one round of planning takes from some for the sake of others.
type room struct {
	blocked map[device.ID]bool // accounts that flights which waited too long have a right to
	shut    map[string]bool    // slots that grant no new lease
}

// askOrder says who is planned for first.
func askOrder(a, b *entry) int {
	x, y := a.claim(), b.claim()
	switch {
	case x.IsZero() && y.IsZero():
		return preloadOrder(a, b)
	case x.IsZero():
		return 1
	case y.IsZero():
		return -1
	}
	return cmpChain(x.Compare(y), cmpString(a.id, b.id))
}

// claim is since when the slot's flights wait for its turn; zero = none waits.
// While it was up they had theirs, though it was too short for all: what made
// room for another slot must not be taken back by older flights of its own.
func (e *entry) claim() time.Time {
	var oldest time.Time
	for t := range e.queue.all {
		if oldest.IsZero() || t.since.Before(oldest) {
			oldest = t.since
		}
	}
	if !oldest.IsZero() && oldest.Before(e.down) {
		return e.down
	}
	return oldest
}

// plan decides about one slot that waits for memory, and acts.
func (p *Pool) plan(e *entry, r room) {
	need, known := p.need(e)
	if !known || p.about(e).begun.Before(e.ask.after) {
		return // the estimate or the reading is under way
	}
	v := p.view(e, need, r.blocked)
	d := Plan(v, e.id)
	if d.Verdict == Admit {
		p.enter(e, d.Place)
		return
	}
	e.leaveGate()
	switch d.Verdict {
	case Evict, Wait:
		if e.demand == idly && e.queue.len == 0 && !onItsWay(d) {
			p.log.Info("no room to preload", "slot", e.id)
			e.demand = nobody
			e.unload(slot.WhyAbandon)
			return
		}
		e.ask.refused = time.Time{}
		p.makeRoom(e, d, r)
		p.starve(e, d, r)
	case NoMemory:
		p.outlast(e, v, d)
	case Lost:
		e.deny(slot.ClassGPU, "")
	case TooLarge:
		e.deny(slot.ClassTooLarge, oversize(v, e.id))
	case Admit:
	}
}

// onItsWay reports whether the decision waits for nothing but what happens
// anyhow: a slot that loads or goes.
func onItsWay(d Decision) bool { return d.Verdict == Wait && !d.Busy }

// makeRoom sends victims away, or lets them take nothing new.
func (p *Pool) makeRoom(e *entry, d Decision, r room) {
	for _, id := range d.Evict {
		if victim := p.entries[id]; e.needed() && !victim.leaving {
			p.log.Info("evict", "slot", id, "for", e.id)
			victim.unload(slot.WhyEvicted)
		}
	}
	for _, id := range d.Shut {
		r.shut[id] = true
	}
}

// starve keeps younger claims off what a flight has waited for too long.
func (p *Pool) starve(e *entry, d Decision, r room) {
	oldest := e.claim()
	if oldest.IsZero() {
		return
	}
	if at := oldest.Add(p.cfg.Starvation); time.Now().Before(at) {
		p.wake(at)
		return
	}
	if d.Guarded.After(time.Now()) {
		p.wake(d.Guarded)
	}
	for _, share := range d.Near.Shares {
		r.blocked[share.Device] = true
	}
}

// outlast denies memory once nothing could have made room for a while: others'
// processes may be about to give theirs back.
func (p *Pool) outlast(e *entry, v View, d Decision) {
	now := time.Now()
	if e.ask.refused.IsZero() {
		e.ask.refused = now
	}
	over := e.ask.refused.Add(p.cfg.Patience)
	if !now.Before(over) {
		e.deny(slot.ClassNoMemory, shortage(v, d))
		return
	}
	look := now.Add(time.Second)
	if look.After(over) {
		look = over
	}
	p.wake(look)
	if l := p.about(e); now.Sub(l.begun) >= time.Second {
		p.refresh(l)
	}
}

// deny ends the slot's wait for memory.
func (e *entry) deny(c slot.Class, why string) {
	e.leaveGate()
	e.ask = nil
	e.slot.Deny(e.snap.Incarnation, c, why)
}

// start reserves the memory and starts the slot.
func (p *Pool) start(e *entry, place Choice) {
	r, err := p.ledger.Reserve(e.id, place.Shares)
	if err != nil {
		if !errors.Is(err, device.ErrNoRoom) { // a capacity that fell since the view is planned for again
			p.log.Error("reserve memory", "slot", e.id, "error", err)
			e.deny(slot.ClassNoMemory, "")
		}
		return
	}
	h := &holding{reservation: r, place: place, before: p.devices.last, gate: e.ask.gate}
	h.beside = p.ledger.Accounts()
	e.ask, e.lease = nil, h
	e.slot.Start(e.snap.Incarnation, slot.Start{
		Memory:   &memory{pool: p, entry: e, holding: h},
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
	return placer.On(device.NewPlacement(p.devices.last, e.spec.Model.Device, place.Devices, place.Shares))
}
