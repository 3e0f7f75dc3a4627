package api

import (
	"github.com/hal0-dev/hal0/sidecar/internal/route"
	"github.com/hal0-dev/hal0/sidecar/internal/slot"
)

// described is a slot as people are shown it: its state, and what was declared.
type described struct {
	slot.Snapshot
	Model        string   `json:"model"`
	Engine       string   `json:"engine"`
	Aliases      []string `json:"aliases,omitempty"`
	Capabilities []string `json:"capabilities,omitempty"`
	Context      int64    `json:"context,omitempty"`
	Device       string   `json:"device,omitempty"`
	Pin          bool     `json:"pin,omitempty"`
	PinByHand    bool     `json:"pin_by_hand,omitempty"` // Pin was said by hand, not declared
	Priority     int64    `json:"priority,omitempty"`
	Routes       []string `json:"routes,omitempty"`
}

// describe adds to a snapshot what the routes declare.
func describe(snap slot.Snapshot, v *route.View) described {
	d := described{Snapshot: snap}
	if s, ok := v.Slot(snap.ID); ok {
		m := s.Model
		d.Model, d.Engine, d.Aliases, d.Capabilities = m.Model, m.Engine, m.Aliases, m.Capabilities
		d.Context, d.Device, d.Pin, d.PinByHand, d.Priority, d.Routes = m.Context, m.Device, m.Pin, s.ByHand, m.Priority, s.Routes
	}
	return d
}

// all describes every slot.
func (s *Server) all() []described {
	view := s.cfg.Routes.View()
	list := []described{}
	for _, snap := range s.cfg.Slots.Snapshot() {
		list = append(list, describe(snap, view))
	}
	return list
}
