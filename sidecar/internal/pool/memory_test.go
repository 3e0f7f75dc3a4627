package pool

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hal0-dev/hal0/plugin/wire"
	"github.com/hal0-dev/hal0/sidecar/internal/device"
	"github.com/hal0-dev/hal0/sidecar/internal/slot"
	"github.com/hal0-dev/hal0/sidecar/internal/slot/slottest"
)

const gib = int64(1) << 30

// fakeDevices are devices whose figures a test sets.
type fakeDevices struct {
	mu      sync.Mutex // guards all below
	devices []device.Device
	takes   time.Duration // that a reading takes
	reads   int
	look    func(*device.Device) // called on each device at each reading
}

func (f *fakeDevices) reading() device.Reading {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.reads++
	r := device.Reading{At: time.Now()}
	for _, d := range f.devices {
		if f.look != nil {
			f.look(&d)
		}
		r.Devices = append(r.Devices, d)
	}
	return r
}

func (f *fakeDevices) Refresh(done func(device.Reading)) {
	f.mu.Lock()
	takes := f.takes
	f.mu.Unlock()
	time.AfterFunc(takes, func() { done(f.reading()) })
}

func (f *fakeDevices) Host(done func(device.Reading)) {
	time.AfterFunc(0, func() { done(f.reading()) })
}

func (f *fakeDevices) Until(ctx context.Context, what func(device.Reading) bool) bool {
	for !what(f.reading()) {
		select {
		case <-time.After(250 * time.Millisecond):
		case <-ctx.Done():
			return false
		}
	}
	return true
}

func (f *fakeDevices) set(g func()) { f.mu.Lock(); defer f.mu.Unlock(); g() }

func hostOf(bytes int64) *fakeDevices {
	return &fakeDevices{devices: []device.Device{{ID: device.Host, Kind: device.KindHost, Total: bytes, Free: device.Unknown}}}
}

func gpusOf(bytes ...int64) *fakeDevices {
	f := hostOf(64 * gib)
	for i, n := range bytes {
		f.devices = append(f.devices, device.Device{ID: device.ID(fmt.Sprint("GPU-", i)), Kind: device.KindNVIDIA, Index: i, Total: n, Free: n})
	}
	return f
}

func bubble(name string, t *testing.T, f func(*testing.T)) {
	t.Helper()
	t.Run(name, func(t *testing.T) { synctest.Test(t, f) })
}

