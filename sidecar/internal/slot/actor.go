package slot

import (
	"context"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
)

// message is one thing the slot's goroutine is told: run is called, then the
// event, if there is one, goes through the table. A message is dropped if what
// it speaks of is over.
type message struct {
	incarnation uint64          // 0 = from the owner
	watch       context.Context // of the watcher that says it; nil = none
	alarm       *alarm          // that went off; nil = none
	event       Event
	run         func(*actor)
}

// alarm is a timer that ends in an event. At most one is set per event.
type alarm struct {
	timer *time.Timer
	at    time.Time
}

// actor is the state of a slot; its goroutine owns every field.
type actor struct {
	cfg  Config
	next *Config // applied as soon as nothing runs
	log  hclog.Logger
	in   *Mailbox[message]
	slot *Slot

	state       State
	since       time.Time
	incarnation uint64
	attempt     attempt // of this incarnation
	alarms      [endOfEvents]*alarm
	why         Why // it goes, or went
	lastUsed    time.Time

	failures int // in a row
	retryAt  time.Time
	trouble  *Trouble

	report  Report // being made while a message is handled
	changed bool
	closing bool
	quit    context.Context // ends with the goroutine
	end     context.CancelFunc
	wg      sync.WaitGroup // every goroutine that the actor started
}

// attempt is what belongs to one incarnation; it is replaced as a whole.
type attempt struct {
	ctx     context.Context // of pulling and launching
	abort   context.CancelFunc
	start   Start
	process Process // nil = none
	lastPID int     // of the process that has ended
	stamp   string  // of what the launch depends on
	pull    *Progress
	boot    *Boot
	upSince time.Time
	slept   bool   // the machine was suspended meanwhile
	exit    Exit   // why it failed; the zero value while it did not
	excuse  string // for clients, "" = exit's own

	watching context.Context // of the one watcher: prober, warm-up or health
	unwatch  context.CancelFunc
	frames   *frames
	leases   map[*Lease]bool
	up       []chan struct{} // closed when it is up again
}

func newActor(s *Slot, c Config) *actor {
	a := &actor{cfg: c, log: c.Log.Named("slot").With("slot", c.ID), in: s.in, slot: s, state: Offline, since: time.Now()}
	a.quit, a.end = context.WithCancel(context.Background())
	a.attempt = newAttempt(a.quit)
	return a
}

func newAttempt(quit context.Context) attempt {
	t := attempt{leases: map[*Lease]bool{}, frames: new(frames)}
	t.ctx, t.abort = context.WithCancel(quit)
	t.watching, t.unwatch = context.WithCancel(quit)
	return t
}

// loop is the slot's goroutine.
func (a *actor) loop() {
	defer close(a.slot.done)
	for !a.over() {
		<-a.in.Some()
		for _, m := range a.in.Take() {
			a.handle(m)
		}
	}
	a.end()
	a.wg.Wait()
	for _, m := range a.in.Close() {
		a.handle(m)
	}
	a.attempt.abort()
	a.attempt.unwatch()
}

// over reports whether the goroutine may end.
func (a *actor) over() bool {
	return a.closing && (a.state.Resting() || a.state == ErrorStuck)
}

func (a *actor) handle(m message) {
	switch {
	case m.incarnation != 0 && m.incarnation != a.incarnation:
		return
	case m.watch != nil && m.watch.Err() != nil:
		return
	case m.alarm != nil && a.alarms[m.event] != m.alarm:
		return
	}
	a.report, a.changed = Report{From: a.state}, false
	if m.alarm != nil {
		a.alarms[m.event] = nil
	}
	if m.run != nil {
		m.run(a)
	}
	if m.event != 0 {
		a.apply(m.event)
	}
	if a.changed {
		a.report.Snapshot = a.snapshot()
		a.cfg.Report(a.report)
	}
}

