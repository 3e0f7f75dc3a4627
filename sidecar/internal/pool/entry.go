package pool

import (
	"cmp"
	"time"

	"github.com/hal0-dev/hal0/plugin/wire"
	"github.com/hal0-dev/hal0/sidecar/internal/slot"
)

// entry is what the pool's goroutine knows of one slot.
type entry struct {
	pool  *Pool
	id    string
	spec  Spec
	print string // spec's fingerprint
	slot  *slot.Slot
	snap  slot.Snapshot // of its last report

	queue    queue[*Ticket]
	granting int             // leases asked for and not yet answered
	proven   bool            // this engine has given somebody a frame
	suspect  bool            // a retry has a lease
	fell     bool            // its last attempt failed
	wanted   bool            // told to come up, not yet heard
	leaving  bool            // told to go, not yet heard
	demand   demand          // to come up without a flight
	calm     time.Time       // before which a preload is not tried again
	loads    []chan error    // who waits for it to be up
	gone     []chan struct{} // who waits for it to be down
	forgiven bool            // told to forget its failures, not yet heard
	closed   bool            // the slot was told to end
	removed  bool            // no longer declared
	shut     bool            // grants no new lease, so that it can go
	backlog  int             // flights that waited when it came up and wait still
	down     time.Time       // when it was up last
	lonely   time.Time       // since when nobody waits while it comes up
	service  time.Duration   // smoothed time that a lease is held

	next      *Spec    // declared again before it was gone
	estimated *int64   // need, by the estimate
	ask       *ask     // it waits for memory
	lease     *holding // what it was started with
}

// look does what can be done for the slot now.
func (p *Pool) look(e *entry) {
	if p.entries[e.id] != e || p.closing {
		return
	}
	if !e.forgiven {
		e.answer()
	}
	switch s := e.snap.State; {
	case e.removed:
		if e.snap.State.Resting() && !e.closed {
			e.closed = true
			e.slot.Close()
		}
	case s == slot.Offline && e.needed() && !e.wanted && p.turn(e):
		e.wanted = true
		e.slot.Want()
	case s.Up() && !e.leaving && !e.shut:
		e.grant()
	case s.Coming():
		e.abandon()
	}
}

// demand is who wants a slot up that no flight waits for.
type demand uint8

const (
	nobody demand = iota
	idly          // preload: if there is room
	byHand        // also if others have to go
)

// turn reports whether the slot may come up now: those that nobody waits for
// do so one after the other, the highest priority first.
func (p *Pool) turn(e *entry) bool {
	if e.queue.len > 0 || e.demand != idly {
		return true
	}
	if time.Now().Before(e.calm) {
		p.wake(e.calm)
		return false
	}
	for _, o := range p.entries {
		waits := o.snap.State == slot.Offline || o.snap.State == slot.StartingMemory && o.lease == nil
		if o != e && o.demand == idly && o.queue.len == 0 && waits && !o.removed && preloadOrder(o, e) < 0 {
			return false
		}
	}
	return true
}

func preloadOrder(a, b *entry) int {
	return cmpChain(cmp.Compare(b.spec.Model.Priority, a.spec.Model.Priority), cmp.Compare(a.id, b.id))
}

// needed reports whether anybody wants the slot up.
func (e *entry) needed() bool { return e.queue.len > 0 || e.demand != nobody }

// arrive queues a ticket, or refuses it.
func (e *entry) arrive(t *Ticket) {
	if e.queue.len >= e.pool.cfg.Queue && !t.request.Front {
		t.refuse(refusal(wire.CodeQueueFull, "too many requests wait for this model", e.snap, e.drainTime()))
		return
	}
	e.lonely = time.Time{}
	e.queue.push(t.request.Lane, t, t.request.Front)
}

// left is called when a waiting ticket left.
func (e *entry) left() {
	e.backlog = min(e.backlog, e.queue.len)
	e.pool.dirty[e] = true
}

// drainTime estimates, in seconds, when the queue has room again.
func (e *entry) drainTime() int {
	per := max(e.service, time.Second) / time.Duration(e.spec.parallel())
	return clampSeconds(per)
}

