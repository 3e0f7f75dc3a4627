package pool

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/hal0-dev/hal0/plugin/wire"
	"github.com/hal0-dev/hal0/sidecar/internal/device"
	"github.com/hal0-dev/hal0/sidecar/internal/slot"
	"github.com/hal0-dev/hal0/sidecar/internal/slot/slottest"
)

// chaos is a pool whose engines, clients and owner do as they please.
type chaos struct {
	t         *testing.T
	pool      *Pool
	launchers map[string]*slottest.Launcher
	devices   *fakeDevices
	rand      *rand.Rand // of the driver alone

	waiting atomic.Int64 // tickets that have not ended
	leases  sync.Map     // *slot.Lease -> true, held
}

// TestChaos: whatever happens in whatever order, there is never an illegal
// transition, a second process of a slot or memory over the capacity, and once
// it is calm again every flight is served, and everything can be closed.
func TestChaos(t *testing.T) {
	runs := uint64(8)
	if n, err := strconv.ParseUint(os.Getenv("HAL0_CHAOS_RUNS"), 10, 64); err == nil {
		runs = n
	}
	for seed := range runs {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { synctest.Test(t, func(t *testing.T) { runChaos(t, seed) }) })
	}
}

func runChaos(t *testing.T, seed uint64) {
	c := &chaos{t: t, rand: rand.New(rand.NewPCG(seed, 7)), launchers: map[string]*slottest.Launcher{}, devices: gpusOf(10*gib, 6*gib)}
	out := &lateLog{file: os.Getenv("HAL0_CHAOS_LOG")}
	c.pool = New(Config{
		Devices: c.devices, Queue: 20, Starvation: 30 * time.Second, Abandon: time.Minute,
		Resident: func(int) (int64, error) { return gib, nil },
		Illegal:  func(err error) { t.Error(err) },
		Log:      hclog.New(&hclog.LoggerOptions{Output: out, Level: hclog.Debug}),
		Jitter:   func() float64 { return 0.5 },
	})
	for _, id := range []string{"a", "b", "c", "d"} {
		c.launchers[id] = slottest.New(c.behaviour())
	}
	c.configure()
	ctx, cancel := context.WithCancel(t.Context())
	var clients sync.WaitGroup
	for i := range 12 {
		clients.Go(func() { c.client(ctx, rand.New(rand.NewPCG(seed, uint64(100+i)))) })
	}
	for range 300 {
		time.Sleep(time.Duration(c.rand.IntN(4000)) * time.Millisecond)
		c.disturb()
		synctest.Wait()
		c.check()
	}
	c.calm()
	cancel()
	clients.Wait()
	c.serveAll()
	if err := c.pool.Close(t.Context()); err != nil {
		t.Errorf("close: %v", err)
	}
	for id, l := range c.launchers {
		if now, most := l.Alive(); now != 0 || most > 1 {
			t.Errorf("%s: %d processes are alive, %d were at once", id, now, most)
		}
	}
	if t.Failed() {
		t.Logf("%s", out.tail())
	}
}

// lateLog keeps the log for when it is wanted.
type lateLog struct {
	mu   sync.Mutex
	b    []byte // guarded by mu
	file string
}

func (l *lateLog) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.b = append(l.b, b...)
	if l.file != "" {
		f, _ := os.OpenFile(l.file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		f.Write(b)
		f.Close()
	}
	return len(b), nil
}

func (l *lateLog) tail() []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b[max(len(l.b)-20_000, 0):]
}

// behaviour is some engine's.
func (c *chaos) behaviour() slottest.Behaviour {
	b := slottest.Behaviour{
		Boot: time.Duration(c.rand.IntN(20)) * time.Second, LaunchTime: time.Duration(c.rand.IntN(2)) * time.Second,
		Silent: c.rand.IntN(2) == 0, Unspoken: c.rand.IntN(2) == 0, TermTime: time.Duration(c.rand.IntN(8)) * time.Second,
		IgnoreTerm: c.rand.IntN(6) == 0, LoadingFor: time.Duration(c.rand.IntN(2)*c.rand.IntN(30)) * time.Second,
		WarmTime: time.Duration(c.rand.IntN(2)) * time.Second, HangOnProbe: c.rand.IntN(20) == 0, IgnoreKill: c.rand.IntN(30) == 0,
	}
	classes := []slot.Class{slot.ClassCrash, slot.ClassOOM, slot.ClassGPU, slot.ClassPort, slot.ClassBadModel, ""}
	if c.rand.IntN(3) == 0 {
		b.CrashAfter, b.Crash = time.Duration(1+c.rand.IntN(60))*time.Second, slot.Exit{Code: 1, Class: classes[c.rand.IntN(len(classes))]}
	}
	if c.rand.IntN(12) == 0 {
		b.LaunchErr = &slot.LaunchError{Class: classes[c.rand.IntN(len(classes))], Err: errors.New("chaos")}
	}
	return b
}

// configure declares some of the slots, each in some way.
func (c *chaos) configure() {
	var specs []Spec
	for _, id := range []string{"a", "b", "c", "d"} {
		if c.rand.IntN(8) == 0 {
			continue
		}
		specs = append(specs, c.spec(id))
	}
	c.pool.Configure(specs)
}

func (c *chaos) spec(id string) Spec {
	s := spec(id, c.launchers[id], parallel(1+c.rand.Int64N(2)), func(m *wire.Model) {
		m.Memory = c.rand.Int64N(3) * 3 * gib // 0: a whole device, until it is measured
		m.Pin = c.rand.IntN(10) == 0
		m.Preload = c.rand.IntN(4) == 0
		m.UnloadAfterMS = int64(c.rand.IntN(60_000))
		m.Device = []string{"", "0", "1", "cpu", "0,1"}[c.rand.IntN(5)]
	})
	s.Stall = 30 * time.Second
	return s
}

