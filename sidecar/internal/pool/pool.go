package pool

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/hal0-dev/hal0/plugin/wire"
	"github.com/hal0-dev/hal0/sidecar/internal/device"
	"github.com/hal0-dev/hal0/sidecar/internal/slot"
)

// ErrClosed is returned after Close.
var ErrClosed = errors.New("pool is closed")

// Pool runs all slots.
type Pool struct {
	cfg    Config
	log    hclog.Logger
	ledger *device.Ledger
	in     *slot.Mailbox[func()]
	done   chan struct{} // closed when the goroutine has ended
	ctx    context.Context
	end    context.CancelFunc
	wg     sync.WaitGroup // what takes long

	// Owned by the goroutine:
	entries  map[string]*entry
	dirty    map[*entry]bool // to be looked at after this message
	tickets  uint64
	slept    time.Duration // at the last look
	resumed  time.Time     // when a suspend was last noticed
	wakeAt   time.Time
	closing  bool
	devices  readings
	learned  learner
	breakers map[device.ID]*breaker
	watches  watches
}

// New starts a pool without slots.
func New(c Config) *Pool {
	c = c.withDefaults()
	p := &Pool{
		cfg: c, log: c.Log.Named("pool"), ledger: device.NewLedger(),
		in: slot.NewMailbox[func()](), done: make(chan struct{}),
		entries: map[string]*entry{}, dirty: map[*entry]bool{},
		breakers: map[device.ID]*breaker{},
	}
	p.ctx, p.end = context.WithCancel(context.Background())
	p.watches.init()
	if c.Slept != nil {
		p.slept = c.Slept()
	}
	p.startLearning()
	go p.loop()
	return p
}

// loop is the pool's goroutine.
func (p *Pool) loop() {
	defer close(p.done)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for !p.over() {
		select {
		case <-p.in.Some():
			p.wakeUp()
			for _, f := range p.in.Take() {
				f()
				p.round()
			}
		case <-timer.C:
			p.wakeAt = time.Time{}
			for _, e := range p.entries {
				p.dirty[e] = true
			}
			p.round()
		}
		if !p.wakeAt.IsZero() {
			timer.Reset(max(time.Until(p.wakeAt), 0))
		}
	}
	p.end()
	p.stopLearning()
	p.watches.close()
	p.wg.Wait()
	for _, f := range p.in.Close() {
		f()
	}
}

// over reports whether every slot is gone after Close.
func (p *Pool) over() bool { return p.closing && len(p.entries) == 0 }

// wake makes the goroutine look again at t.
func (p *Pool) wake(t time.Time) {
	if p.wakeAt.IsZero() || t.Before(p.wakeAt) {
		p.wakeAt = t
	}
}

// round looks at what the last message touched.
func (p *Pool) round() {
	for {
		for e := range p.dirty {
			delete(p.dirty, e)
			p.look(e)
		}
		p.admit()
		if len(p.dirty) == 0 {
			return
		}
	}
}

// work runs f in a goroutine that Close joins.
func (p *Pool) work(f func()) { p.wg.Go(f) }

// Request makes a ticket. It never blocks.
func (p *Pool) Request(r Request) *Ticket {
	t := newTicket(p, r)
	if !p.in.Put(func() { p.arrive(t) }) {
		t.decide(true)
		t.refuse(shutdown(r.Slot))
	}
	return t
}

func shutdown(id string) *Refusal {
	return refusal(wire.CodeShutdown, "the sidecar is shutting down", slot.Snapshot{ID: id}, 1)
}

// arrive queues a new ticket.
func (p *Pool) arrive(t *Ticket) {
	p.tickets++
	t.number = p.tickets
	e := p.entries[t.request.Slot]
	switch {
	case p.closing:
		t.decide(true)
		t.refuse(shutdown(t.request.Slot))
	case e == nil || e.removed && e.next == nil:
		t.decide(true)
		t.refuse(refusal(wire.CodeModelNotFound, "no slot has that name", slot.Snapshot{ID: t.request.Slot}, 0))
	default:
		t.decide(!e.snap.State.Up())
		e.arrive(t)
		p.dirty[e] = true
	}
}

// cancelled takes a ticket out of its queue.
func (p *Pool) cancelled(t *Ticket) {
	if e := p.entries[t.request.Slot]; e != nil && e.queue.remove(t) {
		e.left()
	}
	t.end(nil, nil)
}

// Snapshot copies every slot's state, by id.
func (p *Pool) Snapshot() []slot.Snapshot {
	var out []slot.Snapshot
	p.ask(func() {
		for _, e := range p.entries {
			out = append(out, e.show())
		}
	})
	slices.SortFunc(out, func(a, b slot.Snapshot) int { return cmpString(a.ID, b.ID) })
	return out
}

// Accounts copies what the devices' memory is reserved for.
func (p *Pool) Accounts() []device.Account { return p.ledger.Accounts() }

// ask runs f in the goroutine and waits for it; false after Close.
func (p *Pool) ask(f func()) bool {
	done := make(chan struct{})
	if !p.in.Put(func() { f(); close(done) }) {
		return false
	}
	<-done
	return true
}

// Close refuses whoever waits, sends every slot away and returns when nothing
// of them is left. After ctx's end nothing is waited for any more: leases are
// lost and processes killed. Its error names processes that nobody could end.
func (p *Pool) Close(ctx context.Context) error {
	p.in.Put(func() { p.close() })
	select {
	case <-p.done:
	case <-ctx.Done():
		p.hurry()
	}
	return p.stuck()
}

func (p *Pool) close() {
	if p.closing {
		return
	}
	p.closing = true
	for _, e := range p.entries {
		for _, t := range e.queue.clear() {
			t.refuse(shutdown(e.id))
		}
		e.next, e.closed = nil, true
		e.answerLoads(shutdown(e.id))
		e.slot.Close()
	}
}

// hurry pushes the slots along until they are gone.
func (p *Pool) hurry() {
	for {
		p.in.Put(func() {
			for _, e := range p.entries {
				e.slot.Hurry()
			}
		})
		t := time.NewTimer(100 * time.Millisecond)
		select {
		case <-p.done:
			t.Stop()
			return
		case <-t.C:
		}
	}
}

// stuck names the processes that survived; called after the goroutine's end.
func (p *Pool) stuck() error {
	var errs []error
	for _, a := range p.ledger.Accounts() {
		for _, h := range a.Holders {
			errs = append(errs, fmt.Errorf("end engine of slot %s: it still holds %d bytes of %s", h.Owner, h.Bytes, a.ID))
		}
	}
	return errors.Join(errs...)
}

func cmpString(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}
