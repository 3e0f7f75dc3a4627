package slot_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/hal0-dev/hal0/plugin/wire"
	"github.com/hal0-dev/hal0/sidecar/internal/slot"
	"github.com/hal0-dev/hal0/sidecar/internal/slot/slottest"
)

// memory is a slot.Memory that records what happens to it.
type memory struct {
	mu          sync.Mutex // guards all below
	settle      time.Duration
	settledPID  int
	released    int
	quarantined bool
}

func (m *memory) Settle(ctx context.Context, pid int) {
	m.mu.Lock()
	m.settledPID = pid
	m.mu.Unlock()
	select {
	case <-time.After(m.settle):
	case <-ctx.Done():
	}
}

func (m *memory) Quarantine() { m.mu.Lock(); defer m.mu.Unlock(); m.quarantined = true }
func (m *memory) Release()    { m.mu.Lock(); defer m.mu.Unlock(); m.released++ }

func (m *memory) wantReleased(t *testing.T, want int) {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.released != want {
		t.Errorf("memory was released %d times, want %d", m.released, want)
	}
}

// rig owns one slot under test, as the pool would.
type rig struct {
	*slot.Slot
	t        *testing.T
	launcher *slottest.Launcher
	memory   *memory
	start    slot.Start
	born     time.Time

	mu      sync.Mutex // guards all below
	reports []slot.Report
	illegal []error
	changed chan struct{} // closed and replaced at each report
}

func newRig(t *testing.T, b slottest.Behaviour, change ...func(*slot.Config)) *rig {
	t.Helper()
	r := &rig{t: t, launcher: slottest.New(b), memory: &memory{}, born: time.Now(), changed: make(chan struct{})}
	c := slot.Config{ID: "a", Launcher: r.launcher, Report: r.report, Illegal: r.bad,
		Log: hclog.New(&hclog.LoggerOptions{Output: writer{t}})}
	for _, f := range change {
		f(&c)
	}
	r.start = slot.Start{Memory: r.memory, Launcher: c.Launcher, Budget: time.Minute}
	r.Slot = slot.New(c)
	t.Cleanup(func() {
		r.Close()
		<-r.Done()
		for _, err := range r.illegal {
			t.Error(err)
		}
	})
	return r
}

type writer struct{ t *testing.T }

func (w writer) Write(b []byte) (int, error) { w.t.Logf("%s", b); return len(b), nil }

func (r *rig) bad(err error) { r.mu.Lock(); defer r.mu.Unlock(); r.illegal = append(r.illegal, err) }

func (r *rig) report(p slot.Report) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.reports = append(r.reports, p)
	close(r.changed)
	r.changed = make(chan struct{})
}

// until waits for a report.
func (r *rig) until(what func(slot.Report) bool) slot.Report {
	r.t.Helper()
	for i := 0; ; {
		r.mu.Lock()
		reports, changed := r.reports, r.changed
		r.mu.Unlock()
		for ; i < len(reports); i++ {
			if what(reports[i]) {
				r.mu.Lock()
				r.reports = r.reports[i+1:]
				r.mu.Unlock()
				return reports[i]
			}
		}
		select {
		case <-changed:
		case <-time.After(time.Hour):
			r.t.Fatal("no such report within an hour")
		}
	}
}

func (r *rig) untilState(s slot.State) slot.Report {
	r.t.Helper()
	return r.until(func(p slot.Report) bool { return p.State == s })
}

// up brings the slot up.
func (r *rig) up() {
	r.t.Helper()
	r.boot()
	r.untilState(slot.Ready)
}

// boot asks the slot to come up and gives it memory.
func (r *rig) boot() {
	r.t.Helper()
	r.Want()
	asked := r.untilState(slot.StartingMemory)
	r.Start(asked.Incarnation, r.start)
}

// lease takes one; nil if the slot grants none.
func (r *rig) lease() *slot.Lease { return r.leaseOf(false) }

