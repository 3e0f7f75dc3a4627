package integration

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hal0-dev/hal0/integration/bed"
)

const (
	manySlots      = 200
	manyDashboards = 50
)

// cpuOf is the CPU time that the sidecar says it has used, in seconds.
func cpuOf(t *testing.T, s *bed.Sidecar) float64 {
	t.Helper()
	_, text := bed.Get(t, s.ControlURL()+"/metrics")
	_, text, _ = strings.Cut(text, "\nprocess_cpu_seconds_total ")
	text, _, _ = strings.Cut(text, "\n")
	used, err := strconv.ParseFloat(text, 64)
	if err != nil {
		t.Fatal(err)
	}
	return used
}

// watching opens dashboards' streams of events, and returns how many events they
// have been sent after their first, and what ends them.
func watching(t *testing.T, s *bed.Sidecar, n int) (events *atomic.Int64, end func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	events = &atomic.Int64{}
	var all, begun sync.WaitGroup
	for range n {
		begun.Add(1)
		all.Go(func() {
			var once sync.Once
			defer once.Do(begun.Done)
			r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.ControlURL()+"/api/events", nil)
			if err != nil {
				t.Error(err)
				return
			}
			resp, err := client.Do(r)
			if err != nil {
				t.Error(err)
				return
			}
			defer resp.Body.Close()
			for lines := bufio.NewReaderSize(resp.Body, 1<<20); ; {
				line, err := lines.ReadString('\n')
				if err != nil {
					return
				}
				switch data := strings.TrimPrefix(line, "data: "); {
				case strings.HasPrefix(data, `{"now"`):
					if got := strings.Count(data, `"parallel":`); got != manySlots {
						t.Errorf("a dashboard is told of %d slots", got)
					}
					once.Do(begun.Done)
				case data != line:
					events.Add(1)
				}
			}
		})
	}
	begun.Wait()
	return events, func() { cancel(); all.Wait() }
}

// Bar 2 of what people see: many slots and many open dashboards cost little. The
// figure is told, not judged: the machine may be busy.
func TestOpenDashboardsCostLittle(t *testing.T) {
	var config strings.Builder
	config.WriteString("route:\n  models:\n")
	for i := range manySlots {
		fmt.Fprintf(&config, "    s%d: {engine: demo, memory: 1MiB}\n", i)
	}
	s := bed.NewSidecar(t, config.String()).Quiet().Start()
	s.Move("s0", "load")
	body := chat("s0", false, `"max_tokens":2,"hal0_demo":{"tokens_per_second":0}`)
	const rate = 20 // requests a second
	cost := func(dashboards int) (share float64, events int64) {
		sent, end := watching(t, s, dashboards)
		defer end()
		tick := time.NewTicker(time.Second / rate)
		defer tick.Stop()
		before, began := cpuOf(t, s), time.Now()
		for range bed.Times(3, 30) * rate {
			<-tick.C
			if a := bed.Open(t, bed.Request{Addr: addr(s), Path: chatPath, Body: body}); a.Status != http.StatusOK {
				t.Fatalf("%d %s", a.Status, a.Body())
			}
		}
		return 100 * (cpuOf(t, s) - before) / time.Since(began).Seconds(), sent.Load()
	}
	without, _ := cost(0)
	with, events := cost(manyDashboards)
	if events == 0 {
		t.Error("the dashboards were told of nothing")
	}
	bed.Figure(t, "%d slots, %d requests a second: %.1f %% of a core with %d open dashboards (%d events), %.1f %% with none",
		manySlots, rate, with, manyDashboards, events, without)
}
