package api

import (
	"context"
	"net/http"
	"time"

	"github.com/hal0-dev/hal0/plugin/wire"
	"github.com/hal0-dev/hal0/sidecar/internal/hub"
	"github.com/hal0-dev/hal0/sidecar/internal/relay"
)

// replyOptions say how one client is answered.
type replyOptions struct {
	Family string
	Stream bool // the client asked for events: its headers may be sent early
	// CommitAfter is how long headers are held for a client that asked for
	// events; 0 = not at all, negative = for ever.
	CommitAfter time.Duration
	Heartbeat   time.Duration // the longest silence of a stream; 0 = 10 s
	RequestID   string
	Slot        string
}

// told is what a client was told, for the log and the metrics.
type told struct {
	Outcome   string // ok, cancelled, failed, truncated
	Code      string // of failed and truncated
	Flight    string // wire.FlightLead or wire.FlightJoin
	Cold      bool
	Status    int           // 0 = none was sent
	Wait      time.Duration // until there was an answer, of any kind
	FirstByte time.Duration // until the first frame; 0 = there was none
	Events    int           // frames delivered
	Bytes     int64
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
	p := &replier{w: w, control: http.NewResponseController(w), sub: s, o: o, phase: phaseHeld, arrived: now}
	p.told.Flight = s.Flight()
	p.commitAt = commitTime(now, r.Header, o)
	first := p.until(now)
	p.alarm, p.timer = now.Add(first), time.AfterFunc(first, s.Kick)
	defer p.timer.Stop()
	stop := context.AfterFunc(r.Context(), s.Kick)
	defer stop()
	s.OnCut(p.hurry)
	p.serve(r.Context())
	p.told.Cold = s.Cold()
	return p.told
}

// phase of a reply.
type phase uint8

const (
	phaseHeld   phase = iota + 1 // nothing was sent
	phaseStream                  // headers of a stream were sent: whole events only
	phaseBody                    // another body has begun
)

// replier is one reply. It belongs to the handler's goroutine, but for hurry.
type replier struct {
	w       http.ResponseWriter
	control *http.ResponseController
	sub     *relay.Subscription
	o       replyOptions
	told    told

	phase    phase
	arrived  time.Time
	commitAt time.Time // zero = never
	wrote    time.Time // the last write of any kind, in phaseStream
	timer    *time.Timer
	alarm    time.Time // when timer fires: never later than something is due
}

// serve runs until the flight has ended or the client is gone. It waits in one
// place only; timers and the client's leaving kick the subscription.
func (p *replier) serve(ctx context.Context) {
	for {
		frames, state := p.sub.Take()
		if len(frames) > 0 && p.deliver(frames) != nil {
			p.told.Outcome = outcomeCancelled
			return
		}
		if state != hub.Open {
			p.end(p.sub.Outcome(state))
			return
		}
		if len(frames) > 0 {
			continue
		}
		if ctx.Err() != nil || p.due() != nil {
			p.told.Outcome = outcomeCancelled
			return
		}
		<-p.sub.Wake()
	}
}

// due does what time asks for: commit, heartbeat. It is called when there is
// nothing to deliver.
func (p *replier) due() error {
	now := time.Now()
	if now.Before(p.alarm) {
		return nil
	}
	if left := p.until(now); left > 0 {
		p.alarmIn(now, left)
		return nil
	}
	if p.phase == phaseHeld {
		p.commit(http.StatusOK)
	} else if _, err := p.w.Write(heartbeat(p.o.Family)); err != nil {
		return err
	}
	if err := p.control.Flush(); err != nil {
		return err
	}
	p.wrote = time.Now()
	p.alarmIn(p.wrote, p.o.Heartbeat)
	return nil
}

// until is how long nothing is due.
func (p *replier) until(now time.Time) time.Duration {
	switch {
	case p.phase == phaseStream:
		return p.wrote.Add(p.o.Heartbeat).Sub(now)
	case p.phase == phaseBody || p.commitAt.IsZero():
		return never
	}
	return p.commitAt.Sub(now)
}

func (p *replier) alarmIn(now time.Time, d time.Duration) {
	p.alarm = now.Add(d)
	p.timer.Reset(d)
}

// heartbeat is a sign of life that every client of the family swallows.
func heartbeat(family string) []byte {
	if family == wire.FamilyMessages {
		return []byte("event: ping\ndata: {\"type\": \"ping\"}\n\n")
	}
	return []byte(":\n")
}

// commit sends the headers of a stream of events.
func (p *replier) commit(status int) {
	h := p.w.Header()
	h.Set("Content-Type", "text/event-stream; charset=utf-8")
	h.Set("Cache-Control", "no-cache")
	h.Set("X-Accel-Buffering", "no")
	h.Set(wire.HeaderHeartbeat, seconds(p.o.Heartbeat))
	p.describe(h)
	p.send(status)
	p.phase, p.wrote = phaseStream, time.Now()
	if next := p.wrote.Add(p.o.Heartbeat); next.Before(p.alarm) {
		p.alarmIn(p.wrote, p.o.Heartbeat)
	}
}

// deliver writes frames and, before the first of them, headers.
func (p *replier) deliver(frames [][]byte) error {
	if p.told.Events == 0 {
		p.told.FirstByte = time.Since(p.arrived)
	}
	if p.phase == phaseHeld {
		p.head()
	}
	for len(frames) > 0 {
		n, err := p.write(frames)
		if err != nil {
			return err
		}
		frames = frames[n:]
	}
	if err := p.control.Flush(); err != nil {
		return err
	}
	p.wrote = time.Now()
	return nil
}

// head sends the engine's status and what clients may see of its headers.
func (p *replier) head() {
	head, _ := p.sub.Head()
	if head.SSE {
		p.commit(head.Status)
		return
	}
	h := p.w.Header()
	for name, values := range head.Header {
		h[name] = values
	}
	p.describe(h)
	p.send(head.Status)
	p.phase = phaseBody
}

// write writes some of the frames, as one piece where several wait, and
// returns how many.
func (p *replier) write(frames [][]byte) (int, error) {
	n, size := 1, len(frames[0])
	for n < len(frames) && size+len(frames[n]) <= largeWrite {
		size += len(frames[n])
		n++
	}
	piece := frames[0]
	if n > 1 {
		piece = make([]byte, 0, size)
		for _, f := range frames[:n] {
			piece = append(piece, f...)
		}
	}
	if _, err := p.w.Write(piece); err != nil {
		return 0, err
	}
	p.told.Events += n
	p.told.Bytes += int64(size)
	return n, nil
}

// hurry is called, from another goroutine, when the hub has cut this reader
// off: it may be blocked in a write.
func (p *replier) hurry() {
	// A writer that knows no deadlines is a test's, and does not block.
	_ = p.control.SetWriteDeadline(time.Now().Add(finalWithin))
}
