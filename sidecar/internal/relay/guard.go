package relay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hal0-dev/hal0/plugin/wire"
)

// limits of one call to an engine; 0 = none.
type limits struct {
	first time.Duration // until the first event, or the first byte of another body
	idle  time.Duration // between two signs of life after that
	total time.Duration
}

const (
	defaultFirst = 30 * time.Minute
	defaultIdle  = 5 * time.Minute
)

func limitsOf(t wire.Timeouts) limits {
	or := func(ms int64, d time.Duration) time.Duration {
		if ms > 0 {
			return time.Duration(ms) * time.Millisecond
		}
		return d
	}
	return limits{first: or(t.FirstTokenMS, defaultFirst), idle: or(t.IdleMS, defaultIdle), total: or(t.TotalMS, 0)}
}

// stalled is the cause of a call that took too long.
type stalled struct{ message string }

func (s *stalled) Error() string { return s.message }

// errLost is the cause of a call whose lease was lost.
var errLost = errors.New("the lease was lost")

// pulse is what a guard knows of a call. Times are since began.
type pulse struct {
	now   time.Duration
	life  time.Duration // when a sign of life was last noticed
	begun bool          // there was a first event
}

// check returns when to look again, or why the call has taken too long.
func (l limits) check(p pulse) (time.Duration, *stalled) {
	next := time.Hour
	if l.idle > 0 {
		next = l.idle / 4 // what was last noticed is no older than that
	}
	within := func(since, limit time.Duration, what string) *stalled {
		if limit <= 0 {
			return nil
		}
		if left := since + limit - p.now; left > 0 {
			next = min(next, left)
			return nil
		}
		return &stalled{fmt.Sprintf("the engine %s within %v", what, limit)}
	}
	s := within(0, l.total, "did not finish the answer")
	switch {
	case s != nil:
	case !p.begun:
		s = within(0, l.first, "did not begin to answer")
	default:
		s = within(p.life, l.idle, "sent nothing")
	}
	return next, s
}

// lossGrace is how long what a lost engine still sent may take to be read.
const lossGrace = 100 * time.Millisecond

// guard watches one call: it ends the call's context if the lease is lost or
// the engine stalls. It looks now and then; that the call goes on costs no more
// than a counter.
type guard struct {
	limits limits
	began  time.Time
	reads  atomic.Uint64 // pieces that came from the engine
	begun  atomic.Bool   // there was a first event
	busy   atomic.Bool   // frames are handed over, which readers may delay
	stop   chan struct{}
	done   sync.WaitGroup

	// Of the guard's goroutine.
	seen uint64        // reads, when last looked at
	life time.Duration // since began: when reads had changed, or it was busy
}

func newGuard(l limits) *guard {
	return &guard{limits: l, began: time.Now(), stop: make(chan struct{})}
}

// watch begins to watch; close ends it.
func (g *guard) watch(lost <-chan struct{}, cancel context.CancelCauseFunc) {
	g.done.Go(func() { g.loop(lost, cancel) })
}

func (g *guard) loop(lost <-chan struct{}, cancel context.CancelCauseFunc) {
	first, stall := g.limits.check(g.pulse())
	if stall != nil {
		cancel(stall)
		return
	}
	timer := time.NewTimer(first)
	defer timer.Stop()
	for {
		select {
		case <-g.stop:
			return
		case <-lost:
			timer.Reset(lossGrace)
			select {
			case <-g.stop:
			case <-timer.C:
				cancel(errLost)
			}
			return
		case <-timer.C:
			next, stall := g.limits.check(g.pulse())
			if stall != nil {
				cancel(stall)
				return
			}
			timer.Reset(next)
		}
	}
}

// pulse looks at the call. The time that readers take is not the engine's.
func (g *guard) pulse() pulse {
	now := time.Since(g.began)
	if n := g.reads.Load(); n != g.seen || g.busy.Load() {
		g.seen, g.life = n, now
	}
	return pulse{now: now, life: g.life, begun: g.begun.Load()}
}

func (g *guard) close() {
	close(g.stop)
	g.done.Wait()
}

// listen makes every byte that is read a sign of life.
func (g *guard) listen(r io.Reader) io.Reader { return &listener{r, g} }

type listener struct {
	r io.Reader
	g *guard
}

func (l *listener) Read(b []byte) (int, error) {
	n, err := l.r.Read(b)
	if n > 0 {
		l.g.reads.Add(1)
	}
	return n, err
}