func (r *rig) leaseOf(retry bool) *slot.Lease {
	r.t.Helper()
	var l *slot.Lease
	r.Grant("token", retry, func(granted *slot.Lease) bool { l = granted; return true })
	r.until(func(p slot.Report) bool { return p.Grant != nil })
	return l
}

func (r *rig) wantAt(want time.Duration) {
	r.t.Helper()
	if got := time.Since(r.born); got != want {
		r.t.Errorf("now is %s, want %s", got, want)
	}
}

// bubble runs a test under fake time.
func bubble(name string, t *testing.T, f func(*testing.T)) {
	t.Helper()
	t.Run(name, func(t *testing.T) { synctest.Test(t, f) })
}

func TestBoot(t *testing.T) {
	bubble("listening line", t, func(t *testing.T) {
		r := newRig(t, slottest.Behaviour{Boot: 40*time.Second + 3*time.Millisecond})
		r.up()
		r.wantAt(40*time.Second + 3*time.Millisecond)
	})
	bubble("probes alone", t, func(t *testing.T) {
		r := newRig(t, slottest.Behaviour{Boot: 35 * time.Millisecond, Unspoken: true, Silent: true})
		r.up()
		r.wantAt(40 * time.Millisecond) // 10, 20, 40
		if got := r.launcher.Last().Probes(); got != 3 {
			t.Errorf("%d probes, want 3", got)
		}
	})
	bubble("warm-up", t, func(t *testing.T) {
		r := newRig(t, slottest.Behaviour{Boot: time.Second, WarmTime: 2 * time.Second})
		r.boot()
		r.untilState(slot.Warming)
		p := r.untilState(slot.Ready)
		r.wantAt(3 * time.Second)
		if p.Booted == nil || p.Booted.Took != 3*time.Second {
			t.Errorf("booted is %+v, want 3 s", p.Booted)
		}
	})
}

func TestBootFails(t *testing.T) {
	for _, c := range []struct {
		name      string
		behaviour slottest.Behaviour
		at        time.Duration
		code      string
		class     slot.Class
	}{
		{"budget", slottest.Behaviour{Boot: time.Hour}, time.Minute, wire.CodeBootTimeout, slot.ClassTimeout},
		{"stall", slottest.Behaviour{Boot: time.Hour, Silent: true}, 30 * time.Second, wire.CodeBootTimeout, slot.ClassStall},
		{"launch error", slottest.Behaviour{LaunchErr: errors.New("no such file")}, 0, wire.CodeLoadFailed, slot.ClassCrash},
		{"launch error with class", slottest.Behaviour{LaunchErr: &slot.LaunchError{Class: slot.ClassStateUnwritable, Err: errors.New("x")}}, 0, wire.CodeLoadFailed, slot.ClassStateUnwritable},
		{"crash", slottest.Behaviour{Boot: time.Hour, CrashAfter: 3 * time.Second, Crash: slot.Exit{Code: 1, Class: slot.ClassOOM}}, 3 * time.Second, wire.CodeNoMemory, slot.ClassOOM},
		{"crash without class", slottest.Behaviour{Boot: time.Hour, CrashAfter: 3 * time.Second}, 3 * time.Second, wire.CodeLoadFailed, slot.ClassCrash},
		{"hangs on probes", slottest.Behaviour{HangOnProbe: true}, 30 * time.Second, wire.CodeBootTimeout, slot.ClassStall},
	} {
		bubble(c.name, t, func(t *testing.T) {
			r := newRig(t, c.behaviour, func(c *slot.Config) { c.Stall = 30 * time.Second })
			r.boot()
			p := r.until(func(p slot.Report) bool { return p.Ending != nil })
			if got := time.Since(r.born); got < c.at || got > c.at+3*time.Second {
				t.Errorf("told at %s, want %s", got, c.at)
			}
			if p.Ending.Code != c.code || p.Ending.Exit.Class != c.class {
				t.Errorf("ending is %+v, want code %s, class %s", p.Ending, c.code, c.class)
			}
			if p.Failed == nil || p.Failures != 1 {
				t.Errorf("failure is %+v, %d in a row, want one", p.Failed, p.Failures)
			}
			r.untilState(slot.Offline) // after the pause
			r.memory.wantReleased(t, 1)
			if now, _ := r.launcher.Alive(); now != 0 {
				t.Errorf("%d processes are alive", now)
			}
		})
	}
}

