package route

import (
	"context"
	"errors"
	"maps"
	"sync/atomic"
	"time"

	"github.com/hal0-dev/hal0/plugin/wire"
	"github.com/hashicorp/go-hclog"
)

// ErrClosed is what a Registry says after Close.
var ErrClosed = errors.New("registry is closed")

// Config is what a Registry needs.
type Config struct {
	Check   Check
	Store   Store       // nil = nothing is kept over a restart
	Changed func(*View) // called by New, then by the registry's goroutine, before the view can be seen; may block it
	Log     hclog.Logger
}

// Registry owns the table of routes. Make it with New, end it with Close.
type Registry struct {
	cfg   Config
	inbox chan request
	quit  chan struct{}
	done  chan struct{}
	view  atomic.Pointer[View]
}

// request is one change on its way to the registry's goroutine.
type request struct {
	change func(table) table
	reply  chan *View
}

// New starts a registry with what the store remembers.
func New(cfg Config) *Registry {
	r := &Registry{cfg: cfg, inbox: make(chan request), quit: make(chan struct{}), done: make(chan struct{})}
	t := table{entries: map[string]Entry{}, pins: map[string]bool{}}
	if cfg.Store != nil {
		kept, err := cfg.Store.Load()
		if err != nil {
			cfg.Log.Warn("routes of the last run are lost; they come back as they are declared", "error", err)
		}
		for _, e := range kept.Routes {
			t.entries[e.Route.Name] = e
			t.seq = max(t.seq, e.Seq)
		}
		maps.Copy(t.pins, kept.Pins)
	}
	view := newView(t, cfg.Check, time.Now())
	r.tell(view, &View{})
	r.view.Store(view)
	go r.run(t)
	return r
}

// View is the newest picture. It never waits.
func (r *Registry) View() *View { return r.view.Load() }

// Put takes a declaration and returns the view that holds it.
func (r *Registry) Put(ctx context.Context, route wire.Route, own bool) (*View, error) {
	return r.apply(ctx, func(t table) table { return t.put(route, own, time.Now()) })
}

// Learn takes one model of a route that nobody has declared yet.
func (r *Registry) Learn(ctx context.Context, name string, m wire.Model) (*View, error) {
	return r.apply(ctx, func(t table) table { return t.learn(name, m, time.Now()) })
}

// Pin says by hand whether a slot stays. It holds over a restart and wins over
// the declaration; what the declaration says itself is not kept.
func (r *Registry) Pin(ctx context.Context, slot string, want bool) (*View, error) {
	return r.apply(ctx, func(t table) table { return t.pin(slot, want) })
}

// Remove forgets a route.
func (r *Registry) Remove(ctx context.Context, name string) (*View, error) {
	return r.apply(ctx, func(t table) table { return t.remove(name) })
}

// Close ends the registry's goroutine and waits for it.
func (r *Registry) Close() {
	close(r.quit)
	<-r.done
}

func (r *Registry) apply(ctx context.Context, change func(table) table) (*View, error) {
	q := request{change: change, reply: make(chan *View, 1)}
	select {
	case r.inbox <- q:
		return <-q.reply, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-r.done:
		return nil, ErrClosed
	}
}

func (r *Registry) run(t table) {
	defer close(r.done)
	for {
		select {
		case q := <-r.inbox:
			t = q.change(t)
			old, view := r.View(), newView(t, r.cfg.Check, time.Now())
			r.save(t)
			r.tell(view, old) // before anyone sees it: what it names must be there
			r.view.Store(view)
			close(old.replaced)
			q.reply <- view
		case <-r.quit:
			return
		}
	}
}

// tell hands a new view on, and logs the problems that the old one did not have.
func (r *Registry) tell(view, old *View) {
	known := map[Problem]bool{}
	for _, p := range old.Problems() {
		known[p] = true
	}
	for _, p := range view.Problems() {
		if !known[p] {
			r.cfg.Log.Error("model of a route is refused", "route", p.Route, "slot", p.Slot, "code", p.Code, "why", p.Message)
		}
	}
	if r.cfg.Changed != nil {
		r.cfg.Changed(view)
	}
}

func (r *Registry) save(t table) {
	if r.cfg.Store == nil {
		return
	}
	keep := Kept{Pins: t.pins}
	for _, e := range t.ordered() {
		if !e.Own && !e.Learned {
			keep.Routes = append(keep.Routes, e)
		}
	}
	if err := r.cfg.Store.Save(keep); err != nil {
		r.cfg.Log.Warn("routes cannot be kept for the next start", "error", err)
	}
}
