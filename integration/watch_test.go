package integration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hal0-dev/hal0/integration/bed"
)

// Issue 3: a change of the sidecar's own file is taken as it happens, however it
// is made, and moves only the slots that it is about.
func TestIssue3FileWatch(t *testing.T) {
	slots := func(b string) string {
		return scriptedConfig(map[string]string{"a": "--load,10ms", "b": b})
	}
	s := bed.NewSidecar(t, slots("--load,10ms")).Start()
	ask := func(id string) {
		t.Helper()
		wantStream(t, bed.Open(t, bed.Request{Addr: addr(s), Path: chatPath, Body: chat(id, true, quick)}))
	}
	ask("a")
	ask("b")
	a := s.Slot("a")
	for _, change := range []struct {
		name string
		make func()
	}{
		{"written in place, in steps", func() { inSteps(t, s.ConfigFile(), slots("--load,20ms")) }},
		{"replaced", func() { s.Configure(slots("--load,30ms")) }},
		{"a link to another file", func() { linked(t, s.ConfigFile(), slots("--load,40ms")) }},
		{"that file written", func() { inSteps(t, s.ConfigFile(), slots("--load,50ms")) }},
		{"away, and back as something else", func() {
			if err := os.Remove(s.ConfigFile()); err != nil {
				t.Fatal(err)
			}
			inSteps(t, s.ConfigFile(), slots("--load,60ms"))
		}},
	} {
		b := s.Slot("b")
		change.make()
		bed.Until(t, "b has gone: "+change.name, 10*time.Second, func() bool { return !bed.Alive(b.PID) })
		ask("b")
		if now := s.Slot("a"); now.PID != a.PID || now.Incarnation != a.Incarnation {
			t.Errorf("%s: a was %+v and is %+v", change.name, a, now)
		}
	}
	b := s.Slot("b")
	s.Configure("route: {models: {a: {engine: demo, parallel: many}}}")
	bed.Until(t, "the log says so", 10*time.Second, func() bool { return strings.Contains(s.Log(), "parallel") })
	s.Configure(slots("--load,60ms"))
	bed.Until(t, "the file is taken that is as the one before", 10*time.Second, func() bool { return strings.Count(s.Log(), "configuration taken") == 6 })
	for _, was := range []bed.Slot{a, b} {
		ask(was.ID)
		if now := s.Slot(was.ID); now.PID != was.PID {
			t.Errorf("%s was %+v and is %+v after a file that makes no sense", was.ID, was, now)
		}
	}
	if n := strings.Count(s.Log(), "configuration is not taken"); n != 1 {
		t.Errorf("one file was refused %d times", n)
	}
}

// inSteps writes a file as some editors do: it is empty for a moment, then half
// there.
func inSteps(t testing.TB, path, content string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, part := range []string{content[:len(content)/2], content[len(content)/2:]} {
		if _, err := f.WriteString(part); err != nil {
			t.Fatal(err)
		}
		if err := f.Sync(); err != nil {
			t.Fatal(err)
		}
	}
}

// linked puts a link to a file with that content where a file is.
func linked(t testing.TB, path, content string) {
	t.Helper()
	target := filepath.Join(t.TempDir(), "linked.yml")
	if err := os.WriteFile(target, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, path+".link"); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".link", path); err != nil {
		t.Fatal(err)
	}
}