// client asks for slots and uses them, until ctx ends.
func (c *chaos) client(ctx context.Context, r *rand.Rand) {
	front := false
	for ctx.Err() == nil {
		time.Sleep(time.Duration(r.IntN(5000)) * time.Millisecond)
		patience, cancel := context.WithTimeout(ctx, time.Duration(1+r.IntN(300))*time.Second)
		ticket := c.pool.Request(Request{Slot: string(rune('a' + r.IntN(4))), Lane: fmt.Sprint(r.IntN(3)), Front: front})
		c.waiting.Add(1)
		ticket.Cold()
		lease, err := ticket.Lease(patience)
		c.waiting.Add(-1)
		cancel()
		front = false
		if err != nil {
			if r, ok := errors.AsType[*Refusal](err); ok && (r.Code == "" || r.Message == "" || r.Details.Retryable != (r.RetryAfter() != "") && r.Status() != 502) {
				c.t.Errorf("refusal is %+v", r)
			}
			ticket.Cancel()
			continue
		}
		front = c.use(lease, r)
	}
}

// use holds a lease for a while, and reports whether to try again.
func (c *chaos) use(lease *slot.Lease, r *rand.Rand) bool {
	c.leases.Store(lease, true)
	defer func() {
		c.leases.Delete(lease)
		lease.Release()
	}()
	if r.IntN(4) == 0 {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if errors.Is(lease.Loading(ctx), slot.ErrLost) {
			return true
		}
	}
	select {
	case <-lease.Lost():
		if lease.Loss().Why == "" {
			c.t.Errorf("a lease is lost for no reason")
		}
		return r.IntN(2) == 0
	case <-time.After(time.Duration(r.IntN(20)) * time.Second):
		lease.Proved()
		return false
	}
}

// disturb does one thing that may happen to a sidecar.
func (c *chaos) disturb() {
	id := string(rune('a' + c.rand.IntN(4)))
	l := c.launchers[id]
	now := func(f func(context.Context, string) error) {
		ctx, cancel := context.WithTimeout(c.t.Context(), time.Duration(c.rand.IntN(5000))*time.Millisecond)
		defer cancel()
		_ = f(ctx, id) // whatever comes of it
	}
	switch c.rand.IntN(14) {
	case 0, 1, 2:
		l.Set(c.behaviour())
	case 3:
		if p := l.Last(); p != nil {
			p.Crash(slot.Exit{Code: -1, Signal: "killed"})
		}
	case 4:
		if p := l.Last(); p != nil {
			p.Stop()
		}
	case 5:
		now(c.pool.Unload)
	case 6:
		now(c.pool.Load)
	case 7:
		now(c.pool.Restart)
	case 8:
		c.configure()
	case 9:
		l.SetStamp(fmt.Sprint(c.rand.IntN(1000)))
	case 10:
		c.devices.set(func() {
			d := &c.devices.devices[1+c.rand.IntN(2)]
			d.Free = c.rand.Int64N(d.Total)
		})
	case 11:
		c.devices.set(func() { c.devices.takes = time.Duration(c.rand.IntN(3)) * time.Second })
	case 12, 13:
	}
}

// check is what must hold at every moment.
func (c *chaos) check() {
	for id, l := range c.launchers {
		if _, most := l.Alive(); most > 1 {
			c.t.Fatalf("%s had %d processes at once", id, most)
		}
	}
	holders := map[string]bool{}
	for _, a := range c.pool.Accounts() {
		for _, h := range a.Holders {
			holders[h.Owner] = true
		}
	}
	for _, s := range c.pool.Snapshot() {
		if s.PID != 0 && !holders[s.ID] {
			c.t.Errorf("%s has a process and no memory", s.ID)
		}
		if s.Leases > 0 && s.State.Failed() {
			c.t.Errorf("%s is %s with %d leases", s.ID, s.State.Full(), s.Leases)
		}
	}
}

// calm makes everything well again.
func (c *chaos) calm() {
	var specs []Spec
	for _, id := range []string{"a", "b", "c", "d"} {
		l := c.launchers[id]
		l.Set(slottest.Behaviour{Boot: time.Second})
		if p := l.Last(); p != nil {
			p.Crash(slot.Exit{Code: -1, Signal: "killed"}) // also what could not be ended
		}
		specs = append(specs, spec(id, l, memoryOf(5*gib)))
	}
	c.devices.set(func() {
		c.devices.takes = 0
		for i := range c.devices.devices {
			if d := &c.devices.devices[i]; d.ID != device.Host {
				d.Free = d.Total
			}
		}
	})
	c.pool.Configure(specs)
	time.Sleep(10 * time.Minute) // for pauses and drains to end
}

// serveAll expects every slot to serve.
func (c *chaos) serveAll() {
	for _, id := range []string{"a", "b", "c", "d"} {
		ctx, cancel := context.WithTimeout(c.t.Context(), 10*time.Minute)
		lease, err := c.pool.Request(Request{Slot: id}).Lease(ctx)
		cancel()
		if err != nil {
			c.t.Errorf("%s is not served once it is calm: %v; %+v", id, err, c.pool.Snapshot())
			continue
		}
		lease.Release()
	}
	if n := c.waiting.Load(); n != 0 {
		c.t.Errorf("%d tickets have not ended", n)
	}
	time.Sleep(time.Second)
	for _, s := range c.pool.Snapshot() {
		if s.Waiting != 0 || s.Leases != 0 {
			c.t.Errorf("%s has %d waiting, %d leases", s.ID, s.Waiting, s.Leases)
		}
	}
}