func TestBackoffDoubles(t *testing.T) {
	bubble("", t, func(t *testing.T) {
		r := newRig(t, slottest.Behaviour{LaunchErr: errors.New("no")})
		var pauses []time.Duration
		for range 11 {
			r.boot()
			failed := r.untilState(slot.ErrorBackoff)
			r.untilState(slot.Offline)
			pauses = append(pauses, time.Since(failed.Since))
			if looping := failed.Failures >= 5; failed.Looping != looping {
				t.Errorf("after %d failures the breaker is open: %t", failed.Failures, failed.Looping)
			}
		}
		s := time.Second
		want := []time.Duration{s, 2 * s, 4 * s, 8 * s, 16 * s, 32 * s, 64 * s, 128 * s, 256 * s, 300 * s, 300 * s}
		if !slices.Equal(pauses, want) {
			t.Errorf("pauses are %v, want %v", pauses, want)
		}
		r.launcher.Set(slottest.Behaviour{})
		r.up()
		l := r.lease()
		l.Proved()
		if p := r.until(func(slot.Report) bool { return true }); p.Failures != 0 {
			t.Errorf("%d failures are counted after a frame, want 0", p.Failures)
		}
		l.Release()
	})
}

func TestUnload(t *testing.T) {
	bubble("idle engine ends at TERM", t, func(t *testing.T) {
		r := newRig(t, slottest.Behaviour{TermTime: time.Second})
		r.up()
		began := time.Now()
		r.Unload(slot.WhyHand)
		r.untilState(slot.Offline)
		if got := time.Since(began); got != time.Second {
			t.Errorf("took %s, want 1 s", got)
		}
		r.memory.wantReleased(t, 1)
		if got := r.launcher.Last().Signals(); !slices.Equal(got, []string{"TERM"}) {
			t.Errorf("signals are %v", got)
		}
		if r.memory.settledPID != r.launcher.Last().PID() {
			t.Errorf("settled for process %d, want %d", r.memory.settledPID, r.launcher.Last().PID())
		}
	})
	bubble("leases are drained", t, func(t *testing.T) {
		r := newRig(t, slottest.Behaviour{})
		r.up()
		l := r.lease()
		r.Unload(slot.WhyEvicted)
		r.untilState(slot.UnloadingDrain)
		if r.lease() != nil {
			t.Error("a lease was granted while draining")
		}
		time.Sleep(20 * time.Second)
		l.Release()
		r.untilState(slot.Offline)
		select {
		case <-l.Lost():
			t.Errorf("the lease was lost: %+v", l.Loss())
		default:
		}
	})
	bubble("drain is bounded", t, func(t *testing.T) {
		r := newRig(t, slottest.Behaviour{})
		r.up()
		l := r.lease()
		began := time.Now()
		r.Unload(slot.WhyHand)
		<-l.Lost()
		if got := time.Since(began); got != 30*time.Second {
			t.Errorf("lost after %s, want 30 s", got)
		}
		if loss := l.Loss(); loss.Why != slot.WhyHand || loss.Code() != wire.CodeUnloading {
			t.Errorf("loss is %+v", loss)
		}
		r.untilState(slot.Offline)
		l.Release()
		l.Release()
	})
	bubble("KILL after the grace", t, func(t *testing.T) {
		r := newRig(t, slottest.Behaviour{IgnoreTerm: true})
		r.up()
		began := time.Now()
		r.Unload(slot.WhyHand)
		r.untilState(slot.Offline)
		if got := time.Since(began); got != 5*time.Second {
			t.Errorf("took %s, want 5 s", got)
		}
		if got := r.launcher.Last().Signals(); !slices.Equal(got, []string{"TERM", "KILL"}) {
			t.Errorf("signals are %v", got)
		}
	})
	bubble("while it launches", t, func(t *testing.T) {
		r := newRig(t, slottest.Behaviour{LaunchTime: time.Minute})
		r.boot()
		r.untilState(slot.Starting)
		r.Unload(slot.WhyHand)
		r.untilState(slot.Offline)
		r.wantAt(0)
		r.memory.wantReleased(t, 1)
	})
	bubble("while it boots", t, func(t *testing.T) {
		r := newRig(t, slottest.Behaviour{Boot: time.Minute})
		r.boot()
		r.untilState(slot.Starting)
		time.Sleep(time.Second)
		r.Unload(slot.WhyHand)
		r.untilState(slot.Offline)
		r.memory.wantReleased(t, 1)
		if p := r.untilNothing(); p != nil {
			t.Errorf("an ending was told: %+v", p)
		}
	})
	bubble("waits for the devices", t, func(t *testing.T) {
		r := newRig(t, slottest.Behaviour{})
		r.memory.settle = 4 * time.Second
		r.up()
		began := time.Now()
		r.Unload(slot.WhyHand)
		r.untilState(slot.UnloadingRelease)
		r.memory.wantReleased(t, 0)
		r.untilState(slot.Offline)
		if got := time.Since(began); got != 4*time.Second {
			t.Errorf("took %s, want 4 s", got)
		}
	})
	bubble("hurry", t, func(t *testing.T) {
		r := newRig(t, slottest.Behaviour{IgnoreTerm: true})
		r.up()
		l := r.lease()
		began := time.Now()
		r.Unload(slot.WhyShutdown)
		r.untilState(slot.UnloadingDrain)
		r.Hurry()
		<-l.Lost()
		if got := l.Loss().Code(); got != wire.CodeShutdown {
			t.Errorf("code is %s", got)
		}
		r.Hurry()
		r.untilState(slot.Offline)
		if got := time.Since(began); got != 0 {
			t.Errorf("took %s, want no time", got)
		}
	})
}