// grant asks the slot for as many leases as it may have.
func (e *entry) grant() {
	for e.snap.Leases+e.granting < e.snap.Parallel {
		t, ok := e.queue.pop(func(t *Ticket) bool { return !t.request.Front || e.proven || !e.suspect })
		if !ok {
			return
		}
		e.backlog = max(e.backlog-1, 0)
		if t.gone() {
			continue
		}
		e.suspect = e.suspect || t.request.Front
		e.granting++
		e.slot.Grant(t, t.request.Front, t.take)
	}
}

// granted hears the answer to one grant.
func (e *entry) granted(g *slot.Grant) {
	e.granting--
	t := g.Token.(*Ticket)
	if g.Taken {
		e.pool.cfg.Observer.Granted(e.id, time.Since(t.since), t.cold)
		return
	}
	if t.request.Front {
		e.suspect = false
	}
	if g.Again && !t.gone() {
		e.queue.unpop(t.request.Lane, t)
	}
}

// reported takes in what the slot tells. It runs in the pool's goroutine.
func (p *Pool) reported(e *entry, r slot.Report) {
	was := e.snap.State
	e.snap = r.Snapshot
	p.observe(e, was, r)
	if was != r.State {
		e.wanted = false
		e.leaving = e.leaving && r.State.Up()
		e.moved(was)
	}
	e.proven = e.proven || r.Proved
	e.suspect = e.suspect && !r.Retry
	if r.Reset {
		e.forgiven = false
	}
	if r.Grant != nil {
		e.granted(r.Grant)
	}
	if r.Failed != nil {
		p.failed(e, *r.Failed)
	}
	if r.Booted != nil {
		p.booted(e, *r.Booted)
	}
	if r.Held > 0 {
		e.used(r.Held)
	}
	if r.Ending != nil {
		e.ended(*r.Ending)
	}
	p.dirty[e] = true
	p.watches.put(e.show())
}

// moved is called when the slot is in another state.
func (e *entry) moved(was slot.State) {
	s := e.snap.State
	if was.Up() && !s.Up() {
		e.down = time.Now()
	}
	switch {
	case s == slot.StartingMemory:
		e.ask = &ask{since: time.Now(), after: time.Now()}
		e.pool.refresh(e.pool.about(e))
	case s.Up() && !was.Up():
		e.backlog = e.queue.len
		e.demand = nobody
		e.answerLoads(nil)
	case s == slot.Offline:
		e.shut, e.backlog, e.suspect, e.proven = false, 0, false, false
		e.pool.replan()
	}
	if s == slot.Offline || s.Failed() {
		e.answerGone()
	}
	for _, o := range e.pool.entries {
		if o.demand == idly { // it may be its turn
			e.pool.dirty[o] = true
		}
	}
	if s != slot.StartingMemory {
		e.leaveGate()
		e.ask = nil
	}
	if e.lease != nil && s != slot.StartingMemory && s != slot.Starting && s != slot.Warming {
		e.lease.gate.exit()
	}
	if !s.Coming() {
		e.lonely = time.Time{}
	}
}

// used is called when a lease ended that was held for so long.
func (e *entry) used(held time.Duration) {
	if e.service == 0 {
		e.service = held
	}
	e.service += (held - e.service) / 8
	if h := e.lease; h != nil && !h.measured && e.snap.State == slot.Idle {
		h.measured = true
		e.pool.measure(e)
	}
}

// abandon sends a load away that nobody has waited for in a long time.
func (e *entry) abandon() {
	switch {
	case e.needed() || e.leaving:
		e.lonely = time.Time{}
		return
	case e.lonely.IsZero():
		e.lonely = time.Now()
	}
	at := e.lonely.Add(e.pool.cfg.Abandon)
	if time.Now().Before(at) {
		e.pool.wake(at)
		return
	}
	e.unload(slot.WhyAbandon)
}

// unload tells the slot to go, once.
func (e *entry) unload(why slot.Why) {
	e.leaving = true
	e.slot.Unload(why)
}

// show is the snapshot with what only the pool knows.
func (e *entry) show() slot.Snapshot {
	s := e.snap
	s.Waiting = e.queue.len
	if e.lease != nil {
		for _, share := range e.lease.reservation.Shares() {
			s.Memory = append(s.Memory, slot.Share{Device: string(share.Device), Bytes: share.Bytes})
		}
	}
	return s
}
