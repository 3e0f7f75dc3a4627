package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/hal0-dev/hal0/integration/bed"
)

// The engine and the proxy are this program itself.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && own(os.Args[1:]) {
		return
	}
	bed.Main(m)
}

// A short run measures every quantity of every way.
func TestBench(t *testing.T) {
	bed.Tool(t, "traefik")
	bed.Tool(t, "llama-server")
	dir := t.TempDir()
	o := options{rounds: 1, streams: 8, gap: 10 * time.Millisecond, paced: 200 * time.Millisecond, boots: 1, requests: 64,
		json: filepath.Join(dir, "bench.json"), svg: filepath.Join(dir, "bench.svg")}
	p := newProgram()
	t.Cleanup(p.end)
	var out bytes.Buffer
	if err := p.run(func() error { return bench(p, o, &out) }); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(o.json)
	if err != nil {
		t.Fatal(err)
	}
	var told report
	if err := json.Unmarshal(text, &told); err != nil {
		t.Fatal(err)
	}
	for _, w := range []string{wayEngine, wayProxy, wayTraefik, waySidecar, wayBare, wayAll} {
		for _, what := range []string{"first event, 1 at a time, p50", "first event, 64 at a time, p99", "requests a second, 16 at a time", "gap between events, p99"} {
			if f := told.figure(w, what); f == nil || f.Median <= 0 {
				t.Errorf("%s of %s was not measured: %+v", what, w, f)
			}
		}
	}
	for _, w := range []string{wayByHand, wayCold} {
		if f := told.figure(w, coldStart); f == nil || f.Median <= 0 {
			t.Errorf("%s was not measured", w)
		}
	}
	if d, ok := told.difference(wayAll, wayBare, "CPU per request, traefik"); !ok || d <= 0 {
		t.Errorf("the plugin takes %v µs a request", d)
	}
	if svg, err := os.ReadFile(o.svg); err != nil || !bytes.HasSuffix(svg, []byte("</svg>\n")) {
		t.Errorf("no picture: %v", err)
	}
}
