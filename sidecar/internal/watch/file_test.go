package watch

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fsnotify/fsnotify"
)

// write writes a file in place.
func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func rename(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

func link(t *testing.T, target, at string) {
	t.Helper()
	if err := os.Symlink(target, at); err != nil {
		t.Fatal(err)
	}
}

func folder(t *testing.T, path string) string {
	t.Helper()
	if err := os.MkdirAll(path, 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// swap puts a link to target where there is one, as ln -sfn does by a rename.
func swap(t *testing.T, target, at string) {
	t.Helper()
	link(t, target, at+".next")
	rename(t, at+".next", at)
}

// TestEveryWayToChange changes files in the ways of people and of programs, and
// waits for the kernel to say so. Each way ends with the content "new", and is
// followed by a change in place, which is found only where the right things are
// watched by then.
func TestEveryWayToChange(t *testing.T) {
	for name, way := range map[string]struct {
		has    func(t *testing.T, dir string) (path string)
		change func(t *testing.T, dir string)
	}{
		"written in place": {
			has:    func(t *testing.T, dir string) string { return filepath.Join(dir, "f") },
			change: func(t *testing.T, dir string) { write(t, filepath.Join(dir, "f"), "new") },
		},
		"replaced by a rename": {
			has: func(t *testing.T, dir string) string { return filepath.Join(dir, "f") },
			change: func(t *testing.T, dir string) {
				write(t, filepath.Join(dir, "f~"), "new")
				rename(t, filepath.Join(dir, "f~"), filepath.Join(dir, "f"))
			},
		},
		"moved away first": {
			has: func(t *testing.T, dir string) string { return filepath.Join(dir, "f") },
			change: func(t *testing.T, dir string) {
				rename(t, filepath.Join(dir, "f"), filepath.Join(dir, "f.bak"))
				write(t, filepath.Join(dir, "f"), "new")
			},
		},
		"written under another name, as a file is that is mounted alone": {
			has: func(t *testing.T, dir string) string {
				if err := os.Link(filepath.Join(dir, "f"), filepath.Join(folder(t, filepath.Join(dir, "mounted")), "f")); err != nil {
					t.Fatal(err)
				}
				return filepath.Join(dir, "mounted", "f")
			},
			change: func(t *testing.T, dir string) { write(t, filepath.Join(dir, "f"), "new") },
		},
		"behind a link, in another folder": {
			has: func(t *testing.T, dir string) string {
				folder(t, filepath.Join(dir, "there"))
				rename(t, filepath.Join(dir, "f"), filepath.Join(dir, "there", "g"))
				link(t, filepath.Join("there", "g"), filepath.Join(dir, "f"))
				return filepath.Join(dir, "f")
			},
			change: func(t *testing.T, dir string) {
				write(t, filepath.Join(dir, "there", "g~"), "new")
				rename(t, filepath.Join(dir, "there", "g~"), filepath.Join(dir, "there", "g"))
			},
		},
		"a link that leads elsewhere": {
			has: func(t *testing.T, dir string) string {
				rename(t, filepath.Join(dir, "f"), filepath.Join(dir, "one"))
				link(t, filepath.Join(dir, "one"), filepath.Join(dir, "f"))
				return filepath.Join(dir, "f")
			},
			change: func(t *testing.T, dir string) {
				write(t, filepath.Join(dir, "two"), "new")
				swap(t, filepath.Join(dir, "two"), filepath.Join(dir, "f"))
			},
		},
		"a ConfigMap of Kubernetes": {
			has: func(t *testing.T, dir string) string {
				rename(t, filepath.Join(dir, "f"), filepath.Join(folder(t, filepath.Join(dir, "..1")), "f"))
				link(t, "..1", filepath.Join(dir, "..data"))
				link(t, filepath.Join("..data", "f"), filepath.Join(dir, "f"))
				return filepath.Join(dir, "f")
			},
			change: func(t *testing.T, dir string) {
				write(t, filepath.Join(folder(t, filepath.Join(dir, "..2")), "f"), "new")
				swap(t, "..2", filepath.Join(dir, "..data"))
				if err := os.RemoveAll(filepath.Join(dir, "..1")); err != nil {
					t.Fatal(err)
				}
			},
		},
		"a folder that is replaced": {
			has: func(t *testing.T, dir string) string {
				rename(t, filepath.Join(dir, "f"), filepath.Join(folder(t, filepath.Join(dir, "etc")), "f"))
				return filepath.Join(dir, "etc", "f")
			},
			change: func(t *testing.T, dir string) {
				write(t, filepath.Join(folder(t, filepath.Join(dir, "next")), "f"), "new")
				rename(t, filepath.Join(dir, "etc"), filepath.Join(dir, "last"))
				rename(t, filepath.Join(dir, "next"), filepath.Join(dir, "etc"))
			},
		},
		"a folder that was away": {
			has: func(t *testing.T, dir string) string {
				rename(t, filepath.Join(dir, "f"), filepath.Join(folder(t, filepath.Join(dir, "etc")), "f"))
				return filepath.Join(dir, "etc", "f")
			},
			change: func(t *testing.T, dir string) {
				if err := os.RemoveAll(filepath.Join(dir, "etc")); err != nil {
					t.Fatal(err)
				}
				write(t, filepath.Join(folder(t, filepath.Join(dir, "etc")), "f"), "new")
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			write(t, filepath.Join(dir, "f"), "old")
			path := way.has(t, dir)
			f, err := Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			way.change(t, dir)
			await(t, f)
			if now, err := os.ReadFile(path); err != nil || string(now) != "new" {
				t.Fatalf("told of %q, %v", now, err)
			}
			write(t, path, "newer")
			await(t, f)
		})
	}
}

func await(t *testing.T, f *File) {
	t.Helper()
	select {
	case <-f.Changed():
	case <-time.After(20 * time.Second):
		t.Fatal("nothing is said of the change")
	}
}

func TestNothingToWatch(t *testing.T) {
	if f, err := Open(filepath.Join(t.TempDir(), "no", "such", "folder", "f")); err == nil {
		f.Close()
		t.Error("a file in a folder that is not there is watched")
	}
}

// rung is a bell that tests ring.
type rung struct {
	events chan fsnotify.Event
	errs   chan error
	list   []string
}

func (r *rung) Add(path string) error        { r.list = append(r.list, path); return nil }
func (r *rung) Remove(string) error          { return fsnotify.ErrNonExistentWatch }
func (r *rung) Close() error                 { close(r.events); close(r.errs); return nil }
func (r *rung) Heard() <-chan fsnotify.Event { return r.events }
func (r *rung) Failed() <-chan error         { return r.errs }

func (r *rung) WatchList() []string {
	list := r.list
	r.list = nil
	return list
}

// step is something that happens to the watched file, and whether a change is
// told of before the next.
type step struct {
	about   string
	do      func(path string)
	after   time.Duration // that passes afterwards
	changed bool
}

func TestWhatIsAChange(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	write(t, path, "old")
	synctest.Test(t, func(t *testing.T) {
		bell := &rung{events: make(chan fsnotify.Event), errs: make(chan error)}
		f, err := open(path, bell)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range happenings(t, path, bell) {
			s.do(path)
			time.Sleep(s.after)
			synctest.Wait()
			changed := false
			select {
			case <-f.Changed():
				changed = true
			default:
			}
			if changed != s.changed {
				t.Errorf("%s: a change is told of: %v", s.about, changed)
			}
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestTrail(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	in := func(names ...string) string { return filepath.Join(append([]string{dir}, names...)...) }
	write(t, filepath.Join(folder(t, in("real", "deep")), "f"), "x")
	link(t, "real", in("etc"))
	link(t, filepath.Join("..", "real", "deep", "f"), in("real", "up"))
	link(t, in("real", "up"), in("absolute"))
	link(t, "round", in("round"))
	for path, want := range map[string][]string{
		in("real", "deep", "f"):   {in("real", "deep", "f")},
		in("etc", "deep", "f"):    {in("etc"), in("real", "deep", "f")},
		in("absolute"):            {in("absolute"), in("real", "up"), in("real", "deep", "f")},
		in("etc", "missing", "f"): {in("etc"), in("real", "missing", "f")},
		dir + "/etc/../nothing":   {in("etc"), in("nothing")},
	} {
		if got := trail(path); !slices.Equal(got, want) {
			t.Errorf("trail(%s) = %q, want %q", path, got, want)
		}
	}
	if got := trail(in("round")); len(got) != maxLinks+1 {
		t.Errorf("a link to itself has %d steps", len(got))
	}
}

// happenings are what befalls the file of TestWhatIsAChange, one after another.
func happenings(t *testing.T, path string, bell *rung) []step {
	ring := func(p string) { bell.events <- fsnotify.Event{Name: p} }
	writes := func(content string) func(string) {
		return func(p string) { write(t, p, content); ring(p) }
	}
	remove := func(p string) {
		if err := os.Remove(p); err != nil {
			t.Fatal(err)
		}
		ring(p)
	}
	return []step{
		{"nothing", func(string) {}, time.Hour, false},
		{"touched", ring, time.Minute, false},
		{"written", writes("one"), settle - 1, false},
		{"written on", writes("one and"), settle - 1, false},
		{"written to its end", writes("one and all"), settle, true},
		{"nothing more", func(string) {}, time.Minute, false},
		{"another file of the folder", func(string) { write(t, path, "two"); ring(path + "~") }, time.Minute, false},
		{"the folder", func(string) { ring(filepath.Dir(path)) }, settle, true},
		{"emptied", writes(""), time.Minute, false},
		{"filled again, unheard", func(p string) { write(t, p, "two") }, time.Minute, false},
		{"removed", remove, time.Minute, false},
		{"back, unheard", func(p string) { write(t, p, "two") }, time.Minute, false},
		{"removed again", remove, time.Minute, false},
		{"back with something new, unheard", func(p string) { write(t, p, "three") }, missing, true},
		{"changed, and events were lost", func(p string) { write(t, p, "four"); bell.errs <- errors.New("overflow") }, settle, true},
		{"changed", writes("five"), settle, true},
	}
}
