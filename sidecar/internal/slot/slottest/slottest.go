// Package slottest has an engine for tests: a slot.Launcher whose processes
// exist only in memory, with the semantics of real ones. It needs no time of
// its own and so runs under testing/synctest.
package slottest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hal0-dev/hal0/sidecar/internal/slot"
)

// Behaviour of the engines that a Launcher starts from now on.
type Behaviour struct {
	Boot        time.Duration // until its probe answers
	Silent      bool          // says nothing while it boots: no log, connections refused
	Unspoken    bool          // never says that it listens
	LaunchErr   error         // there is no process
	LaunchTime  time.Duration // that Launch takes
	CrashAfter  time.Duration // 0 = never
	Crash       slot.Exit
	TermTime    time.Duration // between TERM and its end
	IgnoreTerm  bool
	IgnoreKill  bool
	LoadingFor  time.Duration // after its first answer it says once more that it loads
	WarmTime    time.Duration
	HangOnProbe bool // probes wait for their context
}

// Launcher starts engines.
type Launcher struct {
	mu        sync.Mutex // guards all below
	behaviour Behaviour
	launched  []*Process
	refused   int
	alive     int
	most      int // processes alive at once
	stamp     string
}

// New makes a launcher.
func New(b Behaviour) *Launcher { return &Launcher{behaviour: b} }

// Set changes the behaviour of what is launched from now on.
func (l *Launcher) Set(b Behaviour) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.behaviour = b
}

// SetStamp changes what a launch depends on.
func (l *Launcher) SetStamp(s string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stamp = s
}

// Stamp implements slot.Stamper.
func (l *Launcher) Stamp(context.Context) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return "stamp" + l.stamp
}

// Launches is how often Launch was called.
func (l *Launcher) Launches() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.launched) + l.refused
}

// Last is the newest process.
func (l *Launcher) Last() *Process {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.launched) == 0 {
		return nil
	}
	return l.launched[len(l.launched)-1]
}

// Alive is how many processes are alive, and how many were at most.
func (l *Launcher) Alive() (now, most int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.alive, l.most
}

// Launch implements slot.Launcher.
func (l *Launcher) Launch(ctx context.Context, incarnation uint64) (slot.Process, error) {
	l.mu.Lock()
	b := l.behaviour
	l.mu.Unlock()
	if b.LaunchTime > 0 {
		select {
		case <-time.After(b.LaunchTime):
		case <-ctx.Done():
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	b = l.behaviour // what was set meanwhile counts
	err := b.LaunchErr
	if err == nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		l.refused++
		return nil, fmt.Errorf("launch engine: %w", err)
	}
	p := &Process{
		launcher: l, behaviour: b, pid: 1000 + len(l.launched), born: time.Now(),
		listening: make(chan struct{}), done: make(chan struct{}), stopped: b.HangOnProbe,
	}
	l.launched = append(l.launched, p)
	l.alive++
	l.most = max(l.most, l.alive)
	if !b.Unspoken {
		p.after(b.Boot, func() { close(p.listening) })
	}
	if b.CrashAfter > 0 {
		p.after(b.CrashAfter, func() { p.exit(b.Crash) })
	}
	return p, nil
}

// Process is an engine in memory.
type Process struct {
	launcher  *Launcher
	behaviour Behaviour
	pid       int
	born      time.Time
	listening chan struct{}
	done      chan struct{}

	mu       sync.Mutex // guards all below
	answered time.Time  // its first answer to a probe
	stopped  bool       // hangs
	ended    bool
	result   slot.Exit
	timers   []*time.Timer
	probes   int
	signals  []string
}

func (p *Process) after(d time.Duration, f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.timers = append(p.timers, time.AfterFunc(d, f))
}

// PID implements slot.Process.
func (p *Process) PID() int { return p.pid }

// Endpoint implements slot.Process.
func (p *Process) Endpoint() slot.Endpoint {
	return slot.Endpoint{URL: fmt.Sprintf("http://127.0.0.1:%d", p.pid), Key: fmt.Sprintf("key-%d", p.pid)}
}

// Listening implements slot.Process.
func (p *Process) Listening() <-chan struct{} { return p.listening }

var errRefused = errors.New("connection refused")

// Probe implements slot.Process.
func (p *Process) Probe(ctx context.Context) error {
	p.mu.Lock()
	p.probes++
	stopped, ended, age := p.stopped, p.ended, time.Since(p.born)
	if !stopped && !ended && age >= p.behaviour.Boot && p.answered.IsZero() {
		p.answered = time.Now()
		p.mu.Unlock()
		return nil
	}
	since := time.Since(p.answered)
	p.mu.Unlock()
	switch {
	case ended:
		return errRefused
	case stopped:
		<-ctx.Done()
		return ctx.Err()
	case age < p.behaviour.Boot && p.behaviour.Silent:
		return errRefused
	case age < p.behaviour.Boot, since < p.behaviour.LoadingFor:
		return fmt.Errorf("probe: %w", slot.ErrLoading)
	}
	return nil
}

// Busy reports what a request to the engine would be answered now: true means
// 503 Loading model.
func (p *Process) Busy() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return time.Since(p.answered) < p.behaviour.LoadingFor
}

// Warm implements slot.Warmer.
func (p *Process) Warm(ctx context.Context) error {
	select {
	case <-time.After(p.behaviour.WarmTime):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Life implements slot.Process.
func (p *Process) Life() time.Time { return p.born }

// Terminate implements slot.Process.
func (p *Process) Terminate() error {
	p.signal("TERM")
	if p.behaviour.IgnoreTerm || p.isStopped() {
		return nil
	}
	p.after(p.behaviour.TermTime, func() { p.exit(slot.Exit{}) })
	return nil
}

// Kill implements slot.Process.
func (p *Process) Kill() error {
	p.signal("KILL")
	if !p.behaviour.IgnoreKill {
		go p.exit(slot.Exit{Code: -1, Signal: "killed"})
	}
	return nil
}

// Crash ends the process.
func (p *Process) Crash(e slot.Exit) { p.exit(e) }

// Stop makes the process hang, as SIGSTOP does.
func (p *Process) Stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stopped = true
}

func (p *Process) isStopped() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stopped
}

// Probes is how often the process was probed.
func (p *Process) Probes() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.probes
}

// Signals lists what was sent to the process.
func (p *Process) Signals() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.signals...)
}

func (p *Process) signal(s string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.signals = append(p.signals, s)
}

func (p *Process) exit(e slot.Exit) {
	p.mu.Lock()
	if p.ended {
		p.mu.Unlock()
		return
	}
	p.ended, p.result = true, e
	for _, t := range p.timers {
		t.Stop()
	}
	p.mu.Unlock()
	p.launcher.mu.Lock()
	p.launcher.alive--
	p.launcher.mu.Unlock()
	close(p.done)
}

// Done implements slot.Process.
func (p *Process) Done() <-chan struct{} { return p.done }

// Exit implements slot.Process.
func (p *Process) Exit() slot.Exit {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.result
}
