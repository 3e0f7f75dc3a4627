package pool

import (
	"context"
	"slices"

	"github.com/hal0-dev/hal0/sidecar/internal/device"
)

// gate is a slot's right to load on devices that other sidecars may load on,
// too, or its wait for it. The pool's goroutine owns it.
type gate struct {
	devices []device.ID
	cancel  context.CancelFunc // of the wait
	leave   func()             // nil = it still waits
	left    bool
}

// enter starts the slot at its place, at once or after its turn at the gate.
func (p *Pool) enter(e *entry, place Choice) {
	if p.cfg.Gate == nil || !slices.ContainsFunc(place.Devices, func(id device.ID) bool { return id != device.Host }) {
		e.leaveGate()
		p.start(e, place)
		return
	}
	g := e.ask.gate
	switch {
	case g != nil && !slices.Equal(g.devices, place.Devices):
		e.leaveGate()
	case g != nil && g.leave == nil:
		return // it waits
	case g != nil:
		p.start(e, place)
		return
	}
	p.queueUp(e, place)
}

// queueUp waits at the gate; the slot is planned again, by a new reading, when
// it is through.
func (p *Pool) queueUp(e *entry, place Choice) {
	ctx, cancel := context.WithCancel(p.ctx)
	g := &gate{devices: place.Devices, cancel: cancel}
	e.ask.gate = g
	p.work(func() {
		leave, err := p.cfg.Gate(ctx, g.devices)
		p.in.Put(func() {
			switch {
			case err != nil && !g.left:
				p.log.Warn("wait for other sidecars' loads", "slot", e.id, "error", err)
				leave = func() {} // better than never
			case err != nil:
				return
			}
			if g.left {
				leave()
				return
			}
			g.leave = leave
			p.replan()
		})
	})
}

// leaveGate gives up the slot's place at the gate while it waits for memory.
func (e *entry) leaveGate() {
	if e.ask != nil {
		e.ask.gate.exit()
		e.ask.gate = nil
	}
}

// exit lets the next one through; again is nothing, and so is no gate.
func (g *gate) exit() {
	if g == nil || g.left {
		return
	}
	g.left = true
	g.cancel()
	if g.leave != nil {
		g.leave()
	}
}
