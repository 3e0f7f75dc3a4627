package pool

import (
	"time"

	"github.com/hal0-dev/hal0/plugin/wire"
	"github.com/hal0-dev/hal0/sidecar/internal/slot"
)

// Configure says which slots there are. Slots whose declaration did not change
// are not touched; one whose fingerprint changed takes no new lease, ends when
// its leases have (or after drain), and starts again as declared when wanted;
// one that is no longer declared goes. It returns when the pool knows.
func (p *Pool) Configure(specs []Spec) {
	p.ask(func() { p.configure(specs) })
}

func (p *Pool) configure(specs []Spec) {
	if p.closing {
		return
	}
	declared := map[string]bool{}
	for _, s := range specs {
		declared[s.Model.Slot] = true
		e := p.entries[s.Model.Slot]
		switch {
		case e == nil:
			p.open(s)
		case e.closed:
			e.next = &s // opened when the old one is gone
		default:
			e.removed = false
			p.change(e, s)
		}
	}
	for id, e := range p.entries {
		if declared[id] {
			continue
		}
		e.next = nil
		if !e.removed {
			p.remove(e)
		}
	}
}

// open makes a slot.
func (p *Pool) open(s Spec) {
	e := &entry{pool: p, id: s.Model.Slot, spec: s, print: s.fingerprint()}
	e.snap = slot.Snapshot{ID: e.id, State: slot.Offline, Parallel: s.parallel(), Since: time.Now()}
	e.slot = slot.New(p.slotConfig(e, s))
	p.entries[e.id] = e
	p.dirty[e] = true
	if s.Model.Preload {
		e.demand = idly
	}
	p.work(func() {
		<-e.slot.Done()
		p.in.Put(func() { p.gone(e) })
	})
	p.watches.put(e.show())
}

func (p *Pool) slotConfig(e *entry, s Spec) slot.Config {
	c := slot.Config{
		ID: s.Model.Slot, Launcher: s.Launcher, Parallel: s.parallel(), UnloadAfter: unloadAfter(s),
		Stall: s.Stall, Drain: s.Drain, Grace: s.Grace, Backoff: p.cfg.Backoff,
		Report: func(r slot.Report) { p.in.Put(func() { p.reported(e, r) }) },
		Log:    p.cfg.Log, Jitter: p.cfg.Jitter, Illegal: p.cfg.Illegal,
	}
	if c.Drain <= 0 {
		c.Drain = p.cfg.Drain
	}
	if c.Grace <= 0 {
		c.Grace = p.cfg.Grace
	}
	return c
}

// unloadAfter is the idle time after which the slot goes, 0 = never.
func unloadAfter(s Spec) time.Duration {
	if s.Model.Pin {
		return 0
	}
	return time.Duration(s.Model.UnloadAfterMS) * time.Millisecond
}

// change applies a new declaration to a slot.
func (p *Pool) change(e *entry, s Spec) {
	moved := e.print != s.fingerprint()
	e.spec, e.print = s, s.fingerprint()
	if !moved {
		e.slot.Tune(unloadAfter(s))
		return
	}
	p.log.Info("slot changed", "slot", e.id)
	e.estimated = nil
	if s.Model.Preload && e.demand == nobody {
		e.demand = idly
	}
	e.slot.Configure(p.slotConfig(e, s))
	e.forgiven = true
	if st := e.snap.State; st.Up() || st.Coming() || e.wanted {
		e.unload(slot.WhyChanged)
	}
	p.dirty[e] = true
}

// remove sends a slot away for good.
func (p *Pool) remove(e *entry) {
	p.log.Info("slot removed", "slot", e.id)
	e.removed = true
	e.refuseAll(wire.CodeModelNotFound, "the model is no longer declared", 0, true)
	e.slot.Unload(slot.WhyRemoved) // and is closed when nothing of it runs
	p.dirty[e] = true
}

// gone is called when nothing of a slot is left.
func (p *Pool) gone(e *entry) {
	if p.entries[e.id] != e {
		return
	}
	delete(p.entries, e.id)
	delete(p.dirty, e)
	e.answerGone()
	if e.next != nil && !p.closing {
		p.open(*e.next)
		p.entries[e.id].queue = e.queue
	} else {
		p.cfg.Observer.Removed(e.id)
		last := e.show()
		last.Removed = true
		p.watches.put(last)
	}
	p.replan()
}