// untilNothing returns an ending that was told and not looked at.
func (r *rig) untilNothing() *slot.Ending {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range r.reports {
		if p.Ending != nil {
			return p.Ending
		}
	}
	return nil
}

func TestStuck(t *testing.T) {
	bubble("", t, func(t *testing.T) {
		r := newRig(t, slottest.Behaviour{IgnoreTerm: true, IgnoreKill: true})
		r.up()
		began := time.Now()
		r.Unload(slot.WhyHand)
		p := r.untilState(slot.ErrorStuck)
		if got := time.Since(began); got != 15*time.Second {
			t.Errorf("took %s, want 15 s", got)
		}
		if p.Ending == nil || p.Ending.Exit.Class != slot.ClassUnkillable {
			t.Errorf("ending is %+v", p.Ending)
		}
		if !r.memory.quarantined {
			t.Error("its memory is not quarantined")
		}
		r.memory.wantReleased(t, 0)
		r.Want()
		time.Sleep(time.Hour)
		if got := r.launcher.Launches(); got != 1 {
			t.Errorf("%d launches beside a process that is alive", got)
		}
		r.launcher.Last().Crash(slot.Exit{Signal: "killed"}) // at last
		r.untilState(slot.Offline)
		r.memory.wantReleased(t, 1)
		r.up()
	})
	bubble("close gives up", t, func(t *testing.T) {
		r := newRig(t, slottest.Behaviour{IgnoreTerm: true, IgnoreKill: true})
		r.up()
		r.Close()
		<-r.Done()
		r.memory.wantReleased(t, 0)
		r.launcher.Last().Crash(slot.Exit{})
	})
}

