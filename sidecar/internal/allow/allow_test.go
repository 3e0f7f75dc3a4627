package allow

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hal0-dev/hal0/plugin/wire"
)

func TestCheck(t *testing.T) {
	rules := Rules{Dir: "/srv/models", Models: []string{"hf:*", "/opt/one.gguf"}, Engines: []string{"llama.cpp", "demo"}, Args: []string{"--temp", "--rope-*"}}
	for _, c := range []struct {
		name, engine, model, args string
		refused                   string // what the message names; "" = allowed
	}{
		{"file by name", "llama.cpp", "a/b.gguf", "", ""},
		{"file by path", "llama.cpp", "/srv/models/a.gguf", "", ""},
		{"from the hub", "llama.cpp", "hf:o/r:Q8_0", "", ""},
		{"by pattern", "llama.cpp", "/opt/one.gguf", "", ""},
		{"no model", "demo", "", "", ""},
		{"another file", "llama.cpp", "/etc/passwd", "", "allow.models"},
		{"up and out", "llama.cpp", "../secret", "", "allow.models"},
		{"up and out by path", "llama.cpp", "/srv/models/../../etc/passwd", "", "allow.models"},
		{"a neighbour with the same beginning", "llama.cpp", "/srv/models2/a", "", "allow.models"},
		{"an address", "llama.cpp", "http://evil/x.gguf", "", "allow.models"},
		{"a file address", "llama.cpp", "file:///etc/passwd", "", "allow.models"},
		{"unknown engine", "shell", "a.gguf", "", "allow.engines"},
		{"no engine", "", "a.gguf", "", "allow.engines"},
		{"allowed flag", "llama.cpp", "a.gguf", "--temp 0.5", ""},
		{"allowed flag with value", "llama.cpp", "a.gguf", "--temp=0.5 --rope-scale=2", ""},
		{"forbidden flag", "llama.cpp", "a.gguf", "--temp=0 --model=/etc/passwd", "allow.args"},
		{"forbidden short flag", "llama.cpp", "a.gguf", "-m /etc/passwd", "allow.args"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := rules.Check(wire.Model{Slot: "s", Engine: c.engine, Model: c.model, Args: strings.Fields(c.args)})
			switch {
			case c.refused == "" && f != nil:
				t.Errorf("refused: %s", f.Why())
			case c.refused != "" && f == nil:
				t.Error("allowed")
			case f != nil && (f.Key != c.refused || !strings.Contains(f.Why(), c.refused)):
				t.Errorf("refusal = %+v, want one that names %s", f, c.refused)
			case f != nil && (f.Failure().Code != wire.CodeNotAllowed || f.Failure().Details.Retryable || strings.Contains(f.Failure().Message, f.Value) && f.Value != ""):
				t.Errorf("failure = %+v, want a final one that does not repeat %q", f.Failure(), f.Value)
			}
		})
	}
}

func TestResolveFollowsLinks(t *testing.T) {
	root := t.TempDir()
	dir := filepath.Join(root, "models")
	outside := filepath.Join(root, "secret")
	for _, step := range []error{
		os.Mkdir(dir, 0o755),
		os.WriteFile(outside, nil, 0o600),
		os.WriteFile(filepath.Join(dir, "a.gguf"), nil, 0o600),
		os.Symlink("a.gguf", filepath.Join(dir, "in.gguf")),
		os.Symlink(outside, filepath.Join(dir, "out.gguf")),
	} {
		if step != nil {
			t.Fatal(step)
		}
	}
	rules := Rules{Dir: dir, Models: []string{outside}}
	for _, c := range []struct {
		name string
		own  bool
		want string
		err  error
	}{
		{"a.gguf", false, "a.gguf", nil},
		{"in.gguf", false, "a.gguf", nil},
		{"out.gguf", false, "", ErrOutside},
		{"out.gguf", true, "../secret", nil},
		{outside, false, "../secret", nil},
		{"none.gguf", false, "", fs.ErrNotExist},
	} {
		got, err := rules.Resolve(c.name, c.own)
		if !errors.Is(err, c.err) {
			t.Errorf("Resolve(%s, %v): %v, want %v", c.name, c.own, err, c.err)
			continue
		}
		real, _ := filepath.EvalSymlinks(dir)
		if c.want != "" && got != filepath.Join(real, c.want) {
			t.Errorf("Resolve(%s, %v) = %s, want %s", c.name, c.own, got, c.want)
		}
	}
}
