package integration

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hal0-dev/hal0/integration/bed"
)

// Issue 3, bar 8: whatever nvidia-smi does, doctor says so and what to do, and
// slots that need no GPU go on.

// drivers are programs in place of nvidia-smi, as shell scripts, and what doctor
// says of them. {fixtures} is where its recorded outputs are.
var drivers = []struct {
	name, script string
	says         string // "" = nothing is wrong
}{
	{"no driver", `echo "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver."; exit 9`, "couldn't communicate with the NVIDIA driver"},
	{"library missing", `echo "Failed to initialize NVML: Driver/library version mismatch"; exit 18`, "version mismatch"},
	{"not a program", ``, "nvidia-smi"},
	{"killed", `kill -SEGV $$`, "segmentation fault"},
	{"hangs", `exec sleep 100000`, "does not answer"},
	{"hangs and will not end", `trap '' TERM INT HUP; sleep 100000 & wait; sleep 100000`, "does not answer"},
	{"prints for ever", `exec yes '<nvidia_smi_log><gpu>'`, "does not answer"},
	{"garbage", `head -c 100000 /dev/urandom`, "parse nvidia-smi"},
	{"nothing", `exit 0`, "parse nvidia-smi"},
	{"cut short", `head -c 1000 {fixtures}/two.xml`, "parse nvidia-smi"},
	{"N/A", `cat {fixtures}/unified.xml`, ""},
	{"two cards", `cat {fixtures}/two.xml`, ""},
}

// driver puts the script on a PATH of its own, before the others.
func driver(t testing.TB, script string) (path string) {
	t.Helper()
	dir := t.TempDir()
	fixtures := filepath.Join(bed.Root(), "sidecar", "internal", "device", "testdata", "nvidia")
	text := "#!/bin/sh\n" + strings.ReplaceAll(script, "{fixtures}", "'"+fixtures+"'") + "\n"
	if script == "" {
		text = "\x7fELF which it is not"
	}
	if err := os.WriteFile(filepath.Join(dir, "nvidia-smi"), []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	return "PATH=" + dir + string(filepath.ListSeparator) + os.Getenv("PATH")
}

// doctorBound is what doctor may take: the limit that it sets itself, and a
// machine that is busy with something else.
const doctorBound = 20 * time.Second

func TestIssue3Bar8Doctor(t *testing.T) {
	for _, d := range drivers {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			marked := mark()
			cmd := exec.Command(bed.Hal0(t), "doctor", "--state="+t.TempDir(), "--models="+t.TempDir(), "--llamaServer=/bin/true",
				"--listen.data=127.0.0.1:0", "--listen.control=127.0.0.1:0")
			cmd.Env = append(bed.Environment(), driver(t, d.script), marked)
			began := time.Now()
			p := bed.Start(t, "doctor", cmd)
			code := p.Wait(doctorBound)
			took := time.Since(began)
			said := p.Log()
			switch {
			case d.says == "":
				if code != 0 || strings.Contains(said, "problem") || !strings.Contains(said, "NVIDIA") {
					t.Errorf("exit status %d: %s", code, said)
				}
			case code != 1 || !strings.Contains(said, d.says) || !strings.Contains(said, "Run nvidia-smi by hand"):
				t.Errorf("exit status %d, %q is not said: %s", code, d.says, said)
			}
			for pid, cmd := range bed.Marked(t, marked) {
				t.Errorf("process %d is left behind: %s", pid, cmd)
			}
			t.Logf("it took %v", took.Round(time.Millisecond))
		})
	}
}

// hanging is a nvidia-smi that answers nobody and counts its processes.
const hanging = `echo $$ >>"$HANGING"; exec sleep 100000`

