package slot

import (
	"context"
	"time"
)

// perform does one effect of a transition. It runs in the slot's goroutine and
// blocks on nothing.
func (a *actor) perform(e Effect) {
	t := &a.attempt
	switch e {
	case Pull:
		a.pull()
	case Abort:
		t.abort()
	case Launch:
		a.launch()
	case Watch:
		a.watchExit()
	case Probe:
		a.probe()
	case Warm:
		a.warm()
	case Open:
		a.open()
	case Tell:
		ending := a.ending()
		a.report.Ending = &ending
	case Blame:
		a.blame()
	case Revoke:
		a.revoke()
	case Drain:
		a.arm(DrainOver, a.cfg.Drain)
	case Terminate:
		a.terminate()
	case Kill:
		a.kill()
	case Settle:
		a.settle()
	case Free:
		t.start.Memory.Release()
	case Quarantine:
		t.start.Memory.Quarantine()
		a.log.Error("engine survives KILL, its memory is quarantined", "pid", a.pid(), "incarnation", a.incarnation)
	case Rest:
		a.arm(BackoffOver, time.Until(a.retryAt))
	case Recheck:
		a.recheck()
	case Forget:
		a.failures, a.retryAt, a.trouble = 0, time.Time{}, nil
	}
}

// work runs f in a goroutine that the actor joins.
func (a *actor) work(f func()) { a.wg.Go(f) }

// watch replaces the one watcher of the attempt: prober, warm-up or health.
func (a *actor) watch(f func(context.Context)) {
	t := &a.attempt
	t.unwatch()
	ctx, cancel := context.WithCancel(a.quit)
	t.watching, t.unwatch = ctx, cancel
	a.work(func() { f(ctx) })
}

func (a *actor) pull() {
	fetcher := a.cfg.Launcher.(Fetcher) // want asked
	ctx, say := a.attempt.ctx, a.speaker()
	progress := func(p Progress) {
		say(ctx, 0, func(a *actor) { a.attempt.pull, a.changed = &p, true })
	}
	a.work(func() {
		if err := fetcher.Fetch(ctx, progress); err != nil {
			say(ctx, FetchFailed, func(a *actor) { a.failed(exitOf(err)) })
			return
		}
		say(ctx, Fetched, nil)
	})
}

func (a *actor) launch() {
	t := &a.attempt
	t.boot = &Boot{Began: time.Now(), ETA: t.start.ETA, Budget: t.start.Budget, Deadline: time.Now().Add(t.start.Budget)}
	a.arm(Overdue, t.start.Budget)
	ctx, inc, launcher := t.ctx, a.incarnation, t.start.Launcher
	stamper, _ := a.cfg.Launcher.(Stamper)
	// Its answer is never dropped: the process it may have made has to be ended.
	a.work(func() {
		stamp := ""
		if stamper != nil {
			stamp = stamper.Stamp(ctx)
		}
		p, err := launcher.Launch(ctx, inc)
		if err != nil {
			a.in.Put(message{incarnation: inc, event: LaunchFailed, run: func(a *actor) {
				a.attempt.stamp = stamp
				exit := exitOf(err)
				a.log.Error("engine cannot be started", "incarnation", inc, "class", exit.Class, "detail", exit.Detail)
				a.failed(exit)
			}})
			return
		}
		a.in.Put(message{incarnation: inc, event: Launched, run: func(a *actor) {
			a.attempt.stamp, a.attempt.process = stamp, p
		}})
	})
}

func (a *actor) watchExit() {
	p, inc := a.attempt.process, a.incarnation
	a.work(func() {
		select {
		case <-p.Done():
		case <-a.quit.Done(): // only of a process that nobody can end
			return
		}
		a.in.Put(message{incarnation: inc, event: Exited, run: func(a *actor) { a.exited(p.Exit()) }})
	})
}

func (a *actor) exited(exit Exit) {
	told := a.state == UnloadingStop
	switch {
	case told:
		exit.Class = "" // it did as it was told
	case exit.Class == "":
		exit.Class = ClassCrash
	}
	a.attempt.lastPID, a.attempt.process = a.pid(), nil
	if !told {
		a.failed(exit)
	}
	a.log.Info("engine ended", "incarnation", a.incarnation, "code", exit.Code, "signal", exit.Signal, "class", exit.Class, "detail", exit.Detail)
}

