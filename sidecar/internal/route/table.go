package route

import (
	"maps"
	"sort"
	"time"

	"github.com/hal0-dev/hal0/plugin/wire"
)

// Entry is one route as last declared.
type Entry struct {
	Route     wire.Route `json:"route"`
	Confirmed time.Time  `json:"confirmed"` // when it was last declared
	Seq       uint64     `json:"seq"`       // grows with each change; orders conflicts
	Own       bool       `json:"-"`         // from the sidecar's own file: nothing to allow, never stored
	Learned   bool       `json:"learned"`   // made from requests, so known in part
}

// StaleAfter is how long an unconfirmed route keeps its preloads.
const StaleAfter = 24 * time.Hour

// Stale reports whether nobody has confirmed the entry for StaleAfter.
func (e Entry) Stale(now time.Time) bool { return !e.Own && now.Sub(e.Confirmed) > StaleAfter }

// table is every entry by name, and what was said by hand about slots. Its methods return a new table and leave the
// receiver alone.
type table struct {
	entries map[string]Entry
	seq     uint64
	pins    map[string]bool // by slot; wins over what is declared
}

func (t table) clone() table {
	return table{entries: maps.Clone(t.entries), seq: t.seq, pins: maps.Clone(t.pins)}
}

// pin keeps what was said by hand about a slot, unless it is what is declared
// anyway.
func (t table) pin(slot string, want bool) table {
	c := t.clone()
	for _, e := range c.ordered() {
		for _, m := range e.Route.Models {
			if m.Slot != slot {
				continue
			}
			if delete(c.pins, slot); m.Pin != want {
				c.pins[slot] = want
			}
			return c
		}
	}
	return t
}

// put takes a whole declaration. An older instance never replaces a newer one;
// the same content only confirms.
func (t table) put(r wire.Route, own bool, now time.Time) table {
	old, known := t.entries[r.Name]
	if known && !old.Learned && r.Since < old.Route.Since {
		return t
	}
	c := t.clone()
	if known && !old.Learned && old.Route.Fingerprint() == r.Fingerprint() {
		old.Route.Since, old.Confirmed = r.Since, now
		c.entries[r.Name] = old
		return c
	}
	c.seq++
	c.entries[r.Name] = Entry{Route: r, Confirmed: now, Seq: c.seq, Own: own}
	return c
}

// learn takes one model from a request's proof. It makes or completes a route
// that nobody has declared yet, and never changes a declared one.
func (t table) learn(name string, m wire.Model, now time.Time) table {
	old, known := t.entries[name]
	if known && !old.Learned {
		return t
	}
	r := wire.Route{Name: name}
	for _, have := range old.Route.Models {
		if have.Slot != m.Slot {
			r.Models = append(r.Models, have)
		}
	}
	r.Models = append(r.Models, m)
	sort.Slice(r.Models, func(i, j int) bool { return r.Models[i].Slot < r.Models[j].Slot })
	if known && old.Route.Fingerprint() == r.Fingerprint() {
		return t
	}
	c := t.clone()
	c.seq++
	c.entries[name] = Entry{Route: r, Confirmed: now, Seq: c.seq, Learned: true}
	return c
}

// remove forgets a route.
func (t table) remove(name string) table {
	if _, known := t.entries[name]; !known {
		return t
	}
	c := t.clone()
	delete(c.entries, name)
	return c
}

// ordered returns the entries, oldest change first; the sidecar's own route
// comes before all.
func (t table) ordered() []Entry {
	out := make([]Entry, 0, len(t.entries))
	for _, e := range t.entries {
		out = append(out, e)
	}
	sort.Slice(out, func(i, j int) bool {
		if out[i].Own != out[j].Own {
			return out[i].Own
		}
		return out[i].Seq < out[j].Seq
	})
	return out
}
