package pool

import (
	"context"
	"time"

	"github.com/hal0-dev/hal0/sidecar/internal/device"
	"github.com/hal0-dev/hal0/sidecar/internal/slot"
)

// Observer hears what becomes of slots, for metrics. The pool's goroutine calls
// it: it must not wait, nor call the pool.
type Observer interface {
	Granted(id string, waited time.Duration, cold bool) // a lease found its owner
	Booted(id string, took time.Duration, again bool)   // again: after a failure
	Failed(id string, class slot.Class)                 // a failure was counted
	Leaving(id string, why slot.Why)                    // it was up or coming, and goes
	Removed(id string)                                  // nothing of it is left
}

// unobserved is the Observer of those who have none.
type unobserved struct{}

func (unobserved) Granted(string, time.Duration, bool) {}
func (unobserved) Booted(string, time.Duration, bool)  {}
func (unobserved) Failed(string, slot.Class)           {}
func (unobserved) Leaving(string, slot.Why)            {}
func (unobserved) Removed(string)                      {}

// observe tells the observer of a report. was is the state before it.
func (p *Pool) observe(e *entry, was slot.State, r slot.Report) {
	o := p.cfg.Observer
	if r.Failed != nil {
		e.fell = true
		o.Failed(e.id, r.Failed.Class)
	}
	if r.Booted != nil {
		o.Booted(e.id, r.Booted.Took, e.fell)
		e.fell = false
	}
	if !was.Going() && r.State.Going() {
		o.Leaving(e.id, r.Why)
	}
}

// Reading is the last that the devices said to the pool. No tool is asked.
func (p *Pool) Reading() device.Reading {
	var r device.Reading
	p.ask(func() { r = p.devices.last })
	return r
}

// Read asks the devices anew, or returns what they said last where they do not
// answer before ctx's end.
func (p *Pool) Read(ctx context.Context) device.Reading {
	if p.cfg.Devices == nil {
		return p.Reading()
	}
	got := make(chan device.Reading, 1)
	p.cfg.Devices.Refresh(func(r device.Reading) { got <- r })
	select {
	case r := <-got:
		return r
	case <-ctx.Done():
		return p.Reading()
	}
}
