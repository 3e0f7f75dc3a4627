package api

import (
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hal0-dev/hal0/plugin/wire"
	"github.com/hal0-dev/hal0/sidecar/internal/relay"
)

// phase of a reply.
type phase uint8

const (
	phaseHeld   phase = iota + 1 // nothing was sent
	phaseStream                  // headers of a stream were sent: whole events only
	phaseBody                    // another body has begun
)

// replier is one reply. The handler's goroutine does everything but deliver
// frames directly, which the flight's does.
type replier struct {
	control *http.ResponseController
	sub     *relay.Subscription
	o       replyOptions
	arrived time.Time
	directs atomic.Uint64 // direct deliveries begun
	lagged  atomic.Bool   // a delivery was given up because it took too long

	// Of the handler's goroutine.
	timer      *time.Timer
	alarm      time.Time // when timer fires
	stuckAt    uint64    // the direct delivery that was under way at stuckSince; 0 = none
	stuckSince time.Time

	// mu is the right to write to the client, and guards what a write changes.
	mu       sync.Mutex
	w        http.ResponseWriter
	over     bool // the handler returns: nobody writes any more
	broken   bool // a write failed
	told     told
	phase    phase
	commitAt time.Time // zero = never
	wrote    time.Time // the last write of any kind, in phaseStream
}

// due does what time asks for: commit, heartbeat. It is called when there is
// nothing to deliver.
func (p *replier) due() error {
	now := time.Now()
	if left := p.until(now); left > 0 {
		if rings := p.alarm.Sub(now); rings <= 0 || rings > left {
			p.alarmIn(now, left)
		}
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
		return stuckWithin / 2 // nothing but a look at the writes
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
	p.sub.Kick() // for due to set the alarm for heartbeats
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
			p.broken = true
			return err
		}
		frames = frames[n:]
	}
	if err := p.control.Flush(); err != nil {
		p.broken = true
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
