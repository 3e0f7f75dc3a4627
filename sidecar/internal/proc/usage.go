package proc

import (
	"errors"
	"sync"
	"time"
)

// Usage is what a process and its group take, in bytes and time.
type Usage struct {
	RSS       int64 // resident now
	PeakRSS   int64 // the sum of each one's most
	ReadBytes int64 // read from disks
	CPU       time.Duration
}

// errNoUsage says that this system does not tell.
var errNoUsage = errors.New("usage is not known on this system")

// sampleEvery is the least time between two looks at the usage.
const sampleEvery = time.Second

// pulse remembers when usage was seen to grow.
type pulse struct {
	mu      sync.Mutex // guards what follows, and lets one look at a time
	looked  time.Time
	seen    Usage
	growing time.Time // when it was seen to have grown
}

// growth is how much more memory counts as a sign of life: less is noise.
const growth = 1 << 20

// look takes a sample, if the last one is old enough, and returns when growth
// was seen last.
func (p *pulse) look(now time.Time, sample func() (Usage, error)) time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now.Sub(p.looked) < sampleEvery {
		return p.growing
	}
	p.looked = now
	u, err := sample()
	if err != nil {
		return p.growing
	}
	if u.RSS-p.seen.RSS >= growth || u.ReadBytes > p.seen.ReadBytes {
		p.growing = now
		p.seen = u
	}
	if u.RSS < p.seen.RSS { // it gave memory back: growth counts from here
		p.seen.RSS = u.RSS
	}
	return p.growing
}

// GroupUsage adds up the group of a leader that this process started.
func GroupUsage(leader int) (Usage, error) { return groupUsage(leader) }

// Usage adds up the process's group.
func (p *Process) Usage() (Usage, error) {
	select {
	case <-p.done:
		return Usage{}, errNoUsage
	default:
		return groupUsage(p.PID())
	}
}

// Life is the last sign of life: output, memory that grows, or something read
// from a disk. It looks itself, at most once a second.
func (p *Process) Life() time.Time {
	spoke := p.output.lastTime()
	if grew := p.pulse.look(time.Now(), p.Usage); grew.After(spoke) {
		return grew
	}
	return spoke
}