func TestSwap(t *testing.T) {
	bubble("idle one goes for another", t, func(t *testing.T) {
		a, c := slottest.New(slottest.Behaviour{Boot: 5 * time.Second, TermTime: time.Second}), slottest.New(slottest.Behaviour{Boot: 5 * time.Second})
		b := newBench(t, Config{Devices: hostOf(10 * gib)}, spec("a", a, memoryOf(6*gib)), spec("c", c, memoryOf(6*gib)))
		b.get("a").Release()
		b.get("c").Release()
		b.wantAt(11 * time.Second)
		b.wantState("a", slot.Offline)
		if now, _ := a.Alive(); now != 0 {
			t.Error("a's engine is alive")
		}
	})
	bubble("never while it streams", t, func(t *testing.T) {
		a, c := slottest.New(slottest.Behaviour{Boot: 5 * time.Second}), slottest.New(slottest.Behaviour{Boot: 5 * time.Second})
		b := newBench(t, Config{Devices: hostOf(10 * gib)}, spec("a", a, memoryOf(6*gib)), spec("c", c, memoryOf(6*gib)))
		lease := b.get("a")
		other := b.Request(Request{Slot: "c"})
		time.Sleep(10 * time.Minute)
		select {
		case <-lease.Lost():
			t.Fatal("the stream was cut")
		default:
		}
		b.wantState("c", slot.StartingMemory)
		if late := b.Request(Request{Slot: "a"}); true { // c starves: a takes nothing new
			time.Sleep(time.Second)
			if late.gone() {
				t.Error("a lease was granted past a flight that starves")
			}
			late.Cancel()
		}
		lease.Release()
		got, err := other.Lease(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		got.Release()
		b.wantAt(5*time.Second + 10*time.Minute + time.Second + 5*time.Second)
	})
	bubble("both where both fit", t, func(t *testing.T) {
		a, c := slottest.New(slottest.Behaviour{Boot: 5 * time.Second}), slottest.New(slottest.Behaviour{Boot: 5 * time.Second})
		b := newBench(t, Config{Devices: hostOf(12 * gib)}, spec("a", a, memoryOf(6*gib)), spec("c", c, memoryOf(6*gib)))
		one, two := b.Request(Request{Slot: "a"}), b.Request(Request{Slot: "c"})
		for _, ticket := range []*Ticket{one, two} {
			if _, err := ticket.Lease(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		b.wantAt(5 * time.Second) // on the host they load side by side
	})
	bubble("pinned stays", t, func(t *testing.T) {
		b := newBench(t, Config{Devices: hostOf(10 * gib)},
			spec("a", slottest.New(slottest.Behaviour{}), memoryOf(6*gib), func(m *wire.Model) { m.Pin = true }),
			spec("c", slottest.New(slottest.Behaviour{}), memoryOf(6*gib)))
		b.get("a").Release()
		r := b.refused("c")
		b.wantAt(10 * time.Second)
		if r.Code != wire.CodeNoMemory || r.Status() != 507 || !r.Details.Retryable || !strings.Contains(r.Message, "a holds 6.0 GiB") {
			t.Errorf("refusal is %v, status %d", r, r.Status())
		}
		b.wantState("c", slot.Offline)
	})
	bubble("larger than the device", t, func(t *testing.T) {
		b := newBench(t, Config{Devices: hostOf(10 * gib)}, spec("a", slottest.New(slottest.Behaviour{}), memoryOf(11*gib)))
		r := b.refused("a")
		b.wantAt(0)
		if r.Code != wire.CodeNoMemory || r.Details.Retryable || r.Details.Exit != "too_large" {
			t.Errorf("refusal is %+v", r)
		}
		if r = b.refused("a"); r.State != slot.Error { // at once
			t.Errorf("state is %s", r.State.Full())
		}
		b.wantAt(0)
	})
	bubble("others' memory comes back", t, func(t *testing.T) {
		f := hostOf(10 * gib)
		f.devices[0].Free = 2 * gib
		b := newBench(t, Config{Devices: f}, spec("a", slottest.New(slottest.Behaviour{}), memoryOf(6*gib)))
		time.AfterFunc(3500*time.Millisecond, func() { f.set(func() { f.devices[0].Free = 8 * gib }) })
		b.get("a").Release()
		b.wantAt(4 * time.Second)
	})
}

// TestNoThrash: two models that do not fit together, clients of both without a
// pause: swaps are rare, nobody waits beyond the bound, and memory is never
// over its capacity.
func TestNoThrash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const boot, stream, starvation = 40 * time.Second, 10 * time.Second, 2 * time.Minute
		launchers := map[string]*slottest.Launcher{}
		var specs []Spec
		for _, id := range []string{"a", "b", "c"} {
			launchers[id] = slottest.New(slottest.Behaviour{Boot: boot, TermTime: time.Second})
			specs = append(specs, spec(id, launchers[id], memoryOf(6*gib), parallel(2)))
		}
		b := newBench(t, Config{Devices: hostOf(10 * gib), Starvation: starvation}, specs...)
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Hour)
		defer cancel()
		var wg sync.WaitGroup
		var mu sync.Mutex
		var longest time.Duration
		served := map[string]int{}
		for id := range launchers {
			for client := range 4 {
				wg.Go(func() {
					for ctx.Err() == nil {
						began := time.Now()
						ticket := b.Request(Request{Slot: id, Lane: fmt.Sprint(client)})
						lease, err := ticket.Lease(ctx)
						if err != nil {
							ticket.Cancel()
							if ctx.Err() == nil {
								t.Error(err)
							}
							return
						}
						mu.Lock()
						longest = max(longest, time.Since(began))
						served[id]++
						mu.Unlock()
						for _, a := range b.Accounts() {
							if a.Reserved > a.Capacity {
								t.Errorf("%d of %d bytes are reserved", a.Reserved, a.Capacity)
							}
						}
						select {
						case <-lease.Lost():
							t.Error("a stream was cut for a swap")
						case <-time.After(stream):
						}
						lease.Release()
					}
				})
			}
		}
		wg.Wait()
		launches := 0
		for _, l := range launchers {
			launches += l.Launches()
		}
		// Each turn is a boot, then at least the starvation bound of service,
		// as two others starve all the time: at most one swap in so long.
		if most := int(2*time.Hour/(boot+stream)) + 1; launches > most {
			t.Errorf("%d launches in two hours, want at most %d", launches, most)
		}
		// With three in turn, one waits for two turns of the others.
		if bound := 2 * (starvation + boot + 2*stream + time.Second); longest > bound+boot {
			t.Errorf("the longest wait is %s, want at most %s", longest, bound+boot)
		}
		t.Logf("%d launches, longest wait %s, served %v", launches, longest, served)
		for id, n := range served {
			if n < 50 {
				t.Errorf("%s was served %d times in two hours", id, n)
			}
		}
	})
}

