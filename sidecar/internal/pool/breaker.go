package pool

import (
	"time"

	"github.com/hal0-dev/hal0/sidecar/internal/device"
)

// breaker of one device: engines that fail because of it close it for a while,
// for all slots; then one of them may try.
type breaker struct {
	failures int
	until    time.Time
}

// lost reports whether the device is not to be used now.
func (p *Pool) lost(id device.ID) bool {
	b := p.breakers[id]
	return b != nil && time.Now().Before(b.until)
}

// lostUntil is when the first of the devices that the slot may use is tried
// again; zero = none is lost.
func (p *Pool) lostUntil(e *entry) time.Time {
	var first time.Time
	for _, set := range device.Choose(p.devices.last, e.spec.Model.Device) {
		for _, d := range set {
			if b := p.breakers[d.ID]; b != nil && (first.IsZero() || b.until.Before(first)) {
				first = b.until
			}
		}
	}
	return first
}

// devicesFail counts a failure for the devices that the slot was given.
func (p *Pool) devicesFail(e *entry) {
	if e.lease == nil {
		return
	}
	for _, id := range e.lease.place.Devices {
		if id == device.Host {
			continue
		}
		b := p.breakers[id]
		if b == nil {
			b = &breaker{}
			p.breakers[id] = b
		}
		b.failures++
		b.until = time.Now().Add(p.cfg.Backoff.Wait(b.failures, 0))
		p.log.Warn("device fails", "device", id, "failures", b.failures, "until", b.until)
	}
}

// devicesWork forgets the failures of the devices that the slot came up on.
func (p *Pool) devicesWork(e *entry) {
	if e.lease == nil {
		return
	}
	for _, id := range e.lease.place.Devices {
		delete(p.breakers, id)
	}
}