func TestCrashWhileUp(t *testing.T) {
	bubble("leases are lost", t, func(t *testing.T) {
		r := newRig(t, slottest.Behaviour{}, func(c *slot.Config) { c.Parallel = 3 })
		r.up()
		leases := []*slot.Lease{r.lease(), r.lease(), r.lease()}
		if r.lease() != nil {
			t.Error("a fourth lease was granted")
		}
		r.launcher.Last().Crash(slot.Exit{Code: 134, Class: slot.ClassGPU})
		for _, l := range leases {
			<-l.Lost()
			if got := l.Loss(); got.Why != slot.WhyCrashed || got.Exit.Code != 134 || got.Code() != wire.CodeDeviceLost {
				t.Errorf("loss is %+v", got)
			}
		}
		p := r.untilState(slot.ErrorBackoff)
		if p.Leases != 0 || p.Ending != nil {
			t.Errorf("report has %d leases, ending %+v", p.Leases, p.Ending)
		}
	})
	bubble("while draining it counts as no failure", t, func(t *testing.T) {
		r := newRig(t, slottest.Behaviour{})
		r.up()
		l := r.lease()
		r.Unload(slot.WhyHand)
		r.untilState(slot.UnloadingDrain)
		r.launcher.Last().Crash(slot.Exit{Code: 1})
		<-l.Lost()
		if got := l.Loss().Code(); got != wire.CodeCrashed {
			t.Errorf("code is %s", got)
		}
		if p := r.untilState(slot.Offline); p.Failures != 0 {
			t.Errorf("%d failures are counted", p.Failures)
		}
	})
	bubble("a retry's crash counts once", t, func(t *testing.T) {
		r := newRig(t, slottest.Behaviour{})
		r.up()
		r.lease()
		r.launcher.Last().Crash(slot.Exit{Code: 1})
		r.untilState(slot.Offline)
		r.up()
		r.leaseOf(true)
		r.launcher.Last().Crash(slot.Exit{Code: 1})
		if p := r.untilState(slot.ErrorBackoff); p.Failures != 1 {
			t.Errorf("%d failures are counted, want 1", p.Failures)
		}
	})
}

func TestHealth(t *testing.T) {
	bubble("a stopped engine is found and ended", t, func(t *testing.T) {
		r := newRig(t, slottest.Behaviour{})
		r.up()
		l := r.lease()
		time.Sleep(time.Hour)
		began := time.Now()
		r.launcher.Last().Stop()
		<-l.Lost()
		if got := time.Since(began); got > 35*time.Second {
			t.Errorf("found after %s", got)
		}
		if got := l.Loss(); got.Why != slot.WhyHung || got.Code() != wire.CodeStalled {
			t.Errorf("loss is %+v", got)
		}
		r.untilState(slot.Offline)
		if got := r.launcher.Last().Signals(); !slices.Equal(got, []string{"TERM", "KILL"}) {
			t.Errorf("signals are %v", got)
		}
	})
	bubble("frames are life", t, func(t *testing.T) {
		r := newRig(t, slottest.Behaviour{})
		r.up()
		l := r.lease()
		r.launcher.Last().Stop()
		for range 300 {
			time.Sleep(time.Second)
			l.Proved()
		}
		select {
		case <-l.Lost():
			t.Errorf("the lease was lost: %+v", l.Loss())
		default:
		}
	})
	bubble("loading is waited out", t, func(t *testing.T) {
		r := newRig(t, slottest.Behaviour{LoadingFor: 25 * time.Second})
		r.up()
		r.untilState(slot.Warming)
		r.wantAt(10 * time.Second)
		if r.lease() != nil {
			t.Error("a lease was granted while it loads")
		}
		p := r.untilState(slot.Ready)
		if got := time.Since(r.born); got < 25*time.Second || got > 25*time.Second+260*time.Millisecond {
			t.Errorf("up again at %s", got)
		}
		if p.Booted != nil {
			t.Error("it learns from coming up again")
		}
	})
	bubble("it loads for ever", t, func(t *testing.T) {
		r := newRig(t, slottest.Behaviour{LoadingFor: time.Hour})
		r.up()
		p := r.until(func(p slot.Report) bool { return p.Ending != nil })
		r.wantAt(70 * time.Second)
		if p.Ending.Code != wire.CodeBootTimeout {
			t.Errorf("ending is %+v", p.Ending)
		}
	})
	bubble("a suspended machine", t, func(t *testing.T) {
		r := newRig(t, slottest.Behaviour{WarmTime: time.Second})
		r.up()
		l := r.lease()
		r.Doubt()
		r.untilState(slot.Warming)
		if r.lease() != nil {
			t.Error("a lease was granted before the slot proved itself")
		}
		if p := r.untilState(slot.Serving); p.Leases != 1 {
			t.Errorf("%d leases survived, want 1", p.Leases)
		}
		l.Release()
		r.untilState(slot.Idle)
	})
}

