package main

import (
	"context"
	"sync"
	"time"

	"github.com/hal0-dev/hal0/sidecar/internal/route"
)

// preloader loads slots at the time of day that they declare (preloadAt), so
// that the first request of the morning is not the one that waits. One goroutine
// owns the schedule; what it starts is joined by close.
type preloader struct {
	load      func(ctx context.Context, id string) error // logged by whom it belongs to
	schedules chan map[string]string                     // slot -> "15:04"; the newest counts
	ctx       context.Context
	end       context.CancelFunc
	running   sync.WaitGroup
}

func newPreloader(load func(ctx context.Context, id string) error) *preloader {
	p := &preloader{load: load, schedules: make(chan map[string]string)}
	p.ctx, p.end = context.WithCancel(context.Background())
	p.running.Go(p.run)
	return p
}

// take replaces the schedule by that of a view. It waits for the goroutine, which
// never waits for a load.
func (p *preloader) take(v *route.View) {
	schedule := map[string]string{}
	for _, s := range v.Slots() {
		if s.Model.PreloadAt != "" {
			schedule[s.Model.Slot] = s.Model.PreloadAt
		}
	}
	select {
	case p.schedules <- schedule:
	case <-p.ctx.Done():
	}
}

func (p *preloader) close() {
	p.end()
	p.running.Wait()
}

func (p *preloader) run() {
	var schedule map[string]string
	for {
		due, slots := nextPreload(time.Now(), schedule)
		timer := time.NewTimer(time.Until(due))
		if len(slots) == 0 {
			timer.Stop()
		}
		select {
		case <-timer.C:
			for _, id := range slots {
				p.running.Go(func() { _ = p.load(p.ctx, id) }) // the slot logs its failure
			}
		case schedule = <-p.schedules:
		case <-p.ctx.Done():
			timer.Stop()
			return
		}
		timer.Stop()
	}
}

// nextPreload is the next moment after now at which slots are to be loaded, and
// which: pure. Times are of the sidecar's own time zone.
func nextPreload(now time.Time, schedule map[string]string) (due time.Time, slots []string) {
	for id, at := range schedule {
		clock, err := time.Parse("15:04", at)
		if err != nil {
			continue // the plugin has checked the form
		}
		t := time.Date(now.Year(), now.Month(), now.Day(), clock.Hour(), clock.Minute(), 0, 0, now.Location())
		if !t.After(now) {
			t = t.AddDate(0, 0, 1)
		}
		switch {
		case len(slots) == 0 || t.Before(due):
			due, slots = t, []string{id}
		case t.Equal(due):
			slots = append(slots, id)
		}
	}
	return due, slots
}
