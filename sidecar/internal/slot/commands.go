package slot

import "time"

// The functions here are what the messages of Slot and Lease run, in the
// slot's goroutine.

func (a *actor) want() {
	if a.closing {
		return
	}
	if _, ok := a.cfg.Launcher.(Fetcher); ok {
		a.apply(Fetch)
		return
	}
	a.apply(Want)
}

func (a *actor) granted(incarnation uint64, st Start) {
	if incarnation != a.incarnation || a.state != StartingMemory {
		st.Memory.Release() // it gave up waiting
		return
	}
	a.attempt.start = st
	a.apply(Granted)
}

func (a *actor) denied(class Class, why string) {
	if a.state != StartingMemory {
		return // it gave up waiting
	}
	a.failed(Exit{Class: class})
	a.attempt.excuse = why
	if class.Stays() {
		a.apply(Condemn)
		return
	}
	a.apply(Denied)
}

func (a *actor) grant(token any, retry bool, take func(*Lease) bool) {
	a.changed = true
	t := &a.attempt
	if !a.state.Up() || len(t.leases) >= a.cfg.Parallel || a.closing {
		a.report.Grant = &Grant{Token: token, Again: true}
		return
	}
	l := &Lease{
		slot: a.slot, incarnation: a.incarnation, endpoint: t.process.Endpoint(),
		frames: t.frames, retry: retry, since: time.Now(), up: t.upSince, lost: make(chan struct{}),
	}
	t.leases[l] = true
	taken := take(l)
	if !taken {
		l.released.Store(true)
		delete(t.leases, l)
	} else {
		a.apply(Taken)
	}
	a.report.Grant = &Grant{Token: token, Taken: taken}
}

func (a *actor) released(l *Lease) {
	if !a.attempt.leases[l] {
		return // it was lost
	}
	delete(a.attempt.leases, l)
	a.changed = true
	a.lastUsed = time.Now()
	a.report.Held = a.lastUsed.Sub(l.since)
	a.report.Retry = l.retry
	if len(a.attempt.leases) == 0 {
		a.apply(Emptied)
	}
}

func (a *actor) proved(l *Lease) {
	a.changed = true
	a.failures = 0
	a.report.Proved = true
}

// doubted is told by a lease whose request was answered "loading".
func (a *actor) doubted(up chan struct{}) {
	if !a.state.Up() && a.state != Warming && a.state != UnloadingDrain {
		return // the lease is lost
	}
	a.attempt.up = append(a.attempt.up, up)
	a.apply(Doubt)
}

// suspended is told when the machine has slept.
func (a *actor) suspended() {
	a.attempt.slept = true
	if a.state.Up() {
		a.apply(Doubt)
	}
}

func (a *actor) unload(why Why) {
	if !a.state.Resting() && !a.state.Going() {
		a.why = why
	}
	a.apply(Unload)
}

func (a *actor) hurry() {
	switch a.state {
	case UnloadingDrain:
		a.apply(DrainOver)
	case UnloadingStop, ErrorStop:
		if a.alarms[GraceOver] != nil {
			a.disarm(GraceOver)
			a.apply(GraceOver)
		}
	}
}

func (a *actor) reset() {
	a.changed, a.report.Reset = true, true
	a.apply(Reset)
}

func (a *actor) tune(unloadAfter time.Duration) {
	if a.cfg.UnloadAfter == unloadAfter {
		return
	}
	a.changed = true
	a.cfg.UnloadAfter = unloadAfter
	a.idle()
}

func (a *actor) configure(c Config) {
	a.changed = true
	a.next = &c
	a.reset() // what rests is offline then
	if a.state == Offline {
		a.settled()
	}
}

func (a *actor) close() {
	a.closing = true
	if !a.state.Resting() {
		a.unload(WhyShutdown)
	}
}