// apply takes the event through the table and does what the cell says, then
// takes the events that follow at once.
func (a *actor) apply(e Event) {
	cell, err := Next(a.state, e)
	if err != nil {
		a.log.Error("illegal transition", "state", a.state.Full(), "event", e, "incarnation", a.incarnation)
		a.cfg.Illegal(err)
		return
	}
	if from := a.state; cell.To != from {
		a.enter(cell.To, e)
		level := hclog.Info
		if from.Up() && cell.To.Up() { // with every request
			level = hclog.Debug
		}
		a.log.Log(level, "transition", "from", from.Full(), "event", e, "to", cell.To.Full(), "incarnation", a.incarnation)
	}
	for _, effect := range cell.Do {
		a.changed = true
		a.perform(effect)
	}
	if next, ok := a.follow(); ok {
		a.apply(next)
	}
}

// enter changes the state and ends what the new one has no use for.
func (a *actor) enter(to State, e Event) {
	a.changed = true
	if a.state == Offline {
		a.begin()
	}
	a.state, a.since = to, time.Now()
	for e, alarm := range a.alarms {
		if alarm != nil && table[to][e].To == 0 {
			a.disarm(Event(e))
		}
	}
	if !to.Up() && to != Warming && to != Starting {
		a.attempt.unwatch()
	}
	a.idle()
	if e == IdleOver {
		a.why = WhyIdle
	}
	if to == Offline {
		a.settled()
	}
}

// idle counts the idle time from now on, if this is one.
func (a *actor) idle() {
	a.disarm(IdleOver)
	if (a.state == Ready || a.state == Idle) && a.cfg.UnloadAfter > 0 {
		a.arm(IdleOver, a.cfg.UnloadAfter)
	}
}

// begin makes a new incarnation.
func (a *actor) begin() {
	a.attempt.abort()
	a.attempt.unwatch()
	a.incarnation++
	a.attempt = newAttempt(a.quit)
	a.why = ""
}

// settled applies a new configuration, now that nothing runs.
func (a *actor) settled() {
	if a.next == nil {
		return
	}
	a.cfg, a.next = *a.next, nil
	a.failures, a.retryAt, a.trouble = 0, time.Time{}, nil
}

// follow returns the event that follows from the state alone.
func (a *actor) follow() (Event, bool) {
	switch {
	case a.state == UnloadingDrain && len(a.attempt.leases) == 0:
		return Drained, true
	case a.state == ErrorBackoff && a.attempt.exit.Class.Stays():
		return Condemn, true
	case a.state == Ready && len(a.attempt.leases) > 0:
		return Taken, true
	}
	return 0, false
}

// arm sets the alarm that ends in e.
func (a *actor) arm(e Event, d time.Duration) {
	a.disarm(e)
	al := &alarm{at: time.Now().Add(d)}
	inc := a.incarnation
	al.timer = time.AfterFunc(d, func() { a.in.Put(message{incarnation: inc, alarm: al, event: e, run: alarmCause(e)}) })
	a.alarms[e] = al
}

// alarmCause notes why it failed, if the alarm is a failure.
func alarmCause(e Event) func(*actor) {
	if e == Overdue {
		return func(a *actor) { a.failed(Exit{Class: ClassTimeout}) }
	}
	return nil
}

func (a *actor) disarm(e Event) {
	if al := a.alarms[e]; al != nil {
		al.timer.Stop()
		a.alarms[e] = nil
	}
}

// failed notes why this incarnation failed; the first cause stands.
func (a *actor) failed(exit Exit) {
	if a.attempt.exit == (Exit{}) {
		a.attempt.exit = exit
	}
}

// snapshot copies what others may see.
func (a *actor) snapshot() Snapshot {
	t := &a.attempt
	s := Snapshot{
		ID: a.cfg.ID, State: a.state, Phase: a.state.Phase(), Since: a.since, Incarnation: a.incarnation,
		Leases: len(t.leases), Parallel: a.cfg.Parallel, LastUsed: a.lastUsed, Why: a.why,
		Trouble: a.trouble, Failures: a.failures, RetryAt: a.retryAt, Looping: a.cfg.Backoff.Looping(a.failures),
	}
	if s.PID = a.pid(); s.PID != 0 {
		s.UpSince = t.upSince
	}
	if a.state.Coming() {
		s.Boot, s.Pull = t.boot, t.pull
	}
	if al := a.alarms[IdleOver]; al != nil {
		s.UnloadAt = al.at
	}
	return s
}

// pid is the process's, 0 = none.
func (a *actor) pid() int {
	if a.attempt.process == nil {
		return 0
	}
	return a.attempt.process.PID()
}
