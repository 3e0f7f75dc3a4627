package pool

import (
	"context"
	"time"

	"github.com/hal0-dev/hal0/plugin/wire"
	"github.com/hal0-dev/hal0/sidecar/internal/slot"
)

// Load brings a slot up and returns when it is, or why it is not. A failure
// that stays is forgotten first. The load goes on after ctx's end.
func (p *Pool) Load(ctx context.Context, id string) error {
	done := make(chan error, 1)
	if !p.in.Put(func() { p.load(id, done) }) {
		return ErrClosed
	}
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (p *Pool) load(id string, done chan error) {
	e := p.entries[id]
	switch {
	case p.closing:
		done <- ErrClosed
		return
	case e == nil || e.removed:
		done <- unknown(id)
		return
	case e.snap.State.Up() && !e.leaving:
		done <- nil
		return
	case e.snap.State.Failed():
		e.slot.Reset()
		e.forgiven = true
	}
	e.demand = byHand
	e.loads = append(e.loads, done)
	p.dirty[e] = true
}

func unknown(id string) *Refusal {
	return refusal(wire.CodeModelNotFound, "no slot has that name", slot.Snapshot{ID: id}, 0)
}

// Unload sends a slot away and returns when it is offline, or in error. Who
// waits for it hears slot.unloading; a later request starts it again.
func (p *Pool) Unload(ctx context.Context, id string) error {
	done := make(chan struct{})
	var err error
	if !p.ask(func() { err = p.unload(id, slot.WhyHand, done) }) {
		return ErrClosed
	}
	if err != nil {
		return err
	}
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (p *Pool) unload(id string, why slot.Why, done chan struct{}) error {
	e := p.entries[id]
	if e == nil {
		return unknown(id)
	}
	if why == slot.WhyHand {
		e.refuseAll(wire.CodeUnloading, "the model was unloaded by hand", 0, false)
		e.demand = nobody
	}
	if s := e.snap.State; !(s.Up() || s.Coming() || s.Going()) && !e.wanted {
		close(done)
		return nil
	}
	e.gone = append(e.gone, done)
	e.unload(why)
	return nil
}

// Restart sends a slot away and brings it up again. Who waits is held.
func (p *Pool) Restart(ctx context.Context, id string) error {
	done := make(chan struct{})
	var err error
	if !p.ask(func() { err = p.unload(id, slot.WhyChanged, done) }) {
		return ErrClosed
	}
	if err != nil {
		return err
	}
	select {
	case <-done:
		return p.Load(ctx, id)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// wakeUp notices that the machine has slept. Every slot then proves itself
// before its next lease, what the devices said counts no more, and nothing is
// learned from a boot that spans it.
func (p *Pool) wakeUp() {
	if p.cfg.Slept == nil {
		return
	}
	slept := p.cfg.Slept()
	if slept-p.slept < time.Second { // the two clocks are read one after the other
		return
	}
	p.log.Info("machine was suspended", "for", slept-p.slept)
	p.slept, p.resumed = slept, time.Now()
	for _, e := range p.entries {
		e.slot.Doubt() // before any grant that follows
	}
	p.replan()
}

// answerLoads tells those who wait for the slot to be up.
func (e *entry) answerLoads(err error) {
	for _, done := range e.loads {
		done <- err
	}
	e.loads = nil
}

// answerGone tells those who wait for the slot to be down.
func (e *entry) answerGone() {
	for _, done := range e.gone {
		close(done)
	}
	e.gone = nil
}
