package slot

import (
	"context"
	"errors"
	"sync/atomic"
	"time"
)

const (
	probeFirst   = 10 * time.Millisecond
	probeAgain   = 100 * time.Millisecond // of what was up: it may answer probes, but no requests
	probeMost    = 250 * time.Millisecond
	probeTimeout = 2 * time.Second
)

// frames counts what leases got from the engine: a sign of life beside its
// own. Leases add to it from any goroutine.
type frames struct{ atomic.Uint64 }

// probe starts asking the process whether it is ready.
func (a *actor) probe() {
	if a.alarms[Overdue] == nil { // it was up before
		a.arm(Overdue, a.attempt.start.Budget)
	}
	p, stall, say := a.attempt.process, a.cfg.Stall, a.speaker()
	listening, wait := p.Listening(), probeFirst
	if !a.attempt.upSince.IsZero() {
		listening, wait = nil, probeAgain
	}
	a.watch(func(ctx context.Context) {
		if ask(ctx, p, listening, wait, stall) {
			say(ctx, Answered, nil)
		} else if ctx.Err() == nil {
			say(ctx, Overdue, func(a *actor) { a.failed(Exit{Class: ClassStall}) })
		}
	})
}

// ask probes until the process answers that it is ready (true), shows no sign
// of life for stall, or ctx ends: after wait, which grows to probeMost, and at
// once at the engine's own "listening" line.
func ask(ctx context.Context, p Process, listening <-chan struct{}, wait, stall time.Duration) bool {
	life := time.Now()
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-listening:
			listening = nil
		case <-timer.C:
		}
		err := probeOnce(ctx, p, listening)
		if err == nil {
			return true
		}
		if errors.Is(err, ErrLoading) {
			life = time.Now()
		}
		if l := p.Life(); l.After(life) {
			life = l
		}
		if time.Since(life) >= stall {
			return false
		}
		timer.Reset(wait)
		wait = min(wait*2, probeMost)
	}
}

// probeOnce is one probe, cut short when the engine begins to listen: a probe
// that began before may hang although the next one would not.
func probeOnce(ctx context.Context, p Process, listening <-chan struct{}) error {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	if listening != nil {
		joined := make(chan struct{})
		go func() {
			defer close(joined)
			select {
			case <-listening:
				cancel()
			case <-ctx.Done():
			}
		}()
		defer func() { cancel(); <-joined }()
	}
	return p.Probe(ctx)
}

// warm sends one token through the engine, if it can.
func (a *actor) warm() {
	w, ok := a.attempt.process.(Warmer)
	say := a.speaker()
	log := a.log
	a.watch(func(ctx context.Context) {
		if ok {
			if err := w.Warm(ctx); err != nil && ctx.Err() == nil {
				log.Warn("warm up engine", "error", err)
			}
		}
		say(ctx, Warmed, nil)
	})
}

// speaker makes messages of this incarnation for a watcher.
func (a *actor) speaker() func(context.Context, Event, func(*actor)) {
	inc, in := a.incarnation, a.in
	return func(ctx context.Context, e Event, run func(*actor)) {
		in.Put(message{incarnation: inc, watch: ctx, event: e, run: run})
	}
}

// watchHealth probes a process that is up.
func (a *actor) watchHealth() {
	h := health{process: a.attempt.process, frames: a.attempt.frames, every: a.cfg.Health, hung: a.cfg.Hung}
	say := a.speaker()
	a.watch(func(ctx context.Context) {
		switch h.run(ctx) {
		case Doubt:
			say(ctx, Doubt, nil)
		case Sick:
			say(ctx, Sick, func(a *actor) { a.failed(Exit{Class: ClassHung}) })
		}
	})
}

// health is the watch over a process that is up.
type health struct {
	process Process
	frames  *frames
	every   time.Duration // between probes while all is well
	hung    time.Duration // without any sign of life
}

// run returns Doubt when the engine says that it loads, Sick when it shows no
// sign of life, 0 when ctx ended.
func (h health) run(ctx context.Context) Event {
	var bad time.Time // since when it does not answer; zero = it does
	seen, wait := h.frames.Load(), h.every
	for pause(ctx, wait) {
		began := time.Now()
		err := probeOnce(ctx, h.process, nil)
		frames := h.frames.Load()
		switch {
		case ctx.Err() != nil:
			return 0
		case errors.Is(err, ErrLoading):
			return Doubt
		case err == nil || frames != seen || !bad.IsZero() && h.process.Life().After(bad):
			bad, wait = time.Time{}, h.every
		case bad.IsZero():
			bad, wait = began, min(time.Second, h.every)
		case time.Since(bad) >= h.hung:
			return Sick
		}
		seen = frames
	}
	return 0
}