// TestStarvation: of two models that do not fit together, one whose clients
// never pause, and one that is asked for now and then: nobody waits longer than
// the bound, one stream, the boot that may be under way, and its own.
func TestStarvation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const boot, stream, starvation = 25 * time.Second, 15 * time.Second, time.Minute
		behaviour := slottest.Behaviour{Boot: boot, TermTime: time.Second}
		b := newBench(t, Config{Devices: hostOf(10 * gib), Starvation: starvation},
			spec("busy", slottest.New(behaviour), memoryOf(6*gib), parallel(2)), spec("rare", slottest.New(behaviour), memoryOf(6*gib)))
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for i := range 6 {
			wg.Go(func() {
				for ctx.Err() == nil {
					lease, err := b.Request(Request{Slot: "busy", Lane: fmt.Sprint(i)}).Lease(ctx)
					if err != nil {
						return
					}
					time.Sleep(stream)
					lease.Release()
				}
			})
		}
		var longest time.Duration
		for i := range 200 {
			time.Sleep(time.Duration(i*37%400) * time.Second)
			began := time.Now()
			b.get("rare").Release()
			longest = max(longest, time.Since(began))
		}
		cancel()
		wg.Wait()
		if bound := boot + starvation + stream + boot + 2*time.Second; longest > bound || longest < starvation {
			t.Errorf("the longest wait is %s, want at most %s", longest, bound)
		}
		t.Logf("longest wait %s", longest)
	})
}

