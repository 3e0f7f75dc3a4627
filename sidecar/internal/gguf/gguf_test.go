package gguf

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// model writes a whole file from a head of testdata, its weights a hole.
func model(t *testing.T, name string, size int64) string {
	t.Helper()
	head, err := os.ReadFile("testdata/" + name + ".head")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), name+".gguf")
	if err := os.WriteFile(path, head, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, size); err != nil {
		t.Fatal(err)
	}
	return path
}

func mid(t *testing.T) string { return model(t, "mid", 253132512) }
func big(t *testing.T) string { return model(t, "big", 2419126400) }

// runs are what llama-fit-params of llama.cpp 0.7.0 said, in MiB: weights, cache
// and compute buffers.
var runs = []struct {
	model    func(*testing.T) string
	run      Run
	measured [3]int64
}{
	{mid, Run{Context: 4096, Parallel: 1}, [3]int64{241, 64, 38}},
	{mid, Run{Context: 8192, Parallel: 1}, [3]int64{241, 128, 42}},
	{mid, Run{Context: 4096, Parallel: 4}, [3]int64{241, 256, 38}},
	{big, Run{Context: 4096, Parallel: 1}, [3]int64{2307, 384, 60}},
	{big, Run{Context: 8192, Parallel: 1}, [3]int64{2307, 768, 64}},
	{big, Run{Context: 32768, Parallel: 1}, [3]int64{2307, 3072, 88}},
	{big, Run{Context: 4096, Parallel: 4}, [3]int64{2307, 1536, 60}},
}

func TestNeed(t *testing.T) {
	for _, c := range runs {
		m, err := Open(c.model(t))
		if err != nil {
			t.Fatal(err)
		}
		n, err := m.Need(c.run)
		if err != nil {
			t.Fatal(err)
		}
		compare(t, c.run, n, c.measured)
	}
}

func compare(t *testing.T, r Run, n Need, measured [3]int64) {
	t.Helper()
	want := (measured[0] + measured[1] + measured[2]) << 20
	off := float64(n.Total()-want) / float64(want)
	t.Logf("%+v: %d MiB, llama.cpp %d MiB: %+.2f %%", r, n.Total()>>20, want>>20, 100*off)
	if math.Abs(off) > 0.05 {
		t.Errorf("%+v: off by %.1f %%: %+v, measured %v", r, 100*off, n, measured)
	}
}

// The same against a real llama-server, which plans before it loads.
func TestNeedAgainstLlamaServer(t *testing.T) {
	server := os.Getenv("LLAMA_SERVER")
	if server == "" {
		server = filepath.Join(os.Getenv("HAL0_CACHE"), "llama-server") // where integration/install puts it
	}
	if _, err := exec.LookPath(server); err != nil {
		t.Skip("no llama-server in LLAMA_SERVER or HAL0_CACHE")
	}
	for _, c := range runs {
		path := c.model(t)
		measured := planned(t, server, path, c.run)
		m, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		n, err := m.Need(c.run)
		if err != nil {
			t.Fatal(err)
		}
		compare(t, c.run, n, measured)
	}
}

// planned runs llama-server until it says what it plans to take.
func planned(t *testing.T, server, model string, r Run) [3]int64 {
	t.Helper()
	c := exec.Command(server, "--model", model, "--ctx-size", fmt.Sprint(r.Context*r.Parallel), "--parallel", fmt.Sprint(r.Parallel),
		"--device", "none", "--host", "127.0.0.1", "--port", "0", "--log-jsonl")
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = c.Process.Kill() // it may have ended
		_ = c.Wait()
	}()
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		var event struct {
			Type string
			Data struct {
				Rows []struct{ Model, Context, Compute int64 }
			}
		}
		if json.Unmarshal(lines.Bytes(), &event) == nil && event.Type == "fit_memory_breakdown" && len(event.Data.Rows) == 1 {
			row := event.Data.Rows[0]
			return [3]int64{row.Model, row.Context, row.Compute}
		}
	}
	t.Fatal("llama-server did not say what it plans")
	return [3]int64{}
}

func TestOpen(t *testing.T) {
	m, err := Open(big(t))
	if err != nil || m.Architecture != "llama" || m.Context != 32768 || m.Parameters != 1209452544 {
		t.Errorf("%+v %v", m, err)
	}
}

func TestCacheTypesShrinkTheCache(t *testing.T) {
	m, err := Open(mid(t))
	if err != nil {
		t.Fatal(err)
	}
	full, err := m.Need(Run{Context: 8192, Parallel: 1})
	if err != nil {
		t.Fatal(err)
	}
	small, err := m.Need(Run{Context: 8192, Parallel: 1, CacheK: "q8_0", CacheV: "q4_0"})
	if err != nil {
		t.Fatal(err)
	}
	if want := full.Cache / 2 * (34 + 18) / 64; small.Cache != want {
		t.Errorf("%d, want %d", small.Cache, want)
	}
}

func TestNoModel(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.gguf")
	if err := os.WriteFile(path, []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{path, path + ".none"} {
		if m, err := Open(p); err == nil {
			t.Errorf("%+v", m)
		}
	}
	m, err := Open(mid(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range []Run{{}, {Context: -1, Parallel: 1}, {Context: math.MaxInt64, Parallel: 1}, {Context: 1 << 20, Parallel: 1 << 20}} {
		if n, err := m.Need(r); err == nil {
			t.Errorf("%+v needs %+v", r, n)
		}
	}
}

// Files come from strangers: whatever is in one, reading it ends with a model or
// an error.
func FuzzOpen(f *testing.F) {
	head, err := os.ReadFile("testdata/mid.head")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(head)
	f.Add(head[:100])
	f.Fuzz(func(t *testing.T, b []byte) {
		path := filepath.Join(t.TempDir(), "x.gguf")
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		m, err := Open(path)
		if err != nil {
			return
		}
		if n, err := m.Need(Run{Context: 4096, Parallel: 1}); err == nil && n.Weights < 0 {
			t.Errorf("%+v", n)
		}
	})
}
