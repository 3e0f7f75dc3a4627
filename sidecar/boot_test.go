//go:build unix

package main

import (
	"context"
	"os"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/hal0-dev/hal0/plugin/wire"
	"github.com/hal0-dev/hal0/sidecar/internal/config"
	"github.com/hal0-dev/hal0/sidecar/internal/engine"
	"github.com/hal0-dev/hal0/sidecar/internal/pool"
	"github.com/hal0-dev/hal0/sidecar/internal/slot"
)

// Engines that come and go, by whatever end, leave nothing behind in this
// process.
func TestNothingLeaks(t *testing.T) {
	b := newBox(t, nil)
	cycle := func(i int) {
		p, err := b.of(demoModel("")).Launch(t.Context(), uint64(i))
		if err != nil {
			t.Fatal(err)
		}
		end := p.Kill
		switch i % 3 {
		case 1:
			<-p.Listening()
			if err := p.Probe(t.Context()); err != nil {
				t.Error(err)
			}
		case 2:
			end = p.Terminate
		}
		if err := end(); err != nil {
			t.Error(err)
		}
		<-p.Done()
		b.running.Wait()
	}
	for i := range 3 {
		cycle(i)
	}
	goroutines, files := runtime.NumGoroutine(), openFiles(t)
	for i := range 30 {
		cycle(i)
	}
	if n := runtime.NumGoroutine(); n > goroutines+3 {
		t.Errorf("%d goroutines, before %d", n, goroutines)
	}
	if n := openFiles(t); n > files+1 {
		t.Errorf("%d open files, before %d", n, files)
	}
}

func openFiles(t *testing.T) int {
	t.Helper()
	if runtime.GOOS != "linux" {
		return 0
	}
	all, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}

// timed notes when its engines say that they listen.
type timed struct {
	launcher
	listened chan time.Time
}

func (l timed) On(engine.Place) slot.Launcher { return l }

func (l timed) Launch(ctx context.Context, incarnation uint64) (slot.Process, error) {
	p, err := l.launcher.Launch(ctx, incarnation)
	if err == nil {
		go func() {
			select {
			case <-p.Listening():
				l.listened <- time.Now()
			case <-p.Done():
				l.listened <- time.Time{}
			}
		}()
	}
	return p, err
}

// BenchmarkBoot measures the time from a real llama-server's own "listening"
// line to the lease: go test -bench Boot -benchtime 200x ./sidecar, with the
// server in LLAMA_SERVER and a small model in HAL0_BENCH_MODEL.
func BenchmarkBoot(b *testing.B) {
	server, model := os.Getenv("LLAMA_SERVER"), os.Getenv("HAL0_BENCH_MODEL")
	if server == "" || model == "" {
		b.Skip("LLAMA_SERVER and HAL0_BENCH_MODEL are not both set")
	}
	box := newBox(b, func(c *config.Config) { c.LlamaServer = server })
	m := wire.Model{Slot: "primary", Engine: engine.LlamaCPP, Model: model, Capabilities: []string{wire.CapChat, wire.CapCompletion}}
	l := timed{launcher{engines: box.engines, model: m, own: true}, make(chan time.Time, 1)}
	p := pool.New(pool.Config{})
	defer func() {
		if err := p.Close(context.Background()); err != nil {
			b.Error(err)
		}
	}()
	p.Configure([]pool.Spec{{Model: m, Launcher: l}})
	var gaps []time.Duration
	for b.Loop() {
		lease, err := p.Request(pool.Request{Slot: "primary", Lane: "x"}).Lease(b.Context())
		got := time.Now()
		if err != nil {
			b.Fatal(err)
		}
		lease.Release()
		gaps = append(gaps, got.Sub(<-l.listened))
		if err := p.Unload(b.Context(), "primary"); err != nil {
			b.Fatal(err)
		}
	}
	slices.Sort(gaps)
	b.ReportMetric(float64(gaps[len(gaps)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(gaps[len(gaps)*99/100].Microseconds())/1000, "p99-ms")
	b.ReportMetric(float64(gaps[len(gaps)-1].Microseconds())/1000, "max-ms")
}
