package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/hal0-dev/hal0/sidecar/internal/hub"
	"github.com/hal0-dev/hal0/sidecar/internal/relay"
)

// replyOptions say how one client is answered.
type replyOptions struct {
	Family string
	// CommitAfter is how long headers are held for a client that asked for
	// events; 0 = not at all, negative = for ever.
	CommitAfter time.Duration
	Heartbeat   time.Duration // the longest silence of a stream; 0 = 10 s
	RequestID   string
	Slot        string
	Whole       time.Time // when the request had been read; its times count from here
}

// told is what a client was told, for the log and the metrics.
type told struct {
	Outcome   string // ok, cancelled, failed, truncated
	Code      string // of failed and truncated
	Flight    string // wire.FlightLead or wire.FlightJoin
	Stream    bool   // the client asked for events
	Cold      bool
	Status    int           // 0 = none was sent
	Wait      time.Duration // until there was an answer, of any kind
	FirstByte time.Duration // until the first frame; 0 = there was none
	Events    int           // frames delivered
	Bytes     int64
	Times     relay.Times // of the flight
	// Aborted: the body is not whole and nothing in it says so. The handler
	// must panic with http.ErrAbortHandler, so that the connection does.
	Aborted bool
}

const (
	outcomeOK        = "ok"
	outcomeCancelled = "cancelled"
	outcomeFailed    = "failed"
	outcomeTruncated = "truncated"
)

const (
	defaultHeartbeat = 10 * time.Second
	// finalWithin is how long a client may take to read its last frame.
	finalWithin = 10 * time.Second
	// stuckWithin is how long one write to a client may take.
	stuckWithin = time.Minute
	// largeWrite bounds what is put together for one write, in bytes.
	largeWrite = 64 << 10
	never      = 24 * time.Hour
)

// reply writes a subscription to its client and gives the subscription up:
// hold, commit, heartbeats, frames, outcome.
func reply(w http.ResponseWriter, r *http.Request, s *relay.Subscription, o replyOptions) told {
	defer s.Leave()
	if o.Heartbeat <= 0 {
		o.Heartbeat = defaultHeartbeat
	}
	now := time.Now()
	p := &replier{w: w, control: http.NewResponseController(w), sub: s, o: o, phase: phaseHeld, arrived: o.Whole}
	p.told.Flight, p.told.Stream = s.Flight(), s.Stream()
	p.commitAt = commitTime(o.Whole, r.Header, s.Stream(), o.CommitAfter)
	first := p.until(now)
	p.alarm, p.timer = now.Add(first), time.AfterFunc(first, s.Kick)
	defer p.timer.Stop()
	stop := context.AfterFunc(r.Context(), s.Kick)
	defer stop()
	s.OnCut(p.hurry)
	s.Direct(p.direct)
	p.serve(r.Context())
	p.told.Cold, p.told.Times = s.Cold(), s.Times()
	return p.told
}

// serve runs until the flight has ended or the client is gone. It waits in one
// place only; timers and the client's leaving kick the subscription.
func (p *replier) serve(ctx context.Context) {
	for {
		frames, state := p.sub.Take()
		if ctx.Err() != nil || !p.turn(frames, state) {
			break
		}
		if len(frames) == 0 {
			<-p.sub.Wake()
		}
	}
	if !p.mu.TryLock() { // the flight is writing to a client that is gone
		_ = p.control.SetWriteDeadline(time.Now())
		p.mu.Lock()
	}
	defer p.mu.Unlock()
	p.over = true
	p.gone()
}

// turn does what there is to do now; false if that was the last.
func (p *replier) turn(frames [][]byte, state hub.State) bool {
	if !p.mu.TryLock() {
		if len(frames) == 0 && state == hub.Open {
			p.stuck()
			return true
		}
		p.mu.Lock()
	}
	defer p.mu.Unlock()
	p.stuckAt = 0
	if p.broken || len(frames) > 0 && p.deliver(frames) != nil {
		return false
	}
	if state != hub.Open {
		p.end(p.sub.Outcome(state))
		return false
	}
	return len(frames) > 0 || p.due() == nil
}

// stuck looks at a write of the flight's that is under way: one that takes too
// long is given up.
func (p *replier) stuck() {
	now := time.Now()
	switch n := p.directs.Load(); {
	case p.stuckAt != n:
		p.stuckAt, p.stuckSince = n, now
	case now.Sub(p.stuckSince) >= stuckWithin:
		p.lagged.Store(true)
		_ = p.control.SetWriteDeadline(now)
	}
	p.alarmIn(now, min(p.o.Heartbeat, stuckWithin))
}

// errOver is a delivery to a client that is gone.
var errOver = errors.New("the client is gone")

// direct is called by the flight's writer, in its goroutine, where this is the
// only client: see hub.Subscription.Direct.
func (p *replier) direct(frames [][]byte) error {
	p.directs.Add(1)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.over || p.broken {
		return errOver
	}
	return p.deliver(frames)
}
