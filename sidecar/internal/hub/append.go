package hub

import (
	"context"
	"time"
)

// Append adds frames to the log, or hands them to the only reader; if kept, they
// must not be written again. It waits while nobody reads, and while even the
// fastest reader is far behind; it returns the cause when the flight's context
// ends.
func (f *Flight[H, O]) Append(frames ...[]byte) (kept bool, err error) {
	total := int64(0)
	f.mu.Lock()
	if s := f.directLocked(frames); s != nil {
		f.mu.Unlock()
		if s.sink(frames) != nil {
			s.Leave()
			s.Kick()
		}
		return false, f.stopped()
	}
	for _, frame := range frames {
		if f.crowdedLocked(int64(len(frame))) {
			if err := f.waitForRoom(int64(len(frame))); err != nil {
				f.mu.Unlock()
				return true, err
			}
		}
		total = f.appendLocked(frame)
	}
	parked := f.unparkLocked()
	f.mu.Unlock()
	kick(parked)
	if total > f.hub.config.ReplayTotal && f.hub.windows.Load() > 0 {
		f.hub.relieve()
	}
	return true, f.stopped()
}

// stopped is the cause of the context's end, once it has ended.
func (f *Flight[H, O]) stopped() error {
	if f.ctx.Err() == nil { // that is cheaper than the cause
		return nil
	}
	return context.Cause(f.ctx)
}

// directLocked returns the reader that the frames are handed to without the
// log, and counts them as read: the flight's only one, nobody else can come, it
// has read everything, and it wants that. Else nil.
func (f *Flight[H, O]) directLocked(frames [][]byte) *Subscription[H, O] {
	if len(f.readers) != 1 || f.open || f.undecided {
		return nil
	}
	s := f.readers[0]
	if s.sink == nil || !s.parked || s.next != f.log.end() {
		return nil
	}
	for _, frame := range frames {
		f.written += int64(len(frame))
	}
	if dropped := f.log.skip(len(frames)); dropped > 0 {
		f.hub.size.Add(-dropped)
	}
	s.next, s.taken = f.log.end(), f.written
	return s
}

// appendLocked returns the size of all logs.
func (f *Flight[H, O]) appendLocked(frame []byte) int64 {
	n := int64(len(frame))
	grown := f.log.append(frame, f.neededLocked)
	f.written += n
	f.largest = max(f.largest, n)
	if f.open && f.log.size > f.hub.config.Replay {
		f.decideLocked(false)
	}
	if !f.open && !f.undecided && f.log.size > f.hub.config.Pace {
		grown -= f.trimLocked()
		f.cutLocked()
	}
	return f.hub.size.Add(grown)
}

// trimLocked drops what nobody has to read any more, if that is worth the copy.
func (f *Flight[H, O]) trimLocked() int64 {
	keep := f.neededLocked()
	if 2*(keep-f.log.first) < len(f.log.frames) {
		return 0
	}
	return f.log.trim(keep)
}

// neededLocked is the number of the first frame that somebody may still read.
func (f *Flight[H, O]) neededLocked() int {
	if f.open || f.undecided {
		return 0
	}
	first := f.log.end()
	for _, s := range f.readers {
		first = min(first, s.next)
	}
	return first
}

// lagLocked is how far a reader may be behind.
func (f *Flight[H, O]) lagLocked() int64 { return max(f.hub.config.Lag, 4*f.largest) }

// cutLocked cuts off the readers that are too far behind. The fastest is never
// one of them: the writer waits for it long before.
func (f *Flight[H, O]) cutLocked() {
	bound := f.lagLocked()
	for i := len(f.readers) - 1; i >= 0; i-- {
		if s := f.readers[i]; f.written-s.taken > bound {
			s.cutOffLocked()
		}
	}
}

// crowdedLocked reports whether a frame of n bytes has to wait for a reader.
func (f *Flight[H, O]) crowdedLocked(n int64) bool {
	if len(f.readers) == 0 {
		return !f.finish // for somebody to come back, or for the context's end
	}
	if f.open || f.undecided || f.log.size+n <= f.hub.config.Pace {
		return false
	}
	var fastest int64
	for _, s := range f.readers {
		fastest = max(fastest, s.taken)
	}
	bound := f.hub.config.Pace
	if len(f.readers) > 1 {
		bound = max(bound, f.lagLocked()/2)
	}
	behind := f.written - fastest
	return behind > 0 && behind+n > bound
}

// waitForRoom waits, with f.mu released meanwhile, until the frame has room. If
// nobody takes anything for too long, every reader is cut off.
func (f *Flight[H, O]) waitForRoom(n int64) error {
	patience := time.NewTimer(f.hub.config.Patience)
	defer patience.Stop()
	for f.crowdedLocked(n) {
		f.blocked = true
		parked := f.unparkLocked()
		f.mu.Unlock()
		kick(parked)
		select {
		case <-f.room:
			f.mu.Lock()
			patience.Reset(f.hub.config.Patience)
		case <-f.ctx.Done():
			f.mu.Lock()
			return context.Cause(f.ctx)
		case <-patience.C:
			f.mu.Lock()
			for len(f.readers) > 0 {
				f.readers[0].cutOffLocked()
			}
		}
	}
	return nil
}

// roomLocked tells the writer, if it waits, that a reader took something.
func (f *Flight[H, O]) roomLocked() {
	if !f.blocked {
		return
	}
	f.blocked = false
	select {
	case f.room <- struct{}{}:
	default:
	}
}

// window returns the size of the log if the window is open, else 0.
func (f *Flight[H, O]) window() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.open || f.over {
		return 0
	}
	return f.log.size
}

func (f *Flight[H, O]) closeWindow() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.decideLocked(false)
	if !f.ended {
		f.hub.size.Add(-f.trimLocked())
	}
}
