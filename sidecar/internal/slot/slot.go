package slot

import (
	"time"

	"github.com/hashicorp/go-hclog"
)

// Config of one slot. Durations of 0 mean the default in brackets.
type Config struct {
	ID          string
	Launcher    Launcher      // asked whether it is a Fetcher and a Stamper
	Parallel    int           // leases at once [1]
	UnloadAfter time.Duration // idle time before it goes; 0 = never
	Stall       time.Duration // without a sign of life while coming up [120 s]
	Drain       time.Duration // for leases to end while going [30 s]
	Grace       time.Duration // between TERM and KILL [5 s]
	KillWait    time.Duration // after KILL [10 s]
	Health      time.Duration // between probes of a slot that is up [10 s]
	Hung        time.Duration // without an answer or life before it is replaced [20 s]
	Recheck     time.Duration // between looks at what a failure that stays depends on [2 s]
	Backoff     Backoff

	Report  func(Report)   // from the slot's goroutine; must not block
	Log     hclog.Logger   // nil = none
	Jitter  func() float64 // in [0, 1)
	Illegal func(error)    // called on an illegal transition, beside the log; for tests
}

func (c Config) withDefaults() Config {
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{
		{&c.Stall, 120 * time.Second}, {&c.Drain, 30 * time.Second}, {&c.Grace, 5 * time.Second},
		{&c.KillWait, 10 * time.Second}, {&c.Health, 10 * time.Second}, {&c.Hung, 20 * time.Second},
		{&c.Recheck, 2 * time.Second},
	} {
		if *d.field <= 0 {
			*d.field = d.value
		}
	}
	c.Parallel = max(c.Parallel, 1)
	c.Backoff = c.Backoff.withDefaults()
	if c.Report == nil {
		c.Report = func(Report) {}
	}
	if c.Log == nil {
		c.Log = hclog.NewNullLogger()
	}
	if c.Jitter == nil {
		c.Jitter = func() float64 { return 0 }
	}
	if c.Illegal == nil {
		c.Illegal = func(error) {}
	}
	return c
}

// Slot is the handle of one slot. Its methods leave a message and return.
type Slot struct {
	in   *Mailbox[message]
	done chan struct{}
}

// New starts the slot's goroutine. Close ends it.
func New(c Config) *Slot {
	s := &Slot{in: NewMailbox[message](), done: make(chan struct{})}
	a := newActor(s, c.withDefaults())
	go a.loop()
	return s
}

// Want asks the slot to come up. It answers by a report: state pulling, or
// starting in phase memory, where it waits for Start or Deny.
func (s *Slot) Want() { s.tell(func(a *actor) { a.want() }) }

// Start gives the incarnation that asked for it what it needs. The slot owns
// st.Memory from here on, also if it has moved on meanwhile.
func (s *Slot) Start(incarnation uint64, st Start) {
	if !s.in.Put(message{run: func(a *actor) { a.granted(incarnation, st) }}) {
		st.Memory.Release()
	}
}

// Deny says that the incarnation gets no memory, and why, for clients; "" stands
// for the class's own words. If the class stays, the slot is in error until
// something changes.
func (s *Slot) Deny(incarnation uint64, class Class, why string) {
	s.in.Put(message{incarnation: incarnation, run: func(a *actor) { a.denied(class, why) }})
}

// Grant makes a lease and hands it to take, from the slot's goroutine; take
// must not block and reports whether the lease found its owner. If the slot
// grants no lease now, take is not called. A report with Grant answers.
func (s *Slot) Grant(token any, retry bool, take func(*Lease) bool) {
	s.tell(func(a *actor) { a.grant(token, retry, take) })
}

// Unload asks the slot to go.
func (s *Slot) Unload(why Why) { s.tell(func(a *actor) { a.unload(why) }) }

// Hurry cuts the current wait of a slot that goes: drain, then grace.
func (s *Slot) Hurry() { s.tell(func(a *actor) { a.hurry() }) }

// Reset makes the slot forget its failures.
func (s *Slot) Reset() { s.tell(func(a *actor) { a.reset() }) }

// Doubt asks a slot that is up to prove itself before its next lease.
func (s *Slot) Doubt() { s.tell(func(a *actor) { a.suspended() }) }

// Tune changes the idle time after which the slot goes; 0 = never.
func (s *Slot) Tune(unloadAfter time.Duration) { s.tell(func(a *actor) { a.tune(unloadAfter) }) }

// Configure replaces the configuration as soon as nothing runs, and forgets
// all failures then.
func (s *Slot) Configure(c Config) { s.tell(func(a *actor) { a.configure(c.withDefaults()) }) }

// Close asks the slot to go for good. Done is closed when nothing of it is
// left, or nothing but a process that nobody can end.
func (s *Slot) Close() { s.tell(func(a *actor) { a.close() }) }

// Done is closed when the slot's goroutines have ended.
func (s *Slot) Done() <-chan struct{} { return s.done }

func (s *Slot) tell(run func(*actor)) { s.in.Put(message{run: run}) }