func TestIssue3Bar8DriverHangs(t *testing.T) {
	marked, pids := mark(), filepath.Join(t.TempDir(), "pids")
	s := bed.NewSidecar(t, `
route:
  models:
    auto: {engine: demo, memory: 64MiB}
    one: {engine: demo, memory: 64MiB, device: cpu}
    two: {engine: demo, memory: 64MiB, device: cpu}
`).Env(marked).Env("HANGING=" + pids).Env(driver(t, hanging)).Start()
	ask := func(id string) bed.Request {
		return bed.Request{Addr: addr(s), Path: chatPath, Body: chat(id, true, quick)}
	}
	probes := func() (pids []int) {
		for pid, cmd := range bed.Marked(t, marked) {
			if strings.HasPrefix(cmd, "sleep ") {
				pids = append(pids, pid)
			}
		}
		return pids
	}
	auto, leave := bed.Opening(t, ask("auto"))
	defer leave()
	bed.Until(t, "the driver is asked", 10*time.Second, func() bool { return len(probes()) > 0 })
	asked := probes()
	for _, id := range []string{"one", "two", "one"} {
		wantStream(t, bed.Open(t, ask(id)))
	}
	if now := probes(); len(now) != 1 || now[0] != asked[0] {
		t.Errorf("the driver was asked as process %v, and is as %v: slots of the host's memory have waited for it", asked, now)
	}
	// On a box with such a card, nobody can tell what is free on it.
	if a := <-auto; a == nil {
		t.Error("the slot of any device: no answer")
	} else if a.Status == 200 {
		wantStream(t, a)
	} else {
		wantRefused(t, a, 503, "device.lost")
	}
	for range 20 {
		if status, list := bed.Get(t, s.ControlURL()+"/api/devices"); status != 200 || !strings.Contains(list, "does not answer") {
			t.Errorf("/api/devices: %d %s", status, list)
		}
		s.Move("two", "restart")
		if now := probes(); len(now) > 1 {
			t.Errorf("%d processes ask the driver at once", len(now))
		}
	}
	text, err := os.ReadFile(pids)
	if err != nil {
		t.Fatal(err)
	}
	all := strings.Fields(string(text))
	t.Logf("the driver was asked %d times", len(all))
	s.Stop()
	for _, pid := range all {
		if n, err := strconv.Atoi(pid); err != nil || bed.Alive(n) {
			t.Errorf("process %s, which asked the driver, outlives the sidecar: %v", pid, err)
		}
	}
	s.Start()
	again, leave := bed.Opening(t, ask("auto"))
	bed.Until(t, "the driver is asked again", 10*time.Second, func() bool { return len(probes()) > 0 })
	s.Kill()
	leave()
	<-again
	bed.Until(t, "nothing asks the driver after kill -9", 10*time.Second, func() bool { return len(probes()) == 0 })
}

// Issue 3: with several cards, a slot of any device is put on the one with most
// free memory, and its engine sees no other.
func TestIssue3Placement(t *testing.T) {
	s := bed.NewSidecar(t, `
route:
  models:
    auto: {engine: demo, memory: 3GiB}
    first: {engine: demo, memory: 3GiB, device: "0"}
    large: {engine: demo, memory: 30GiB}
    none: {engine: demo, memory: 64MiB, device: cpu}
`).Env(driver(t, `cat {fixtures}/two.xml`)).Start()
	const rtx4090, rtx3060 = "GPU-f124aa59-d406-d45b-9481-8fcd694e6c9e", "GPU-feba7e40-d724-01ff-b00f-3a439a28a6c7"
	for id, card := range map[string]string{"auto": rtx3060, "first": rtx4090, "none": "-1"} {
		wantStream(t, bed.Open(t, bed.Request{Addr: addr(s), Path: chatPath, Body: chat(id, true, quick)}))
		environment, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(s.Slot(id).PID), "environ"))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(environment), "\x00CUDA_VISIBLE_DEVICES="+card+"\x00") {
			t.Errorf("the engine of %s does not see %s alone", id, card)
		}
	}
	e := wantRefused(t, bed.Open(t, bed.Request{Addr: addr(s), Path: chatPath, Body: chat("large", true)}), 507, "slot.no_memory")
	if e.Details["retryable"] != false || !strings.Contains(e.Message, "needs 30.0 GiB") || !strings.Contains(e.Message, "`device` may name several") {
		t.Errorf("a model that is larger than each card: %+v", e)
	}
}
