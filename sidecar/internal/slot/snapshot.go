package slot

import "time"

// Snapshot is a copy of a slot for display and for decisions of the pool.
type Snapshot struct {
	ID          string    `json:"id"`
	State       State     `json:"state"`
	Phase       string    `json:"phase,omitempty"`
	Since       time.Time `json:"since"` // in this state
	Incarnation uint64    `json:"incarnation,omitempty"`
	PID         int       `json:"pid,omitempty"`
	Leases      int       `json:"leases"`
	Parallel    int       `json:"parallel"`
	Waiting     int       `json:"waiting"` // filled in by the pool
	UpSince     time.Time `json:"up_since,omitzero"`
	LastUsed    time.Time `json:"last_used,omitzero"` // when the last lease ended
	UnloadAt    time.Time `json:"unload_at,omitzero"` // if nobody comes
	Why         Why       `json:"why,omitempty"`      // it goes, or went
	Boot        *Boot     `json:"boot,omitempty"`
	Pull        *Progress `json:"pull,omitempty"`
	Trouble     *Trouble  `json:"error,omitempty"`
	Failures    int       `json:"failures,omitempty"` // in a row
	RetryAt     time.Time `json:"retry_at,omitzero"`
	Looping     bool      `json:"looping,omitempty"` // the breaker is open
	Memory      []Share   `json:"memory,omitempty"`  // filled in by the pool
	Removed     bool      `json:"removed,omitempty"` // set by the pool in the last one of a slot
}

// Share is memory reserved on one device, for display.
type Share struct {
	Device string `json:"device"`
	Bytes  int64  `json:"bytes"`
}

// Boot is how far a boot is.
type Boot struct {
	Began    time.Time     `json:"began"`
	ETA      time.Duration `json:"eta_ns,omitempty"`    // expected in all, 0 = unknown
	Budget   time.Duration `json:"budget_ns,omitempty"` // allowed in all
	Deadline time.Time     `json:"deadline"`
}

// Trouble is the last failure, for clients.
type Trouble struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Exit    Exit   `json:"exit"`
}

// Left is the expected rest of the boot; ok is false if nobody knows.
func (b *Boot) Left(now time.Time) (left time.Duration, ok bool) {
	if b == nil || b.ETA <= 0 {
		return 0, false
	}
	return max(b.ETA-now.Sub(b.Began), 0), true
}

// Report is what a slot tells its owner after each message that changed
// something.
type Report struct {
	Snapshot
	From   State   // before the message
	Ending *Ending // every waiter has to hear it
	Grant  *Grant  // answers Slot.Grant
	Booted *Booted // it came up for the first time in this incarnation
	Failed *Exit   // a failure was counted
	Reset  bool    // it was told to forget its failures, and has
	Proved bool    // a request got its first frame
	Retry  bool    // the lease of a retry is over

	Held time.Duration // of the lease that ended; 0 = none did
}

// Grant answers one call of Slot.Grant.
type Grant struct {
	Token any
	Taken bool // the lease found its owner
	Again bool // the slot grants none now; ask again when it is up
}

// Booted measures one boot.
type Booted struct {
	Took      time.Duration // from the launch to ready
	PID       int
	Suspended bool // the machine slept meanwhile: learn nothing
}
