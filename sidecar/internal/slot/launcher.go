package slot

import (
	"context"
	"errors"
	"time"
)

// ErrLoading is what Probe returns (wrapped) when the engine says that it is
// loading: a sign of life, but not ready.
var ErrLoading = errors.New("engine is loading")

// Launcher starts engine processes.
type Launcher interface {
	// Launch starts one process; ctx aborts the start only. It should not wait
	// for the engine to be ready. After an error no process exists.
	Launch(ctx context.Context, incarnation uint64) (Process, error)
}

// Fetcher may be implemented by a Launcher whose model has to be fetched
// before memory is asked for. It returns at once if everything is there.
type Fetcher interface {
	Fetch(ctx context.Context, progress func(Progress)) error
}

// Stamper may be implemented by a Launcher: the stamp changes when what a
// launch depends on has changed (the files' sizes and times), so that a
// failure which stays is tried again.
type Stamper interface {
	Stamp(ctx context.Context) string
}

// Progress of a fetch.
type Progress struct {
	Start int64 `json:"start_bytes"` // were there before this fetch
	Done  int64 `json:"done_bytes"`
	Total int64 `json:"total_bytes"` // 0 = unknown
}

// Process is a running engine.
type Process interface {
	PID() int
	Endpoint() Endpoint
	Listening() <-chan struct{}      // closed at the engine's own "listening" line
	Probe(ctx context.Context) error // nil = ready; ErrLoading = alive, not ready
	Life() time.Time                 // last log line or other sign of life
	Terminate() error                // TERM to the whole group
	Kill() error                     // KILL to the whole group
	Done() <-chan struct{}           // closed when the process is gone
	Exit() Exit                      // after Done
}

// Warmer may be implemented by a Process: one token, so that the first client
// does not pay for what the engine does lazily.
type Warmer interface {
	Warm(ctx context.Context) error
}

// Endpoint is where an engine is reached.
type Endpoint struct {
	URL string // base URL, http://127.0.0.1:PORT
	Key string // its per-launch API key
}

// Memory is the right to occupy devices. The slot that was given one gives it
// back exactly once, whichever way its process ends.
type Memory interface {
	// Settle returns when the devices show the memory of the ended process
	// as free, or will not say. pid is 0 if there was no process.
	Settle(ctx context.Context, pid int)
	// Quarantine marks the memory as held by a process that nobody can end.
	Quarantine()
	// Release gives it back.
	Release()
}

// Start is what a slot needs to launch.
type Start struct {
	Memory   Memory
	Launcher Launcher      // placed on what Memory covers
	Budget   time.Duration // to become ready, from the launch on
	ETA      time.Duration // expected time to become ready, 0 = unknown
}
