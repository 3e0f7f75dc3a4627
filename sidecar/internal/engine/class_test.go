package engine

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write golden files")

// golden compares got with a file of testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := "testdata/" + name
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs (run with -update and look):\n%s", name, got)
	}
}

func TestClasses(t *testing.T) {
	b, err := os.ReadFile("testdata/endings.txt")
	if err != nil {
		t.Fatal(err)
	}
	llama := llamaCPP("llama-server")
	var out strings.Builder
	for _, block := range strings.Split(string(b), "--- ")[1:] {
		name, text, _ := strings.Cut(block, "\n")
		var tail []string
		if text = strings.TrimSpace(text); text != "" {
			tail = strings.Split(text, "\n")
		}
		class, line := llama.Classify(Ending{Tail: tail})
		fmt.Fprintf(&out, "%-32s %-18s %s\n", name, class, line)
	}
	golden(t, "classes.golden", out.String())
}

func TestKernelKillIsOOMWhateverTheLogSays(t *testing.T) {
	if class, _ := llamaCPP("x").Classify(Ending{OOM: true, Tail: []string{"error: invalid argument: --x"}}); class != ClassOOM {
		t.Error(class)
	}
}

// A tail that every rule reads must not be able to hang or crash the reader.
func FuzzClassify(f *testing.F) {
	f.Add("failed to load model\nout of memory")
	t := llamaCPP("x")
	f.Fuzz(func(tt *testing.T, s string) {
		class, line := t.Classify(Ending{Tail: strings.Split(s, "\n")})
		if class == "" || !strings.Contains(s, line) {
			tt.Errorf("%q: class %q, line %q", s, class, line)
		}
	})
}