func TestFailureThatStays(t *testing.T) {
	bubble("recovers when its file changes", t, func(t *testing.T) {
		r := newRig(t, slottest.Behaviour{CrashAfter: time.Second, Boot: time.Hour, Crash: slot.Exit{Code: 1, Class: slot.ClassBadModel}})
		r.boot()
		p := r.untilState(slot.Error)
		if p.Trouble == nil || p.Trouble.Code != wire.CodeLoadFailed {
			t.Errorf("trouble is %+v", p.Trouble)
		}
		r.launcher.Set(slottest.Behaviour{})
		time.Sleep(30 * time.Second)
		r.launcher.SetStamp("another")
		if p = r.untilState(slot.Offline); p.Failures != 0 || p.Trouble != nil {
			t.Errorf("failures are not forgotten: %+v", p)
		}
		if got := time.Since(r.born); got > 34*time.Second {
			t.Errorf("noticed at %s", got)
		}
		r.up()
	})
	bubble("is tried again after the longest pause", t, func(t *testing.T) {
		r := newRig(t, slottest.Behaviour{LaunchErr: &slot.LaunchError{Class: slot.ClassBadArgument, Err: errors.New("x")}})
		r.boot()
		r.untilState(slot.Error)
		r.untilState(slot.Offline)
		r.wantAt(5 * time.Minute)
	})
	bubble("denied memory for good", t, func(t *testing.T) {
		r := newRig(t, slottest.Behaviour{})
		r.Want()
		p := r.untilState(slot.StartingMemory)
		r.Deny(p.Incarnation, slot.ClassTooLarge, "")
		if p = r.untilState(slot.Error); p.Ending == nil || p.Ending.Code != wire.CodeNoMemory {
			t.Errorf("ending is %+v", p.Ending)
		}
		r.Reset()
		r.untilState(slot.Offline)
	})
	bubble("denied memory for now", t, func(t *testing.T) {
		r := newRig(t, slottest.Behaviour{})
		r.Want()
		p := r.untilState(slot.StartingMemory)
		r.Deny(p.Incarnation, slot.ClassNoMemory, "others hold it")
		if p = r.untilState(slot.Offline); p.Ending == nil || p.Failures != 0 || p.Ending.Message != "others hold it" {
			t.Errorf("report is %+v", p)
		}
	})
}

func TestStaleMemoryIsGivenBack(t *testing.T) {
	bubble("", t, func(t *testing.T) {
		r := newRig(t, slottest.Behaviour{})
		r.Want()
		p := r.untilState(slot.StartingMemory)
		r.Unload(slot.WhyHand)
		r.untilState(slot.Offline)
		r.Start(p.Incarnation, r.start)
		r.Want()
		r.untilState(slot.StartingMemory)
		r.memory.wantReleased(t, 1)
		if got := r.launcher.Launches(); got != 0 {
			t.Errorf("%d launches, want none", got)
		}
		r.Close()
		<-r.Done()
		r.Start(p.Incarnation, r.start)
		r.memory.wantReleased(t, 2)
	})
}

// fetcher is a launcher whose files have to be fetched.
type fetcher struct {
	*slottest.Launcher
	fetch func(context.Context, func(slot.Progress)) error
}

func (f fetcher) Fetch(ctx context.Context, p func(slot.Progress)) error { return f.fetch(ctx, p) }

