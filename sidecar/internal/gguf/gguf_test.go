package gguf

import (
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
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

// The same against a real llama.cpp, where there is one beside LLAMA_SERVER.
func TestNeedAgainstLlamaCPP(t *testing.T) {
	tool := filepath.Join(filepath.Dir(os.Getenv("LLAMA_SERVER")), "llama-fit-params")
	if _, err := os.Stat(tool); err != nil || os.Getenv("LLAMA_SERVER") == "" {
		t.Skip("LLAMA_SERVER is not set, or there is no llama-fit-params beside it")
	}
	for _, c := range runs {
		path := c.model(t)
		out, err := exec.Command(tool, "-m", path, "-c", fmt.Sprint(c.run.Context*c.run.Parallel), "-np", fmt.Sprint(c.run.Parallel), "-fitp", "on").Output()
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSpace(string(out)), "\n")
		var measured [3]int64
		if _, err := fmt.Sscanf(lines[len(lines)-1], "Host %d %d %d", &measured[0], &measured[1], &measured[2]); err != nil {
			t.Fatalf("%q: %v", out, err)
		}
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
