package proc_test

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/hal0-dev/hal0/sidecar/internal/proc"
)

func journal(t *testing.T, dir string) *proc.Journal {
	t.Helper()
	j, err := proc.OpenJournal(dir)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func entries(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.launch.json"))
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// What is left of a killed keeper is found wherever it went, and ended; a
// process that merely looks alike is not.
func TestReap(t *testing.T) {
	dir := t.TempDir()
	bystander, lines := process(t, "wait")
	<-lines
	keeper, lines := process(t, "keeper", dir)
	left := map[int]bool{}
	// A grandchild that has not said its line would end by SIGPIPE.
	for waiting := 0; len(left) < 3 || waiting < 2; {
		line := <-lines
		switch word, _, _ := strings.Cut(line, " "); word {
		case "leader", "grandchild":
			left[number(t, line)] = true
		case "waiting":
			waiting++
		default:
			t.Fatal(line)
		}
	}
	if n := len(entries(t, dir)); n != 1 {
		t.Fatalf("%d entries", n)
	}
	if err := syscall.Kill(keeper.PID(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-keeper.Done()
	found, err := journal(t, dir).Reap(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(found) < 2 { // the leader died with its parent
		t.Errorf("%+v", found)
	}
	for _, l := range found {
		if !left[l.PID] || !l.Gone || l.Executable != os.Args[0] {
			t.Errorf("%+v was ended", l)
		}
	}
	for pid := range left {
		awaitGone(t, pid)
	}
	if n := len(entries(t, dir)); n != 0 {
		t.Errorf("%d entries are left", n)
	}
	select {
	case <-bystander.Done():
		t.Error("a bystander was ended")
	default:
	}
}

// Numbers come round again: an entry whose number now is another process's
// must not harm it.
func TestReapSparesStrangers(t *testing.T) {
	stranger, lines := process(t, "wait")
	<-lines
	real := entryOf(t, stranger.PID())
	for name, change := range map[string]func(map[string]any){
		"other start":     func(e map[string]any) { e["start_ticks"] = e["start_ticks"].(float64) - 1 },
		"other boot":      func(e map[string]any) { e["home"].(map[string]any)["boot"] = "x" },
		"other namespace": func(e map[string]any) { e["home"].(map[string]any)["namespace"] = "x" },
		"no number":       func(e map[string]any) { delete(e, "pid") },
	} {
		dir := t.TempDir()
		e := map[string]any{}
		if err := json.Unmarshal(real, &e); err != nil {
			t.Fatal(err)
		}
		change(e)
		e["id"] = "X"
		writeEntry(t, dir, e)
		found, err := journal(t, dir).Reap(t.Context())
		if err != nil || len(found) != 0 {
			t.Errorf("%s: %+v %v", name, found, err)
		}
		if n := len(entries(t, dir)); n != 0 {
			t.Errorf("%s: the entry is left", name)
		}
	}
	select {
	case <-stranger.Done():
		t.Fatal("the stranger was ended")
	default:
	}
	dir := t.TempDir() // and with the true entry it is, so that the above says something
	e := map[string]any{}
	if err := json.Unmarshal(real, &e); err != nil {
		t.Fatal(err)
	}
	e["id"] = "X"
	writeEntry(t, dir, e)
	if found, err := journal(t, dir).Reap(t.Context()); err != nil || len(found) != 1 || found[0].PID != stranger.PID() {
		t.Errorf("%+v %v", found, err)
	}
	<-stranger.Done()
}

// entryOf is what a journal would say of a process.
func entryOf(t *testing.T, pid int) []byte {
	t.Helper()
	dir := t.TempDir()
	p, err := proc.Start(proc.Spec{Path: os.Args[0], Env: append(os.Environ(), behaviourVar+"=wait"), Journal: journal(t, dir)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := p.Kill(); err != nil {
			t.Error(err)
		}
		<-p.Done()
	}()
	b, err := os.ReadFile(entries(t, dir)[0])
	if err != nil {
		t.Fatal(err)
	}
	e := map[string]any{}
	if err := json.Unmarshal(b, &e); err != nil {
		t.Fatal(err)
	}
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	start, err := strconv.ParseFloat(strings.Fields(rest)[19], 64)
	if err != nil {
		t.Fatal(err)
	}
	e["pid"], e["start_ticks"] = pid, start
	b, err = json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func writeEntry(t *testing.T, dir string, e map[string]any) {
	t.Helper()
	b, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, e["id"].(string)+".launch.json"), b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestJournalFollowsTheProcess(t *testing.T) {
	dir := t.TempDir()
	p, err := proc.Start(proc.Spec{Path: os.Args[0], Args: []string{"0"}, Env: append(os.Environ(), behaviourVar+"=exit"), Journal: journal(t, dir)})
	if err != nil {
		t.Fatal(err)
	}
	<-p.Done()
	if n := len(entries(t, dir)); n != 0 {
		t.Errorf("%d entries after the end", n)
	}
	if _, err := proc.Start(proc.Spec{Path: dir + "/none", Journal: journal(t, dir)}); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	if n := len(entries(t, dir)); n != 0 {
		t.Errorf("%d entries after a start that failed", n)
	}
}

// A journal that cannot be written means no launch.
func TestNoLaunchWithoutJournal(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "journal")
	j := journal(t, dir)
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	ran := filepath.Join(t.TempDir(), "ran")
	if _, err := proc.Start(proc.Spec{Path: "/bin/sh", Args: []string{"-c", "touch " + ran}, Journal: j}); !errors.Is(err, proc.ErrJournal) {
		t.Error(err)
	}
	if _, err := os.Stat(ran); !errors.Is(err, fs.ErrNotExist) {
		t.Error("it ran")
	}
}

func TestDamagedEntriesAreDropped(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{"a": "", "b": "{", "c": `{"id":"d"}`} {
		if err := os.WriteFile(filepath.Join(dir, name+".launch.json"), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if found, err := journal(t, dir).Reap(t.Context()); err != nil || len(found) != 0 || len(entries(t, dir)) != 0 {
		t.Error(found, err, entries(t, dir))
	}
}

func TestUsageAndLife(t *testing.T) {
	p, lines := process(t, "grow")
	<-lines
	before, err := p.Usage()
	if err != nil || before.RSS == 0 || before.PeakRSS < before.RSS {
		t.Fatalf("%+v %v", before, err)
	}
	if err := syscall.Kill(p.PID(), syscall.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	for {
		u, err := p.Usage()
		if err != nil {
			t.Fatal(err)
		}
		if u.RSS-before.RSS >= 32<<20 {
			break
		}
	}
	if life, spoke := p.Life(), p.LastLine(); !life.After(spoke) {
		t.Errorf("life %v, last line %v", life, spoke)
	}
	if err := p.Kill(); err != nil {
		t.Fatal(err)
	}
	<-p.Done()
	if _, err := p.Usage(); err == nil {
		t.Error("usage after the end")
	}
}