func TestPull(t *testing.T) {
	rigOf := func(t *testing.T, fetch func(context.Context, func(slot.Progress)) error) *rig {
		return newRig(t, slottest.Behaviour{}, func(c *slot.Config) {
			c.Launcher = fetcher{c.Launcher.(*slottest.Launcher), fetch}
		})
	}
	bubble("progress, then memory", t, func(t *testing.T) {
		r := rigOf(t, func(_ context.Context, p func(slot.Progress)) error {
			time.Sleep(time.Minute)
			p(slot.Progress{Done: 50, Total: 100})
			time.Sleep(time.Minute)
			return nil
		})
		r.Want()
		p := r.until(func(p slot.Report) bool { return p.Pull != nil })
		if p.State != slot.Pulling || p.Pull.Done != 50 {
			t.Errorf("report is %+v", p)
		}
		r.untilState(slot.StartingMemory)
		r.wantAt(2 * time.Minute)
	})
	bubble("fails for good", t, func(t *testing.T) {
		r := rigOf(t, func(context.Context, func(slot.Progress)) error {
			return &slot.LaunchError{Class: slot.ClassNotAllowed, Err: errors.New("x")}
		})
		r.Want()
		if p := r.untilState(slot.Error); p.Ending == nil || p.Ending.Code != wire.CodeNotAllowed {
			t.Errorf("ending is %+v", p.Ending)
		}
	})
	bubble("aborted", t, func(t *testing.T) {
		aborted := false
		r := rigOf(t, func(ctx context.Context, _ func(slot.Progress)) error {
			<-ctx.Done()
			aborted = true
			return ctx.Err()
		})
		r.Want()
		r.untilState(slot.Pulling)
		r.Unload(slot.WhyHand)
		r.untilState(slot.Offline)
		synctest.Wait()
		if !aborted {
			t.Error("the fetch goes on")
		}
	})
}

func TestConfigureAppliesWhenNothingRuns(t *testing.T) {
	bubble("", t, func(t *testing.T) {
		r := newRig(t, slottest.Behaviour{})
		r.up()
		other := slottest.New(slottest.Behaviour{})
		c := slot.Config{ID: "a", Launcher: other, Parallel: 7, Report: r.report, Illegal: r.bad}
		r.Configure(c)
		if p := r.until(func(slot.Report) bool { return true }); p.Parallel != 1 || p.State != slot.Ready {
			t.Errorf("it changed while it runs: %+v", p)
		}
		r.Unload(slot.WhyChanged)
		if p := r.untilState(slot.Offline); p.Parallel != 7 || p.Why != slot.WhyChanged {
			t.Errorf("it did not change: %+v", p)
		}
	})
}

func TestIdleTime(t *testing.T) {
	bubble("", t, func(t *testing.T) {
		r := newRig(t, slottest.Behaviour{}, func(c *slot.Config) { c.UnloadAfter = time.Minute })
		r.up()
		up := time.Now()
		time.Sleep(50 * time.Second)
		l := r.lease()
		time.Sleep(time.Hour)
		l.Release()
		p := r.untilState(slot.Idle)
		if want := time.Now().Add(time.Minute); !p.UnloadAt.Equal(want) {
			t.Errorf("goes at %s, want %s", p.UnloadAt, want)
		}
		r.Tune(2 * time.Minute)
		if p = r.untilState(slot.Offline); p.Why != slot.WhyIdle {
			t.Errorf("it went because %s", p.Why)
		}
		if got := time.Since(up); got != 50*time.Second+time.Hour+2*time.Minute {
			t.Errorf("went after %s", got)
		}
	})
}

func TestLostLeaseIsNotRefused(t *testing.T) {
	bubble("", t, func(t *testing.T) {
		r := newRig(t, slottest.Behaviour{})
		r.up()
		var l *slot.Lease
		r.Grant("x", false, func(granted *slot.Lease) bool { l = granted; return false })
		if p := r.until(func(p slot.Report) bool { return p.Grant != nil }); p.Leases != 0 || p.Grant.Taken {
			t.Errorf("a lease that nobody took is counted: %+v", p)
		}
		l.Release()
		if r.lease() == nil {
			t.Error("no lease is granted after that")
		}
	})
}
