package route

import (
	"fmt"
	"sort"
	"time"

	"github.com/hal0-dev/hal0/plugin/wire"
)

// Slot is one slot of this box and the routes that share it.
type Slot struct {
	Model       wire.Model
	Fingerprint string
	Routes      []string // ascending by age
	Preload     bool     // asked for, by a route that is not stale
	Own         bool     // the sidecar's own file declares it
	ByHand      bool     // Model.Pin was said by hand, not declared
}

// View is an immutable picture of the registry.
type View struct {
	routes   map[string]Entry
	slots    []Slot
	index    map[string]int          // slot id -> position in slots
	refused  map[string]wire.Failure // route + "\x00" + slot -> why it has no slot
	replaced chan struct{}           // closed by the registry when a newer view is there
	problems []Problem
}

// Problem is a model of a route that got no slot.
type Problem struct {
	Route   string `json:"route"`
	Slot    string `json:"slot"`
	Code    string `json:"code"`
	Message string `json:"message"`
}

// Listed is one route as people are shown it.
type Listed struct {
	Name      string    `json:"name"`
	Slots     []string  `json:"slots"`
	Confirmed time.Time `json:"confirmed"`
	Stale     bool      `json:"stale"`
	Problems  []Problem `json:"problems"`
}

// Replaced is closed when a newer view exists.
func (v *View) Replaced() <-chan struct{} { return v.replaced }

// Knows reports whether the route was declared in the version that a proof
// names.
func (v *View) Knows(p wire.Proof) bool {
	e, known := v.routes[p.Route]
	return known && !e.Learned && e.Route.Fingerprint() == p.Fingerprint
}

// Check says why the box's own file refuses a model: to clients, and to the
// operator. It is nil where it does not.
type Check func(wire.Model) (told *wire.Failure, why string)

// newView merges the entries: pure, so that a conflict does not depend on who
// asked first.
func newView(t table, check Check, now time.Time) *View {
	v := &View{routes: map[string]Entry{}, index: map[string]int{}, refused: map[string]wire.Failure{}, replaced: make(chan struct{})}
	for _, e := range t.ordered() {
		v.routes[e.Route.Name] = e
		for _, m := range e.Route.Models {
			v.add(e, m, check, now)
		}
	}
	for i := range v.slots {
		s := &v.slots[i]
		if pin, said := t.pins[s.Model.Slot]; said {
			s.Model.Pin, s.ByHand = pin, true
		}
	}
	return v
}

func (v *View) add(e Entry, m wire.Model, check Check, now time.Time) {
	refuse := func(f wire.Failure, why string) {
		f.Details.Slot = m.Slot
		v.refused[e.Route.Name+"\x00"+m.Slot] = f
		v.problems = append(v.problems, Problem{Route: e.Route.Name, Slot: m.Slot, Code: f.Code, Message: why})
	}
	if !e.Own && check != nil {
		if f, why := check(m); f != nil {
			refuse(*f, why)
			return
		}
	}
	print := m.Fingerprint()
	preload := m.Preload && !e.Stale(now)
	i, taken := v.index[m.Slot]
	if !taken {
		v.index[m.Slot] = len(v.slots)
		v.slots = append(v.slots, Slot{Model: m, Fingerprint: print, Routes: []string{e.Route.Name}, Preload: preload, Own: e.Own})
		return
	}
	s := &v.slots[i]
	if s.Fingerprint != print {
		why := fmt.Sprintf("slot %s is declared differently by route %s; give one of them another name or make them alike", m.Slot, s.Routes[0])
		refuse(wire.NewFailure(wire.CodeConflict, why), why)
		return
	}
	s.Routes = append(s.Routes, e.Route.Name)
	s.Preload = s.Preload || preload
}

// Slots returns every slot of the box, the oldest route's first.
func (v *View) Slots() []Slot { return v.slots }

// Slot returns one of them.
func (v *View) Slot(id string) (Slot, bool) {
	i, ok := v.index[id]
	if !ok {
		return Slot{}, false
	}
	return v.slots[i], true
}

// Problems returns the models that got no slot, in the order of the routes.
func (v *View) Problems() []Problem { return v.problems }

// ProblemsOf returns those of one route.
func (v *View) ProblemsOf(route string) []Problem {
	out := []Problem{}
	for _, p := range v.problems {
		if p.Route == route {
			out = append(out, p)
		}
	}
	return out
}

// Listing returns every route by name.
func (v *View) Listing(now time.Time) []Listed {
	out := make([]Listed, 0, len(v.routes))
	for name, e := range v.routes {
		l := Listed{Name: name, Confirmed: e.Confirmed, Stale: e.Stale(now), Problems: v.ProblemsOf(name), Slots: []string{}}
		for _, m := range e.Route.Models {
			l.Slots = append(l.Slots, m.Slot)
		}
		out = append(out, l)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Name < out[j].Name })
	return out
}

// Route returns the entry of a name.
func (v *View) Route(name string) (Entry, bool) {
	e, ok := v.routes[name]
	return e, ok
}

// Find answers a request: the slot that a route's proof names, or the failure to
// send instead. declare asks for the route's declaration: it is not known, or
// not in this version.
func (v *View) Find(p wire.Proof) (s Slot, declare bool, f *wire.Failure) {
	e, known := v.routes[p.Route]
	declare = !known || e.Learned || (e.Route.Fingerprint() != p.Fingerprint && p.Since >= e.Route.Since)
	if f, bad := v.refused[p.Route+"\x00"+p.Slot]; bad {
		return Slot{}, declare, &f
	}
	for _, m := range e.Route.Models {
		if m.Slot == p.Slot {
			return v.slots[v.index[p.Slot]], declare, nil
		}
	}
	if declare {
		f := wire.NewFailure(wire.CodeSlotLoading, "this route is new here; it is being declared")
		f.Details.Slot, f.Details.RetryAfterS = p.Slot, 1
		return Slot{}, true, &f
	}
	gone := wire.NewFailure(wire.CodeModelNotFound, fmt.Sprintf("The model %q does not exist", p.Slot))
	gone.Param = "model"
	return Slot{}, false, &gone
}