func TestGPU(t *testing.T) {
	bubble("one load at a time per device, devices side by side", t, func(t *testing.T) {
		var specs []Spec
		for _, id := range []string{"a", "b", "c"} {
			s := spec(id, slottest.New(slottest.Behaviour{Boot: 10 * time.Second}), memoryOf(4*gib))
			if id == "c" {
				s.Model.Device = "1"
			} else {
				s.Model.Device = "0"
			}
			specs = append(specs, s)
		}
		b := newBench(t, Config{Devices: gpusOf(10*gib, 10*gib)}, specs...)
		done := map[string]time.Duration{}
		var wg sync.WaitGroup
		var mu sync.Mutex
		for _, id := range []string{"a", "b", "c"} {
			ticket := b.Request(Request{Slot: id})
			wg.Go(func() {
				if _, err := ticket.Lease(t.Context()); err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				done[id] = b.at()
			})
		}
		wg.Wait()
		if done["a"]+done["b"] != 30*time.Second || max(done["a"], done["b"]) != 20*time.Second || done["c"] != 10*time.Second {
			t.Errorf("up at %v", done)
		}
	})
	bubble("auto takes the emptiest", t, func(t *testing.T) {
		p := &placer{Launcher: slottest.New(slottest.Behaviour{})}
		b := newBench(t, Config{Devices: gpusOf(10*gib, 20*gib)}, spec("a", p, memoryOf(4*gib)))
		b.get("a").Release()
		if got := strings.Join(p.placement.Env(), " "); got != "CUDA_DEVICE_ORDER=PCI_BUS_ID CUDA_VISIBLE_DEVICES=GPU-1" {
			t.Errorf("environment is %q", got)
		}
		if got := b.state("a").Memory; len(got) != 1 || got[0] != (slot.Share{Device: "GPU-1", Bytes: 4 * gib}) {
			t.Errorf("memory is %v", got)
		}
	})
	bubble("a device that fails is let alone, for all", t, func(t *testing.T) {
		bad := slottest.New(slottest.Behaviour{CrashAfter: time.Second, Boot: time.Hour, Crash: slot.Exit{Code: 134, Class: slot.ClassGPU}})
		good := slottest.New(slottest.Behaviour{})
		b := newBench(t, Config{Devices: gpusOf(10 * gib)}, spec("a", bad, memoryOf(gib)), spec("c", good, memoryOf(gib)))
		if r := b.refused("a"); r.Code != wire.CodeDeviceLost || r.Status() != 503 {
			t.Errorf("refusal is %v", r)
		}
		if r := b.refused("c"); r.Code != wire.CodeDeviceLost || r.RetryAfter() == "" {
			t.Errorf("refusal is %v", r)
		}
		b.wantAt(time.Second)
		time.Sleep(time.Second) // then one may try
		b.get("c").Release()
		bad.Set(slottest.Behaviour{})
		b.get("a").Release()
	})
	bubble("memory that comes back late is waited for", t, func(t *testing.T) {
		f := gpusOf(10 * gib)
		a := slottest.New(slottest.Behaviour{})
		var ended time.Time
		f.look = func(d *device.Device) {
			if d.ID == "GPU-0" && a.Launches() > 0 && (ended.IsZero() || time.Since(ended) < 3*time.Second) {
				d.Free -= 6 * gib
			}
		}
		b := newBench(t, Config{Devices: f}, spec("a", a, memoryOf(6*gib)), spec("c", slottest.New(slottest.Behaviour{}), memoryOf(6*gib)))
		b.get("a").Release()
		f.set(func() { ended = time.Now() })
		b.get("c").Release()
		b.wantAt(3 * time.Second)
	})
	bubble("but not for ever", t, func(t *testing.T) {
		f := gpusOf(10 * gib)
		a := slottest.New(slottest.Behaviour{})
		f.look = func(d *device.Device) {
			if d.ID == "GPU-0" && a.Launches() > 0 {
				d.Free = 5 * gib // it never says that it is free
			}
		}
		b := newBench(t, Config{Devices: f}, spec("a", a, memoryOf(6*gib), unload(time.Second)))
		b.get("a").Release()
		time.Sleep(12 * time.Second)
		b.wantState("a", slot.Offline)
	})
	bubble("a process that nobody can end keeps its memory, the rest goes on", t, func(t *testing.T) {
		bad := slottest.New(slottest.Behaviour{IgnoreTerm: true, IgnoreKill: true})
		b := newBench(t, Config{Devices: gpusOf(10 * gib)}, spec("a", bad, memoryOf(6*gib)), spec("c", slottest.New(slottest.Behaviour{}), memoryOf(6*gib)),
			spec("d", slottest.New(slottest.Behaviour{}), memoryOf(4*gib)))
		b.get("a").Release()
		if r := b.refused("c"); r.Code != wire.CodeNoMemory {
			t.Errorf("refusal is %v", r)
		}
		b.wantState("a", slot.ErrorStuck)
		if r := b.refused("a"); r.Code != wire.CodeCrashLooping || r.Details.RetryAfterS < 60 || r.Details.RetryAfterS > 64 {
			t.Errorf("refusal is %v, Retry-After %s", r, r.RetryAfter())
		}
		b.get("d").Release()
		bad.Last().Crash(slot.Exit{})
		time.Sleep(10 * time.Second)
		b.get("c").Release()
	})
	bubble("the host is not waited for with a tool", t, func(t *testing.T) {
		f := gpusOf(8 * gib)
		f.takes = time.Hour
		onHost := func(m *wire.Model) { m.Device = "cpu" }
		b := newBench(t, Config{Devices: f}, spec("gpu", slottest.New(slottest.Behaviour{}), memoryOf(gib)),
			spec("c", slottest.New(slottest.Behaviour{}), memoryOf(40*gib), onHost), spec("d", slottest.New(slottest.Behaviour{}), memoryOf(40*gib), onHost))
		began := time.Now()
		held := b.Request(Request{Slot: "gpu"})
		b.get("c").Release()
		b.get("d").Release() // in place of c
		if took := time.Since(began); took >= time.Minute {
			t.Errorf("took %s", took)
		}
		held.Cancel()
	})
	bubble("no fallback to the host", t, func(t *testing.T) {
		f := gpusOf()
		b := newBench(t, Config{Devices: hidden{f}}, spec("a", slottest.New(slottest.Behaviour{}), memoryOf(gib)),
			spec("c", slottest.New(slottest.Behaviour{}), memoryOf(gib), func(m *wire.Model) { m.Device = "cpu" }))
		if r := b.refused("a"); r.Code != wire.CodeDeviceLost {
			t.Errorf("refusal is %v", r)
		}
		b.get("c").Release()
	})
}

