package integration

import (
	"bufio"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hal0-dev/hal0/integration/bed"
)

// many is how many streams run at a time while something happens to Traefik or
// to the sidecar.
const many = 50

const manyModels = `
models:
  demo: {engine: demo, memory: 64MiB, parallel: "256", coalesce: "off"}
`

// counting is the body of a request for a stream of n tokens.
func counting(n, perSecond int) string {
	return body("demo", true, fmt.Sprintf(`"messages":[{"role":"user","content":"Count to %d."}]`, n), knobs(fmt.Sprintf(`"tokens_per_second":%d`, perSecond)))
}

// Issue 5, bar 3: Traefik takes a new configuration again and again while
// streams run: none of them breaks, and nothing is left of the old instances.
func TestIssue5Bar3Reloads(t *testing.T) {
	t.Parallel()
	bed.Tool(t, "traefik")
	s := bed.NewSidecar(t, "").Start()
	e := bed.NewEdge(t, s, manyModels, "--providers.providersthrottleduration=1ms", "--metrics.prometheus=true")
	want := text(t, wantStream(t, bed.Open(t, bed.Request{Addr: e.Web("127.0.0.1"), Path: chatPath, Body: counting(100, 0)})))
	stop := make(chan struct{})
	var streams sync.WaitGroup
	whole := make([]int, many)
	for i := range many {
		streams.Go(func() {
			for {
				a := bed.Open(t, bed.Request{Addr: e.Web("127.0.0.1"), Host: "hal0.lan", Path: chatPath, Body: counting(100, 25)})
				if got := text(t, wantStream(t, a)); got != want {
					t.Errorf("stream %d says %q", i, tail(got))
				}
				whole[i]++
				select {
				case <-stop:
					return
				default:
				}
			}
		})
	}
	n := bed.Times(100, 1000)
	warm := n / 4 // what the first ones leave is there once
	var before, resident int64
	for i := range n {
		if i == warm {
			before, resident = metric(t, e, "go_goroutines"), e.RSS()
		}
		reload(t, s, e, i)
	}
	after, grown := metric(t, e, "go_goroutines"), e.RSS()-resident
	close(stop)
	streams.Wait()
	all := 0
	for _, w := range whole {
		all += w
	}
	bed.Figure(t, "%d reloads under %d streams: %d streams whole; goroutines of Traefik %d, then %d; resident memory %+.1f MiB", n, many, all, before, after, float64(grown)/(1<<20))
	if after > before+many { // streams that are just being opened
		t.Errorf("Traefik has %d goroutines, and had %d", after, before)
	}
	if grown > 64<<20 {
		t.Errorf("Traefik takes %d bytes more", grown)
	}
}

// reload gives Traefik a configuration that it has not had, with a declaration
// that the sidecar has not had, and waits until it has taken it.
func reload(t testing.TB, s *bed.Sidecar, e *bed.Edge, i int) {
	t.Helper()
	taken := metric(t, e, "traefik_config_reloads_total")
	e.Configure(bed.Middleware(fmt.Sprintf("sidecar: %s\ntokenFile: %s%s  other: {engine: demo, aliases: generation-%d}\n", s.ControlURL(), s.TokenFile(), manyModels, i)))
	bed.Until(t, "Traefik has taken the configuration", 20*time.Second, func() bool {
		return metric(t, e, "traefik_config_reloads_total") > taken
	})
}

// metric is one of Traefik's own.
func metric(t testing.TB, e *bed.Edge, name string) int64 {
	t.Helper()
	for lines := bufio.NewScanner(strings.NewReader(e.Metrics())); lines.Scan(); {
		if value, ok := strings.CutPrefix(lines.Text(), name+" "); ok {
			n, err := strconv.ParseFloat(value, 64)
			if err != nil {
				t.Fatalf("read metric: %v", err)
			}
			return int64(n)
		}
	}
	t.Fatalf("Traefik has no metric %s", name)
	return 0
}

// Issue 5, bar 3: Traefik is told to stop: each stream has its ending.
func TestIssue5Bar3TraefikTerminated(t *testing.T) {
	t.Parallel()
	bed.Tool(t, "traefik")
	s := bed.NewSidecar(t, "").Start()
	e := bed.NewEdge(t, s, "shutdownAfter: 1s"+manyModels)
	wantStream(t, bed.Open(t, bed.Request{Addr: e.Web("127.0.0.1"), Path: chatPath, Body: counting(5, 0)}))
	var asked []bed.Request
	for range many {
		asked = append(asked, bed.Request{Addr: e.Web("127.0.0.1"), Host: "hal0.lan", Path: chatPath, Body: counting(1000, 25)})
	}
	streams := bed.OpenAll(t, asked...)
	for _, a := range streams {
		frames(t, a, 2)
	}
	told := time.Now()
	e.Signal(syscall.SIGTERM)
	for _, a := range streams {
		wantBroken(t, a, "edge.shutdown")
	}
	ended := time.Since(told)
	e.Wait(15 * time.Second)
	bed.Figure(t, "SIGTERM of Traefik under %d streams, shutdownAfter 1s: %d endings within %v, Traefik gone after %v", many, len(streams), ended.Round(time.Millisecond), time.Since(told).Round(time.Millisecond))
}

// Issue 5, bar 3: the sidecar is away while requests are held, and while others
// come: all are answered.
func TestIssue5Bar3SidecarAway(t *testing.T) {
	t.Parallel()
	bed.Tool(t, "traefik")
	away := time.Duration(bed.Times(2, 5)) * time.Second
	boot := 3 * time.Second
	config := fmt.Sprintf(`
engines:
  late: {command: [%s, demo-engine, --load, %v, --host, "{host}", --port, "{port}"], env: {HAL0_ENGINE_KEY: "{key}"}}
allow: {engines: [late]}
`, bed.Hal0(t), boot)
	s := bed.NewSidecar(t, config).Start()
	e := bed.NewEdge(t, s, "models: {late: {engine: late, memory: 64MiB, parallel: \"256\"}}")
	ask := func(i int) string { return chat("late", true, quick, fmt.Sprintf(`"seed":%d`, i)) }
	all := holdAll(t, 100, e.Web("127.0.0.1"), ask)
	bed.Until(t, "all are held", 20*time.Second, func() bool { return s.Slot("late").Waiting >= 100 })
	s.Kill()
	all = append(all, holdAll(t, 100, e.Web("127.0.0.1"), func(i int) string { return ask(100 + i) })...)
	time.Sleep(away) // the bar says so
	s.Start()
	wantAllServed(t, all, time.Minute)
	bed.Figure(t, "sidecar away for %v under 100 held and 100 new requests: %d answered", away, len(all))
}
