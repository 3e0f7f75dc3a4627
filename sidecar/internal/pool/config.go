package pool

import (
	"context"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/hal0-dev/hal0/plugin/wire"
	"github.com/hal0-dev/hal0/sidecar/internal/device"
	"github.com/hal0-dev/hal0/sidecar/internal/slot"
)

// Spec declares one slot.
type Spec struct {
	Model       wire.Model
	Launcher    slot.Launcher // may be a Placer, slot.Fetcher, slot.Stamper
	Fingerprint string        // a slot whose fingerprint changes is restarted; "" = the model's

	Boot  time.Duration // budget; 0 = the model's, else learned
	Stall time.Duration // 0 = the slot's default; so the next two
	Drain time.Duration
	Grace time.Duration
}

// Placer is a Launcher that can be bound to the devices it was given.
type Placer interface {
	On(device.Placement) slot.Launcher
}

// Devices is where the pool gets its readings.
type Devices interface {
	// Refresh reads the devices and calls done once, from any goroutine, with
	// the newest reading. It calls done within seconds, also while a tool
	// hangs, and at once after its own end.
	Refresh(done func(device.Reading))
	// Host is Refresh for the host's memory; of the rest it tells what was known.
	Host(done func(device.Reading))
	// Until reads the devices again and again until what holds of a reading,
	// and reports whether it came to hold before ctx's end.
	Until(ctx context.Context, what func(device.Reading) bool) bool
}

// Store keeps what was learned, by fingerprint. Its methods are called one at
// a time, from a goroutine that may block.
type Store interface {
	Load() (map[string]Learned, error)
	Save(map[string]Learned) error
}

// Config of a pool. Durations and numbers of 0 mean the default in brackets.
type Config struct {
	Devices  Devices                                          // nil = nothing is known of memory, all is admitted
	Capacity func(device.Device) int64                        // of what may be reserved; nil = all
	Reserve  int64                                            // bytes to be left free on each device
	Store    Store                                            // nil = learn for this run only
	Estimate func(context.Context, wire.Model) (int64, error) // of the need in bytes; nil = unknown
	Resident func(pid int) (int64, error)                     // of host memory by a process and its children; nil = unknown

	// Gate waits until no other sidecar loads on the devices, and returns what
	// ends the turn; nil = there are no others.
	Gate func(ctx context.Context, on []device.ID) (leave func(), err error)

	// Slept is how long the machine was suspended since some moment in the
	// past; nil = it never is.
	Slept func() time.Duration

	Queue      int           // waiting flights per slot [256]
	Hold       time.Duration // what a request is held for beyond a boot: a pause, a fetch [60 s]
	Starvation time.Duration // [2 min]
	Patience   time.Duration // for memory that others hold [10 s]
	Abandon    time.Duration // a load that nobody waits for any more [10 min]
	Drain      time.Duration // [30 s]
	Grace      time.Duration // [5 s]
	Backoff    slot.Backoff

	Observer Observer // nil = nobody listens

	Log     hclog.Logger
	Jitter  func() float64 // in [0, 1)
	Illegal func(error)    // called on what cannot happen, beside the log; for tests
}

func (c Config) withDefaults() Config {
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{
		{&c.Hold, time.Minute}, {&c.Starvation, 2 * time.Minute}, {&c.Patience, 10 * time.Second},
		{&c.Abandon, 10 * time.Minute}, {&c.Drain, 30 * time.Second}, {&c.Grace, 5 * time.Second},
	} {
		if *d.field <= 0 {
			*d.field = d.value
		}
	}
	if c.Queue <= 0 {
		c.Queue = 256
	}
	if c.Capacity == nil {
		c.Capacity = func(d device.Device) int64 { return d.Total }
	}
	if c.Log == nil {
		c.Log = hclog.NewNullLogger()
	}
	if c.Observer == nil {
		c.Observer = unobserved{}
	}
	if c.Illegal == nil {
		c.Illegal = func(error) {}
	}
	return c
}

func (s Spec) fingerprint() string {
	if s.Fingerprint != "" {
		return s.Fingerprint
	}
	return s.Model.Fingerprint()
}

func (s Spec) parallel() int { return int(max(s.Model.Parallel, 1)) }