// hidden are devices beside which there are some that nobody can see.
type hidden struct{ *fakeDevices }

func (h hidden) Refresh(done func(device.Reading)) {
	h.fakeDevices.Refresh(func(r device.Reading) {
		r.Problems = []device.Problem{{Source: "nvidia-smi", Hides: true}}
		done(r)
	})
}

// placer is a launcher that is told its devices.
type placer struct {
	*slottest.Launcher
	placement device.Placement
}

func (p *placer) On(d device.Placement) slot.Launcher { p.placement = d; return p.Launcher }

func TestNeed(t *testing.T) {
	holding := func(b *bench, id string) int64 {
		for _, a := range b.Accounts() {
			for _, h := range a.Holders {
				if h.Owner == id {
					return h.Bytes
				}
			}
		}
		return 0
	}
	bubble("estimated, once", t, func(t *testing.T) {
		estimates := 0
		c := Config{Devices: hostOf(10 * gib), Estimate: func(context.Context, wire.Model) (int64, error) {
			estimates++
			time.Sleep(time.Second)
			return 3 * gib, nil
		}}
		b := newBench(t, c, spec("a", slottest.New(slottest.Behaviour{}), unload(time.Second)))
		b.get("a").Release()
		b.wantAt(time.Second)
		if got := holding(b, "a"); got != 3*gib {
			t.Errorf("holds %d", got)
		}
		time.Sleep(5 * time.Second)
		b.get("a").Release()
		if estimates != 1 {
			t.Errorf("%d estimates", estimates)
		}
	})
	bubble("an estimate that hangs", t, func(t *testing.T) {
		hang := make(chan struct{})
		c := Config{Devices: hostOf(10 * gib), Estimate: func(context.Context, wire.Model) (int64, error) {
			<-hang
			return 0, errors.New("too late")
		}}
		b := newBench(t, c, spec("a", slottest.New(slottest.Behaviour{})))
		b.get("a").Release()
		b.wantAt(6 * time.Second)
		if err := b.Close(t.Context()); err != nil { // does not wait for it
			t.Error(err)
		}
		close(hang)
	})
	bubble("unknown: the whole device, until it is measured", t, func(t *testing.T) {
		f := hostOf(10 * gib)
		c := Config{Devices: f, Resident: func(int) (int64, error) { return 2 * gib, nil },
			Estimate: func(context.Context, wire.Model) (int64, error) { return 0, errors.New("no idea") }}
		a := slottest.New(slottest.Behaviour{Boot: time.Second})
		b := newBench(t, c, spec("a", a), spec("c", slottest.New(slottest.Behaviour{Boot: time.Second}), memoryOf(7*gib)))
		ticket := b.Request(Request{Slot: "a"})
		time.Sleep(500 * time.Millisecond)
		if got := holding(b, "a"); got != 10*gib {
			t.Errorf("holds %d while it loads", got)
		}
		lease, err := ticket.Lease(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		b.get("c").Release() // beside it, now that it is known
		if got := holding(b, "a"); got != 2*gib+2*gib/10 {
			t.Errorf("holds %d", got)
		}
		lease.Release()
	})
	bubble("measured by what is gone, where the driver does not know the process", t, func(t *testing.T) {
		f := gpusOf(10 * gib)
		a := slottest.New(slottest.Behaviour{})
		f.look = func(d *device.Device) {
			if now, _ := a.Alive(); d.ID == "GPU-0" && now > 0 {
				d.Free -= 4 * gib
			}
		}
		b := newBench(t, Config{Devices: f, Resident: func(int) (int64, error) { return 0, nil }}, spec("a", a))
		b.get("a").Release()
		synctest.Wait()
		if got, want := holding(b, "a"), 4*gib+4*gib/10; got != want {
			t.Errorf("holds %d, want %d", got, want)
		}
	})
	bubble("out of memory raises what was learned", t, func(t *testing.T) {
		store := &fakeStore{}
		l := slottest.New(slottest.Behaviour{Boot: time.Hour, CrashAfter: time.Second, Crash: slot.Exit{Code: 1, Class: slot.ClassOOM}})
		c := Config{Devices: hostOf(10 * gib), Store: store, Estimate: func(context.Context, wire.Model) (int64, error) { return 4 * gib, nil }}
		b := newBench(t, c, spec("a", l))
		r := b.refused("a") // held through one more try
		b.wantAt(3 * time.Second)
		if r.Code != wire.CodeNoMemory || r.Details.Exit != "oom" {
			t.Errorf("refusal is %+v", r)
		}
		synctest.Wait()
		need := store.get(b.entries["a"].print).Need
		once := 4*gib + 4*gib*15/100
		if want := once + once*15/100; need != want {
			t.Errorf("learned %d, want %d", need, want)
		}
	})
}

// fakeStore keeps what was learned.
type fakeStore struct {
	mu    sync.Mutex // guards all below
	known map[string]Learned
	err   error
	saves int
}

func (s *fakeStore) Load() (map[string]Learned, error) { return s.known, s.err }

func (s *fakeStore) Save(m map[string]Learned) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.saves++
	if s.err == nil {
		s.known = m
	}
	return s.err
}

