package device

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"
)

// fakeSource answers after a while, or when it is released.
type fakeSource struct {
	name string

	mu      sync.Mutex // guards all below
	takes   time.Duration
	deaf    chan struct{} // nil, or what it hangs on, context or not
	free    int64
	err     error
	reads   int
	running int
	most    int // reads at once
}

func (s *fakeSource) Name() string { return s.name }

func (s *fakeSource) Read(ctx context.Context) ([]Device, error) {
	s.mu.Lock()
	s.reads++
	s.running++
	s.most = max(s.most, s.running)
	takes, deaf := s.takes, s.deaf
	s.mu.Unlock()
	select {
	case <-time.After(takes):
	case <-ctx.Done():
	}
	if deaf != nil {
		<-deaf
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running--
	if s.err != nil {
		return nil, s.err
	}
	return []Device{{ID: ID(s.name), Kind: KindNVIDIA, Total: 10, Free: s.free}}, nil
}

func (s *fakeSource) counts() (reads, most int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reads, s.most
}

func (s *fakeSource) set(f func()) { s.mu.Lock(); defer s.mu.Unlock(); f() }

// refreshed waits for one Refresh.
func refreshed(i *Inventory) Reading {
	got := make(chan Reading)
	i.Refresh(func(r Reading) { got <- r })
	return <-got
}

func TestInventory(t *testing.T) {
	run := func(name string, f func(*testing.T)) { t.Run(name, func(t *testing.T) { synctest.Test(t, f) }) }
	run("one probe at a time, and each caller a fresh one", func(t *testing.T) {
		s := &fakeSource{name: "a", takes: time.Second, free: 1}
		i := NewInventory(s)
		defer i.Close()
		began := time.Now()
		var wg sync.WaitGroup
		wg.Go(func() { refreshed(i) })
		synctest.Wait()
		s.set(func() { s.free = 2 })
		for range 10 {
			wg.Go(func() {
				if r := refreshed(i); r.Devices[0].Free != 2 {
					t.Errorf("reading from before the call: %+v", r.Devices)
				}
			})
		}
		wg.Wait()
		if got := time.Since(began); got != 2*time.Second {
			t.Errorf("took %s, want 2 s", got)
		}
		if s.reads != 2 || s.most != 1 {
			t.Errorf("%d reads, %d at once; want 2, 1", s.reads, s.most)
		}
	})
	run("a tool that hangs is waited for once", func(t *testing.T) {
		release := make(chan struct{})
		hangs, works := &fakeSource{name: "a", free: 1}, &fakeSource{name: "b", free: 1}
		i := NewInventory(hangs, works)
		defer i.Close()
		refreshed(i)
		hangs.set(func() { hangs.deaf = release })
		began := time.Now()
		r := refreshed(i)
		if got := time.Since(began); got != 6*time.Second {
			t.Errorf("took %s, want 6 s", got)
		}
		if len(r.Devices) != 2 || len(r.Problems) != 1 || r.Hidden() {
			t.Errorf("reading is %+v", r)
		}
		works.set(func() { works.free = 7 })
		began = time.Now()
		if r = refreshed(i); r.Devices[1].Free != 7 {
			t.Errorf("reading is %+v", r)
		}
		if got := time.Since(began); got != 0 {
			t.Errorf("took %s, want no time", got)
		}
		hangs.set(func() { hangs.deaf, hangs.free = nil, 9 })
		close(release)
		synctest.Wait()
		if r = refreshed(i); len(r.Problems) != 0 || r.Devices[0].Free != 9 {
			t.Errorf("reading is %+v", r)
		}
		if _, most := hangs.counts(); most != 1 {
			t.Errorf("%d probes at once", most)
		}
	})
	run("a tool that has to be killed is waited for once", func(t *testing.T) {
		hangs, works := &fakeSource{name: "a", takes: time.Hour, free: 1}, &fakeSource{name: "b", free: 1}
		i := NewInventory(works, hangs)
		defer i.Close()
		hangs.set(func() { hangs.err = errors.New("killed") })
		took := func(n int) time.Duration {
			began := time.Now()
			for range n {
				if r := refreshed(i); len(r.Problems) != 1 {
					t.Errorf("reading is %+v", r)
				}
			}
			return time.Since(began)
		}
		if first, more := took(1), took(100); first != probeTime || more != 0 {
			t.Errorf("took %s, then %s; want %s, then nothing", first, more, probeTime)
		}
		hangs.set(func() { hangs.err, hangs.takes = nil, time.Second })
		time.Sleep(2 * probeTime)
		refreshed(i) // has it probed again
		time.Sleep(2 * time.Second)
		hangs.set(func() { hangs.free = 9 })
		if r := refreshed(i); len(r.Problems) != 0 || r.Devices[1].Free != 9 {
			t.Errorf("reading is %+v, want what it says now that it answers in time", r)
		}
		if _, most := hangs.counts(); most != 1 {
			t.Errorf("%d probes at once", most)
		}
	})
	run("the host is read without the tools", func(t *testing.T) {
		host, hangs := &fakeSource{name: "host", free: 1}, &fakeSource{name: "a", takes: time.Hour}
		i := NewInventory(host, hangs)
		defer i.Close()
		i.Refresh(func(Reading) {})
		began := time.Now()
		for n := range 3 {
			host.set(func() { host.free = int64(n) })
			got := make(chan Reading)
			i.Host(func(r Reading) { got <- r })
			if r := <-got; len(r.Devices) != 1 || r.Devices[0].Free != int64(n) {
				t.Errorf("reading is %+v", r)
			}
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("took %s", took)
		}
		synctest.Wait()
		if reads, _ := hangs.counts(); reads != 1 {
			t.Errorf("the tool was asked %d times", reads)
		}
	})
	run("a tool that has always hung hides its devices", func(t *testing.T) {
		release := make(chan struct{})
		s := &fakeSource{name: "a", deaf: release}
		i := NewInventory(s)
		if r := refreshed(i); !r.Hidden() {
			t.Errorf("reading is %+v", r)
		}
		i.Close()
		close(release)
	})
	run("a tool that fails keeps its last devices", func(t *testing.T) {
		s := &fakeSource{name: "a"}
		i := NewInventory(s)
		defer i.Close()
		refreshed(i)
		s.set(func() { s.err = errors.New("no driver") })
		r := refreshed(i)
		if len(r.Devices) != 1 || len(r.Problems) != 1 || r.Problems[0].Text != "no driver" {
			t.Errorf("reading is %+v", r)
		}
	})
	run("until", func(t *testing.T) {
		s := &fakeSource{name: "a"}
		i := NewInventory(s)
		defer i.Close()
		time.AfterFunc(900*time.Millisecond, func() { s.set(func() { s.free = 5 }) })
		began := time.Now()
		if !i.Until(t.Context(), func(r Reading) bool { return r.Devices[0].Free == 5 }) {
			t.Error("it did not come to hold")
		}
		if got := time.Since(began); got != time.Second {
			t.Errorf("took %s", got)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if i.Until(ctx, func(Reading) bool { return false }) {
			t.Error("it holds")
		}
	})
	run("close lets waiters go", func(t *testing.T) {
		i := NewInventory(&fakeSource{name: "a", takes: time.Hour})
		done := make(chan struct{})
		i.Refresh(func(Reading) { close(done) })
		i.Close()
		<-done
		refreshed(i)
	})
}

// TestMain runs this binary as a fake nvidia-smi if it is told so.
func TestMain(m *testing.M) {
	switch os.Getenv("HAL0_FAKE_SMI") {
	case "":
		os.Exit(m.Run())
	case "none":
		fmt.Println("No devices were found")
		os.Exit(6)
	case "broken":
		fmt.Println("NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.\nMake sure that it runs.")
		os.Exit(9)
	case "garbage":
		fmt.Println(strings.Repeat("\x00garbage", 1<<12))
	case "hang":
		select {}
	case "mig":
		name := "testdata/nvidia/mig.xml"
		if os.Args[1] == "-L" {
			name = "testdata/nvidia/mig.list"
		}
		b, err := os.ReadFile(name)
		if err != nil {
			os.Exit(1)
		}
		os.Stdout.Write(b)
	}
	os.Exit(0)
}

func TestNVIDIASource(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	card := fstest.MapFS{
		"sys/bus/pci/devices/0000:01:00.0/vendor": {Data: []byte("0x10de\n")},
		"sys/bus/pci/devices/0000:01:00.0/class":  {Data: []byte("0x030000\n")},
	}
	audio := fstest.MapFS{
		"sys/bus/pci/devices/0000:01:00.1/vendor": {Data: []byte("0x10de\n")},
		"sys/bus/pci/devices/0000:01:00.1/class":  {Data: []byte("0x040300\n")},
	}
	for _, c := range []struct {
		behaviour string
		root      fstest.MapFS
		tool      string
		devices   int
		fails     bool
		hidden    bool
	}{
		{"mig", card, self, 3, false, false},
		{"none", card, self, 0, false, false},
		{"broken", card, self, 0, true, true},
		{"broken", audio, self, 0, true, false},
		{"garbage", card, self, 0, true, true},
		{"hang", card, self, 0, true, true},
		{"mig", audio, "hal0-no-such-tool", 0, false, false},
		{"mig", card, "hal0-no-such-tool", 0, false, false},
	} {
		t.Run(c.behaviour, func(t *testing.T) {
			t.Setenv("HAL0_FAKE_SMI", c.behaviour)
			t.Setenv("GORACE", "atexit_sleep_ms=0")
			ctx, cancel := t.Context(), context.CancelFunc(func() {})
			if c.behaviour == "hang" {
				ctx, cancel = context.WithTimeout(ctx, 50*time.Millisecond)
			}
			defer cancel()
			devices, err := NVIDIASource(c.root, c.tool).Read(ctx)
			if len(devices) != c.devices || (err != nil) != c.fails {
				t.Errorf("%d devices, error %v; want %d, failure %t", len(devices), err, c.devices, c.fails)
			}
			if _, hidden := errors.AsType[*HiddenError](err); hidden != c.hidden {
				t.Errorf("error %v hides devices: %t", err, hidden)
			}
			if err != nil && len(err.Error()) > 400 {
				t.Errorf("the error is %d bytes long", len(err.Error()))
			}
		})
	}
}
