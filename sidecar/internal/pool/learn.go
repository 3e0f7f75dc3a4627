package pool

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/hal0-dev/hal0/sidecar/internal/slot"
)

// Learned is what earlier runs of a declaration taught.
type Learned struct {
	Boots  []time.Duration `json:"boots_ns,omitempty"` // from launch to ready, oldest first, the last ones
	Need   int64           `json:"need_bytes,omitempty"`
	Device string          `json:"device,omitempty"` // that the need was measured on
}

const keepBoots = 20

// ETA is the median of the boots, 0 = unknown.
func (l Learned) ETA() time.Duration { return quantile(l.Boots, 0.5) }

// Budget is what a boot may take: three times the 95th percentile, within
// [30 s, 15 min]; 10 min while nobody knows.
func (l Learned) Budget() time.Duration {
	if len(l.Boots) == 0 {
		return 10 * time.Minute
	}
	return min(max(3*quantile(l.Boots, 0.95), 30*time.Second), 15*time.Minute)
}

// quantile is the smallest value that at least that part is not above.
func quantile(d []time.Duration, q float64) time.Duration {
	if len(d) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(d))
	i := int(q*float64(len(sorted)) + 0.9999)
	return sorted[min(max(i-1, 0), len(sorted)-1)]
}

// learner is what the pool's goroutine keeps of Learned.
type learner struct {
	known map[string]Learned
	save  chan map[string]Learned // holds the newest copy to be saved
	saved chan struct{}           // closed when the saver has ended
}

// startLearning loads what is known, and starts the goroutine that saves it.
func (p *Pool) startLearning() {
	l := &p.learned
	l.known = map[string]Learned{}
	if p.cfg.Store == nil {
		return
	}
	known, err := p.cfg.Store.Load()
	if err != nil {
		p.log.Warn("load learned times", "error", err)
	}
	maps.Copy(l.known, known)
	l.save, l.saved = make(chan map[string]Learned, 1), make(chan struct{})
	go func() {
		defer close(l.saved)
		for m := range l.save {
			if err := p.cfg.Store.Save(m); err != nil {
				p.log.Warn("save learned times", "error", err)
			}
		}
	}()
}

func (p *Pool) stopLearning() {
	if p.learned.save != nil {
		close(p.learned.save)
		<-p.learned.saved
	}
}

// learn changes what is known of e's declaration, and has it saved.
func (p *Pool) learn(e *entry, change func(*Learned)) {
	l := &p.learned
	known := l.known[e.print]
	known.Boots = slices.Clone(known.Boots)
	change(&known)
	l.known[e.print] = known
	if l.save == nil {
		return
	}
	select {
	case <-l.save: // an older copy nobody has taken
	default:
	}
	l.save <- maps.Clone(l.known)
}

// booted learns from a boot, and measures what the process holds.
func (p *Pool) booted(e *entry, b slot.Booted) {
	p.devicesWork(e)
	if e.lease != nil {
		e.lease.gate.exit()
	}
	if b.Suspended || p.resumed.After(time.Now().Add(-b.Took)) {
		return
	}
	p.learn(e, func(l *Learned) {
		l.Boots = append(l.Boots, b.Took)
		l.Boots = l.Boots[max(len(l.Boots)-keepBoots, 0):]
	})
	p.measure(e)
}

// need is what the slot needs: declared, else learned but not less than
// estimated, else a whole device. known is false while an estimate is under way.
func (p *Pool) need(e *entry) (bytes int64, known bool) {
	if p.cfg.Devices == nil {
		return 0, true
	}
	if n := e.spec.Model.Memory; n > 0 {
		return n, true
	}
	if p.cfg.Estimate != nil && e.estimated == nil && !e.ask.unguessed() {
		p.estimate(e)
		return 0, false
	}
	n := max(p.learned.known[e.print].Need, e.floor())
	if n == 0 {
		n = p.unknownNeed()
	}
	return n, true
}

// unguessed reports whether the estimate hangs: on a file system that is gone,
// say.
func (a *ask) unguessed() bool {
	return !a.guess.IsZero() && time.Since(a.guess) >= estimateTime+time.Second
}

// floor is what the slot is taken to need at least: what it was seen to hold may
// be less, as long as nobody has filled its context. 0 = nobody knows.
func (e *entry) floor() int64 {
	if e.estimated == nil || *e.estimated == Whole {
		return 0
	}
	return *e.estimated
}

// estimateTime bounds an estimate.
const estimateTime = 5 * time.Second

// unknownNeed is a whole device, if it will be measured; else two slots whose
// need nobody declares could never be up together.
func (p *Pool) unknownNeed() int64 {
	if p.cfg.Resident == nil {
		return 0
	}
	return Whole
}

// estimate has the need estimated, once per declaration.
func (p *Pool) estimate(e *entry) {
	if !e.ask.guess.IsZero() {
		return
	}
	e.ask.guess = time.Now()
	p.wake(e.ask.guess.Add(estimateTime + time.Second))
	spec, print := e.spec, e.print
	// Not joined: it reads a file, and may hang where nothing can end it.
	go func() {
		ctx, cancel := context.WithTimeout(p.ctx, estimateTime)
		defer cancel()
		n, err := p.cfg.Estimate(ctx, spec.Model)
		p.in.Put(func() {
			if l, ok := errors.AsType[*slot.LaunchError](err); ok && l.Class.Stays() {
				p.hopeless(e, l)
				return
			}
			if err != nil || n <= 0 {
				p.log.Info("no estimate of memory", "slot", e.id, "error", err)
				n = p.unknownNeed()
			}
			if e.print == print {
				e.estimated = &n
			}
			p.dirty[e] = true
		})
	}()
}

// hopeless ends a wait for memory for what a launch would fail for at once. The
// need stays unknown: what is missing may come.
func (p *Pool) hopeless(e *entry, l *slot.LaunchError) {
	if e.ask == nil {
		return // it gave up waiting
	}
	p.log.Error("engine cannot be started", "slot", e.id, "class", l.Class, "detail", l.Error())
	e.deny(l.Class, "")
	p.dirty[e] = true
}

// failed learns from a failure.
func (p *Pool) failed(e *entry, exit slot.Exit) {
	switch exit.Class {
	case slot.ClassOOM:
		p.outgrew(e)
	case slot.ClassGPU:
		p.devicesFail(e)
	}
}

// outgrew raises the learned need by 15 %.
func (p *Pool) outgrew(e *entry) {
	if e.lease == nil || e.spec.Model.Memory > 0 {
		return
	}
	var held int64
	for _, s := range e.lease.reservation.Shares() {
		held += s.Bytes
	}
	if held > 0 {
		p.learn(e, func(l *Learned) { l.Need = max(l.Need, held) + max(l.Need, held)*15/100 })
	}
}

func (p *Pool) budget(e *entry) time.Duration {
	if e.spec.Boot > 0 {
		return e.spec.Boot
	}
	if ms := e.spec.Model.Timeouts.BootMS; ms > 0 {
		return time.Duration(ms) * time.Millisecond
	}
	return p.learned.known[e.print].Budget()
}

func (p *Pool) eta(e *entry) time.Duration { return p.learned.known[e.print].ETA() }

// ETA is how long a request to the slot will be held, as far as anybody knows:
// the rest of its boot.
func ETA(s slot.Snapshot, now time.Time) (time.Duration, bool) {
	if s.State == slot.Pulling {
		return pullLeft(s, now)
	}
	return s.Boot.Left(now)
}