func (s *fakeStore) get(fingerprint string) Learned {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.known[fingerprint]
}

func TestLearnedTimes(t *testing.T) {
	bubble("budget and ETA", t, func(t *testing.T) {
		store := &fakeStore{}
		l := slottest.New(slottest.Behaviour{Boot: 20 * time.Second})
		c := Config{Store: store}
		b := newBench(t, c, spec("a", l, unload(time.Second)))
		ticket := b.Request(Request{Slot: "a"})
		time.Sleep(time.Second)
		s := b.state("a")
		if _, ok := ETA(s, time.Now()); ok || s.Boot.Budget != 10*time.Minute {
			t.Errorf("the first boot has budget %s, ETA %s", s.Boot.Budget, s.Boot.ETA)
		}
		lease, err := ticket.Lease(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		lease.Release()
		time.Sleep(10 * time.Second)
		b.Request(Request{Slot: "a"})
		time.Sleep(5 * time.Second)
		s = b.state("a")
		if left, ok := ETA(s, time.Now()); !ok || left != 15*time.Second || s.Boot.Budget != time.Minute {
			t.Errorf("the second boot has budget %s, %s left", s.Boot.Budget, left)
		}
	})
	bubble("a full disk fails no request", t, func(t *testing.T) {
		store := &fakeStore{err: errors.New("disk full")}
		b := newBench(t, Config{Store: store}, spec("a", slottest.New(slottest.Behaviour{})))
		b.get("a").Release()
		synctest.Wait()
		if store.saves == 0 {
			t.Error("nothing was saved")
		}
	})
	bubble("nothing from a boot that spans a suspend", t, func(t *testing.T) {
		store := &fakeStore{}
		var slept atomic.Int64
		c := Config{Store: store, Slept: func() time.Duration { return time.Duration(slept.Load()) }}
		b := newBench(t, c, spec("a", slottest.New(slottest.Behaviour{Boot: 10 * time.Second})))
		ticket := b.Request(Request{Slot: "a"})
		time.Sleep(time.Second)
		slept.Store(int64(time.Hour))
		if _, err := ticket.Lease(t.Context()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if store.saves != 0 {
			t.Errorf("learned %+v", store.known)
		}
	})
}

func TestQuantile(t *testing.T) {
	s := time.Second
	for _, c := range []struct {
		boots       []time.Duration
		eta, budget time.Duration
	}{
		{nil, 0, 10 * time.Minute},
		{[]time.Duration{s}, s, 30 * s},
		{[]time.Duration{40 * s, 20 * s, 30 * s}, 30 * s, 120 * s},
		{[]time.Duration{600 * s}, 600 * s, 15 * time.Minute},
		{[]time.Duration{10 * s, 20 * s, 30 * s, 40 * s}, 20 * s, 120 * s},
	} {
		l := Learned{Boots: c.boots}
		if l.ETA() != c.eta || l.Budget() != c.budget {
			t.Errorf("boots %v: ETA %s, budget %s; want %s, %s", c.boots, l.ETA(), l.Budget(), c.eta, c.budget)
		}
	}
}

func TestGate(t *testing.T) {
	bubble("waits for other sidecars", t, func(t *testing.T) {
		f := gpusOf(10 * gib)
		var turns atomic.Int32
		var inside atomic.Bool
		gate := func(ctx context.Context, on []device.ID) (func(), error) {
			select {
			case <-time.After(7 * time.Second):
			case <-ctx.Done():
				return nil, ctx.Err()
			}
			turns.Add(1)
			inside.Store(true)
			return func() { inside.Store(false) }, nil
		}
		b := newBench(t, Config{Devices: f, Gate: gate}, spec("a", slottest.New(slottest.Behaviour{Boot: 3 * time.Second}), memoryOf(gib)))
		ticket := b.Request(Request{Slot: "a"})
		time.Sleep(8 * time.Second)
		b.wantState("a", slot.Starting)
		if !inside.Load() {
			t.Error("it loads outside the gate")
		}
		if _, err := ticket.Lease(t.Context()); err != nil {
			t.Fatal(err)
		}
		b.wantAt(10 * time.Second)
		if inside.Load() || turns.Load() != 1 {
			t.Errorf("inside %t, %d turns", inside.Load(), turns.Load())
		}
	})
	bubble("gives up its place", t, func(t *testing.T) {
		var waiting atomic.Int32
		gate := func(ctx context.Context, _ []device.ID) (func(), error) {
			waiting.Add(1)
			<-ctx.Done()
			waiting.Add(-1)
			return nil, ctx.Err()
		}
		b := newBench(t, Config{Devices: gpusOf(10 * gib), Gate: gate}, spec("a", slottest.New(slottest.Behaviour{}), memoryOf(gib)))
		ticket := b.Request(Request{Slot: "a"})
		time.Sleep(time.Second)
		if n := waiting.Load(); n != 1 {
			t.Fatalf("%d wait", n)
		}
		if err := b.Unload(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if n := waiting.Load(); n != 0 {
			t.Errorf("%d wait", n)
		}
		if _, err := ticket.Lease(t.Context()); err == nil {
			t.Error("a lease was granted")
		}
	})
}

func TestSuspend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var slept atomic.Int64
		l := slottest.New(slottest.Behaviour{WarmTime: time.Second})
		b := newBench(t, Config{Slept: func() time.Duration { return time.Duration(slept.Load()) }}, spec("a", l))
		b.get("a").Release()
		b.wantAt(time.Second)
		b.get("a").Release()
		b.wantAt(time.Second)
		slept.Store(int64(8 * time.Hour))
		b.get("a").Release() // after the engine has proved itself with one token
		b.wantAt(2*time.Second + 100*time.Millisecond)
		if got := l.Launches(); got != 1 {
			t.Errorf("%d launches, want 1", got)
		}
	})
}

