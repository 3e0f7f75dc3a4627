package hub

// State of a subscription.
type State uint8

const (
	// Open: there may be more.
	Open State = iota + 1
	// Ended: the flight has its outcome, and every frame was taken.
	Ended
	// Cut: this reader was too slow; there is nothing more for it.
	Cut
)

func (s State) String() string {
	switch s {
	case Open:
		return "open"
	case Ended:
		return "ended"
	case Cut:
		return "cut"
	}
	return "invalid"
}

// Subscription is a reader's place in a flight. Leave must be called.
type Subscription[H, O any] struct {
	flight *Flight[H, O]
	lead   bool
	wake   chan struct{} // capacity 1

	// Guarded by flight.mu.
	sink   func(frames [][]byte) error // of Direct
	next   int                         // number of the next frame to take
	taken  int64                       // bytes taken
	place  int                         // in flight.readers
	parked bool                        // listed in flight.parked
	cut    bool
	gone   bool // no longer in flight.readers
	onCut  func()
}

// Lead reports whether this subscription's arrival began the flight.
func (s *Subscription[H, O]) Lead() bool { return s.lead }

// Value is the Value of the arrival that began the flight.
func (s *Subscription[H, O]) Value() any { return s.flight.value }

// Head returns the head, once it is set.
func (s *Subscription[H, O]) Head() (H, bool) {
	s.flight.mu.Lock()
	defer s.flight.mu.Unlock()
	return s.flight.head, s.flight.headed
}

// Take returns the frames that have come since the last call; they must not be
// changed. It never waits: where it returns none and Open, Wake has something
// when there is news of any kind. Ended and Cut may come with the last frames.
func (s *Subscription[H, O]) Take() ([][]byte, State) {
	f := s.flight
	f.mu.Lock()
	defer f.mu.Unlock()
	if s.cut || s.gone {
		return nil, Cut
	}
	state := Open
	if f.ended {
		state = Ended
	}
	if s.next == f.log.end() {
		if state == Open && !s.parked {
			s.parked = true
			f.parked = append(f.parked, s)
		}
		return nil, state
	}
	frames, size := f.log.from(s.next)
	s.next += len(frames)
	s.taken += size
	f.roomLocked()
	return frames, state
}

// Wake has an element after Take found nothing and something has happened
// since: a head, frames, the outcome, a cut, or Kick. There may be one without
// any news.
func (s *Subscription[H, O]) Wake() <-chan struct{} { return s.wake }

// Kick puts an element into Wake.
func (s *Subscription[H, O]) Kick() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Outcome is the flight's; it is set once Take has returned Ended.
func (s *Subscription[H, O]) Outcome() O {
	s.flight.mu.Lock()
	defer s.flight.mu.Unlock()
	return s.flight.outcome
}

// Direct lets the flight's writer hand frames to sink in its own goroutine,
// while this reader waits in Wake, is the only one, and nobody else can come:
// the writer then waits for it, as it has nobody else to serve. Take does not
// return those frames, and sink must not keep them. If it returns an error, the
// place is given up. Call Direct before the first Take.
func (s *Subscription[H, O]) Direct(sink func(frames [][]byte) error) {
	s.flight.mu.Lock()
	defer s.flight.mu.Unlock()
	s.sink = sink
}

// OnCut makes f be called, in a goroutine of its own, if the reader is cut off:
// it may be blocked in a write at that time. Once only.
func (s *Subscription[H, O]) OnCut(f func()) {
	s.flight.mu.Lock()
	defer s.flight.mu.Unlock()
	s.onCut = f
	if s.cut {
		go f()
	}
}

// Leave gives the place up. It is idempotent.
func (s *Subscription[H, O]) Leave() {
	s.flight.mu.Lock()
	defer s.flight.mu.Unlock()
	if !s.gone {
		s.gone = true
		s.flight.dropLocked(s)
	}
}

// cutOffLocked ends the subscription because it is too slow.
func (s *Subscription[H, O]) cutOffLocked() {
	s.cut, s.gone = true, true
	s.flight.dropLocked(s)
	s.Kick()
	if s.onCut != nil {
		go s.onCut()
	}
}

// unparkLocked takes the parked readers; kick them when the lock is released.
// Only the writer calls it, so the list it returned before is free again.
func (f *Flight[H, O]) unparkLocked() []*Subscription[H, O] {
	parked := f.parked
	f.parked, f.spare = f.spare[:0], parked
	for _, s := range parked {
		s.parked = false
	}
	return parked
}

func kick[H, O any](parked []*Subscription[H, O]) {
	for i, s := range parked {
		s.Kick()
		parked[i] = nil
	}
}