// open is called when it is up, first or again.
func (a *actor) open() {
	t, now := &a.attempt, time.Now()
	if t.upSince.IsZero() {
		t.upSince = now
		a.report.Booted = &Booted{Took: now.Sub(t.boot.Began), PID: t.process.PID(), Suspended: t.slept}
	}
	for _, up := range t.up {
		close(up)
	}
	t.up = nil
	a.watchHealth()
}

// blame counts the failure and fixes the pause after it.
func (a *actor) blame() {
	t := &a.attempt
	if !t.upSince.IsZero() && time.Since(t.upSince) >= a.cfg.Backoff.Calm {
		a.failures = 0
	}
	if a.state == ErrorStuck {
		a.failed(Exit{Class: ClassUnkillable})
	}
	if !a.underRetry() { // the same request's second crash counts once
		a.failures++
	}
	a.retryAt = time.Now().Add(a.cfg.Backoff.Wait(max(a.failures, 1), a.cfg.Jitter()))
	end := a.ending()
	a.trouble = &Trouble{Code: end.Code, Message: end.Message, Exit: t.exit}
	if !t.upSince.IsZero() {
		loss := a.loss()
		a.trouble.Code, a.trouble.Message = loss.Code(), upMessage(loss.Why)
	}
	exit := t.exit
	a.report.Failed = &exit
}

// upMessage words a failure of an engine that was up, for clients.
func upMessage(why Why) string {
	if why == WhyHung {
		return "the engine showed no life any more"
	}
	return "the engine ended while it was up"
}

// ending is the failure of this incarnation, as those who wait hear it.
func (a *actor) ending() Ending {
	e := endingOf(a.attempt.exit)
	if a.attempt.excuse != "" {
		e.Message = a.attempt.excuse
	}
	return e
}

// underRetry reports whether it went down under a request that had already
// gone down with an engine.
func (a *actor) underRetry() bool {
	for l := range a.attempt.leases {
		if l.retry && !l.proved.Load() {
			return true
		}
	}
	return false
}

// loss says why the leases are lost now.
func (a *actor) loss() Loss {
	exit := a.attempt.exit
	switch {
	case exit == (Exit{}):
		return Loss{Why: a.why}
	case exit.Class == ClassHung || exit.Class == ClassTimeout || exit.Class == ClassStall:
		return Loss{Why: WhyHung, Exit: exit}
	}
	return Loss{Why: WhyCrashed, Exit: exit}
}

func (a *actor) revoke() {
	loss := a.loss()
	for l := range a.attempt.leases {
		l.lose(loss)
		a.report.Retry = a.report.Retry || l.retry
	}
	clear(a.attempt.leases)
}

func (a *actor) terminate() {
	t := &a.attempt
	a.arm(GraceOver, a.cfg.Grace)
	if t.process == nil {
		t.abort()
		return
	}
	if err := t.process.Terminate(); err != nil {
		a.log.Warn("terminate engine", "pid", t.process.PID(), "error", err)
	}
}

func (a *actor) kill() {
	t := &a.attempt
	a.arm(KillOver, a.cfg.KillWait)
	if t.process == nil {
		return // the launch was aborted and has not answered
	}
	if err := t.process.Kill(); err != nil {
		a.log.Warn("kill engine", "pid", t.process.PID(), "error", err)
	}
}

func (a *actor) settle() {
	memory, pid, inc := a.attempt.start.Memory, a.attempt.lastPID, a.incarnation
	a.work(func() {
		memory.Settle(a.quit, pid)
		a.in.Put(message{incarnation: inc, event: Freed})
	})
}

// recheck waits until what the failure depends on changes, or for the longest
// pause: what was read off a log may be wrong.
func (a *actor) recheck() {
	a.arm(BackoffOver, a.cfg.Backoff.Max)
	stamper, ok := a.cfg.Launcher.(Stamper)
	if !ok {
		return
	}
	stamp, every := a.attempt.stamp, a.cfg.Recheck
	say := a.speaker()
	a.watch(func(ctx context.Context) {
		if stamp == "" { // it failed before it was launched
			stamp = stamper.Stamp(ctx)
		}
		for pause(ctx, every) {
			if stamper.Stamp(ctx) != stamp {
				say(ctx, Reset, nil)
				return
			}
		}
	})
}

// pause waits; false means that ctx ended.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