// TestFree: what is free is the least of what the ledger has left and what the
// device says, less the reserve and what slots that load have yet to take.
func TestFree(t *testing.T) {
	for _, c := range []struct {
		name                     string
		capacity, reserved       int64
		total, free, keep, loads int64
		want                     int64
	}{
		{"the ledger", 10, 8, 10, 9, 0, 0, 2},
		{"the device", 10, 2, 10, 3, 0, 0, 3},
		{"a reserve", 8, 2, 10, 5, 2, 0, 3},
		{"a cap, and others beside it", 4, 1, 10, 6, 1, 0, 3},
		{"a load under way", 10, 4, 10, 8, 0, 4, 4},
		{"nothing", 10, 0, 10, 1, 2, 0, 0},
		{"a device that does not say", 10, 4, 10, device.Unknown, 2, 0, 6},
		{"no limit", device.Unknown, 0, device.Unknown, device.Unknown, 0, 0, device.Unknown},
		{"no limit but what is there", device.Unknown, 0, device.Unknown, 7, 0, 0, 7},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := &Pool{cfg: Config{Reserve: c.keep}}
			p.devices.last = device.Reading{Devices: []device.Device{{ID: "g", Kind: device.KindNVIDIA, Total: c.total, Free: c.free}}}
			v := View{Slots: []SlotView{{Standing: Loading, Holds: []device.Share{{Device: "g", Bytes: c.loads}}}}}
			got := p.account(device.Account{ID: "g", Capacity: c.capacity, Reserved: c.reserved}, v, false)
			if got.Free != c.want || !got.Serial {
				t.Errorf("%d is free, serial %t; want %d", got.Free, got.Serial, c.want)
			}
		})
	}
}
