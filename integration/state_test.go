package integration

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hal0-dev/hal0/integration/bed"
)

// Issue 3, bar 7: a reload that changes one slot leaves the other alone: its
// process, and the stream on it.
func TestIssue3Bar7Reload(t *testing.T) {
	slots := func(b string) string {
		return scriptedConfig(map[string]string{"a": "--load,10ms", "b": b})
	}
	s := bed.NewSidecar(t, slots("--load,10ms")).Start()
	on := func(id string, more ...string) bed.Request {
		return bed.Request{Addr: addr(s), Path: chatPath, Body: chat(id, true, more...)}
	}
	wantStream(t, bed.Open(t, on("b", quick)))
	// Fifty tokens take longer than all that follows.
	stream := bed.Open(t, bed.Request{Addr: addr(s), Path: chatPath,
		Body: body("a", true, `"messages":[{"role":"user","content":"Count to fifty."}]`, knobs(`"tokens_per_second":10`))})
	frames(t, stream, 3)
	a, b := s.Slot("a"), s.Slot("b")
	s.Configure(slots("--load,20ms"))
	s.Signal(syscall.SIGHUP) // the change of the file would do, a moment later
	bed.Until(t, "b has gone", 10*time.Second, func() bool { return !bed.Alive(b.PID) })
	if said := strings.TrimSpace(text(t, wantStream(t, bed.Open(t, on("b", quick))))); said != strings.TrimSpace(toFive) {
		t.Errorf("b said %q after the reload", said)
	}
	if now := s.Slot("b"); now.PID == b.PID {
		t.Errorf("b is still process %d", b.PID)
	}
	if now := s.Slot("a"); now.PID != a.PID || now.Incarnation != a.Incarnation || now.Leases != 1 {
		t.Errorf("a was %+v and is %+v", a, now)
	}
	said := text(t, wantStream(t, stream))
	if !strings.HasSuffix(said, " forty-nine fifty") || strings.Count(said, " ") != 50 {
		t.Errorf("the stream across the reload says %q", said)
	}
	// A file that makes no sense changes nothing.
	s.Configure("route: {models: {a: {engine: demo, parallel: many}}}")
	s.Signal(syscall.SIGHUP)
	bed.Until(t, "the log says so", 10*time.Second, func() bool { return strings.Contains(s.Log(), "parallel") })
	if now := s.Slot("a"); now.PID != a.PID {
		t.Errorf("a was %+v and is %+v after a file that makes no sense", a, now)
	}
}

// Issue 3, bar 8: a second sidecar on the same state refuses, names the first,
// and does it no harm.
func TestIssue3Bar8SecondSidecar(t *testing.T) {
	s := scripted(t, map[string]string{"one": "--load,10ms"})
	ask := bed.Request{Addr: addr(s), Path: chatPath, Body: chat("one", true, knobs(`"tokens_per_second":5`))}
	stream := bed.Open(t, ask)
	frames(t, stream, 2)
	pid := s.Slot("one").PID
	cmd := exec.Command(bed.Hal0(t), "serve", "--state="+s.State(), "--listen.data=127.0.0.1:0", "--listen.control=127.0.0.1:0")
	cmd.Env = bed.Environment()
	second := bed.Start(t, "second", cmd)
	if code := second.Wait(10 * time.Second); code != 1 {
		t.Errorf("the second sidecar ended with %d", code)
	}
	if said := second.Log(); !strings.Contains(said, fmt.Sprint(s.PID())) || !strings.Contains(said, "state") {
		t.Errorf("it does not name the first, process %d: %s", s.PID(), said)
	}
	if said := text(t, wantStream(t, stream)); said != toFive {
		t.Errorf("the first one's stream says %q", said)
	}
	if now := s.Slot("one").PID; now != pid {
		t.Errorf("the first one's engine was %d and is %d", pid, now)
	}
}

// Issue 3, bar 8: with a full disk under its state, the sidecar serves whatever
// needs no launch, and says of a launch why there is none.
func TestIssue3Bar8FullDisk(t *testing.T) {
	disk := t.TempDir()
	if err := syscall.Mount("none", disk, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("mount a small disk: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(disk, 0); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	s := bed.NewSidecar(t, scriptedConfig(map[string]string{"up": "--load,10ms", "down": "--load,10ms"}))
	s.SetState(disk)
	s.Start()
	ask := bed.Request{Addr: addr(s), Path: chatPath, Body: chat("up", true, quick)}
	wantStream(t, bed.Open(t, ask))
	fill(t, disk)
	for range 20 {
		wantStream(t, bed.Open(t, ask))
	}
	if status, list := bed.Get(t, s.DataURL()+"/v1/models"); status != 200 || !strings.Contains(list, `"down"`) {
		t.Errorf("/v1/models: %d %s", status, list)
	}
	cold := bed.Open(t, bed.Request{Addr: addr(s), Path: chatPath, Body: chat("down", true, quick)})
	if cold.Status == 200 { // the journal is elsewhere: a tmpfs of the system's
		wantStream(t, cold)
		t.Log("the journal is on another disk: the launch went on")
	} else {
		wantRefused(t, cold, cold.Status, "slot.load_failed", "slot.crash_looping")
	}
	if err := os.Remove(filepath.Join(disk, "filler")); err != nil {
		t.Fatal(err)
	}
	bed.Until(t, "the other slot starts once there is room", 30*time.Second, func() bool {
		a := bed.Open(t, bed.Request{Addr: addr(s), Path: chatPath, Body: chat("down", true, quick)})
		return a.Status == 200 && strings.HasSuffix(a.Body(), "data: [DONE]\n\n")
	})
}

// fill writes to a disk until nothing more goes in.
func fill(t testing.TB, disk string) {
	t.Helper()
	f, err := os.Create(filepath.Join(disk, "filler"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for size := 64 << 10; size > 0; size /= 2 {
		for {
			if _, err := f.Write(make([]byte, size)); err != nil {
				break
			}
		}
	}
}
