package api

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/hal0-dev/hal0/plugin/wire"
	"github.com/hal0-dev/hal0/sidecar/internal/route"
)

// modelObject is OpenAI's model object, with the state of its slot.
type modelObject struct {
	ID      string `json:"id"`
	Object  string `json:"object"`
	Created int64  `json:"created"` // unix seconds
	OwnedBy string `json:"owned_by"`
	Slot    string `json:"slot"`
	Status  string `json:"status"`
}

// models answers /v1/models and /v1/models/{id} from what is known: it never
// waits for a boot.
func (s *Server) models(w http.ResponseWriter, r *http.Request, p wire.Proof, id string) {
	view, known := s.declared(r.Context(), p)
	if !known {
		w.Header().Set(wire.HeaderDeclare, "1")
	}
	entry, some := view.Route(p.Route)
	if !some {
		f := wire.NewFailure(wire.CodeSlotLoading, "this route is new here; it is being declared")
		fail(w, id, wire.FamilyModels, f)
		return
	}
	w.Header().Set(wire.HeaderRequestID, id)
	list := s.modelObjects(entry.Route)
	raw, single := strings.CutPrefix(r.URL.EscapedPath(), "/v1/models/")
	if !single {
		writeJSON(w, http.StatusOK, map[string]any{"object": "list", "data": list})
		return
	}
	name, err := url.PathUnescape(raw)
	if err != nil {
		name = raw
	}
	for _, m := range list {
		if m.ID == name || "hal0/"+m.Slot == name {
			m.ID = name
			writeJSON(w, http.StatusOK, m)
			return
		}
	}
	f := wire.NewFailure(wire.CodeModelNotFound, "The model '"+name+"' does not exist")
	f.Param = "model"
	fail(w, id, wire.FamilyModels, f)
}

// declarationWait bounds how long a list of models waits for a route that was
// configured this moment.
const declarationWait = 2 * time.Second

// declared waits until the proof's route is known in the proof's version, and
// says whether it is.
func (s *Server) declared(ctx context.Context, p wire.Proof) (*route.View, bool) {
	ctx, cancel := context.WithTimeout(ctx, declarationWait)
	defer cancel()
	for {
		view := s.cfg.Routes.View()
		if view.Knows(p) {
			return view, true
		}
		if e, some := view.Route(p.Route); some && e.Route.Since > p.Since {
			return view, true // a newer instance has spoken; this one is on its way out
		}
		select {
		case <-view.Replaced():
		case <-ctx.Done():
			return view, false
		}
	}
}

// modelObjects lists slots first, then their aliases, in the route's order.
func (s *Server) modelObjects(route wire.Route) []modelObject {
	status := map[string]string{}
	for _, snap := range s.cfg.Slots.Snapshot() {
		status[snap.ID] = snap.State.String()
	}
	list := []modelObject{}
	add := func(name, slot string) {
		list = append(list, modelObject{ID: name, Object: "model", Created: s.cfg.Started.Unix(), OwnedBy: "hal0", Slot: slot, Status: status[slot]})
	}
	for _, m := range route.Models {
		add(m.Slot, m.Slot)
	}
	for _, m := range route.Models {
		for _, a := range m.Aliases {
			add(a, m.Slot)
		}
	}
	return list
}
