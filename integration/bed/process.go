package bed

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Process is a program that a test started. It ends with the test, and with
// the test binary however that ends.
type Process struct {
	t    testing.TB
	name string
	cmd  *exec.Cmd
	log  string        // file with what it printed
	done chan struct{} // closed when it has been waited for
}

// stopAfter is how long a process may take to end at SIGTERM.
const stopAfter = 30 * time.Second

// Start starts a program in a process group of its own.
func Start(t testing.TB, name string, cmd *exec.Cmd) *Process {
	t.Helper()
	return startPiped(t, name, cmd, nil)
}

// startPiped is Start with another place for what the program prints to its
// standard output.
func startPiped(t testing.TB, name string, cmd *exec.Cmd, stdout *os.File) *Process {
	t.Helper()
	out, err := os.CreateTemp(t.TempDir(), name+"-*.log")
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = out, out
	if stdout != nil {
		cmd.Stdout = stdout
	}
	p := &Process{t: t, name: name, cmd: cmd, log: out.Name(), done: make(chan struct{})}
	if err := p.start(); err != nil {
		t.Fatalf("start %s: %v", name, err)
	}
	out.Close()
	t.Cleanup(p.end)
	return p
}

// start starts the program from a thread that lives as long as it does: the
// parent-death signal comes when that thread ends.
func (p *Process) start() error {
	if p.cmd.SysProcAttr == nil {
		p.cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	p.cmd.SysProcAttr.Setpgid, p.cmd.SysProcAttr.Pdeathsig = true, syscall.SIGKILL
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		err := p.cmd.Start()
		started <- err
		if err == nil {
			_ = p.cmd.Wait()
			close(p.done)
		}
	}()
	return <-started
}

// PID is the process id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Signal sends a signal to the process alone.
func (p *Process) Signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil && p.running() {
		p.t.Errorf("signal %s: %v", p.name, err)
	}
}

// Kill is kill -9 of the process alone, and waits until it is gone.
func (p *Process) Kill() {
	p.t.Helper()
	p.Signal(syscall.SIGKILL)
	<-p.done
}

// Stop is SIGTERM, and returns the exit code.
func (p *Process) Stop() int {
	p.t.Helper()
	p.Signal(syscall.SIGTERM)
	return p.Wait(stopAfter)
}

// Wait waits for the end of the process and returns its exit code, -1 after a
// signal.
func (p *Process) Wait(limit time.Duration) int {
	p.t.Helper()
	select {
	case <-p.done:
	case <-time.After(limit):
		p.t.Fatalf("%s still runs after %v; its log ends with\n%s", p.name, limit, p.Tail())
	}
	return p.cmd.ProcessState.ExitCode()
}

// Log is all that the process printed so far.
func (p *Process) Log() string {
	b, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// Tail is the end of the log.
func (p *Process) Tail() string {
	lines := strings.Split(strings.TrimRight(p.Log(), "\n"), "\n")
	if len(lines) > 60 {
		lines = lines[len(lines)-60:]
	}
	return strings.Join(lines, "\n")
}

func (p *Process) running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

func (p *Process) end() {
	if p.running() {
		_ = p.cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-p.done:
		case <-time.After(stopAfter):
			p.t.Errorf("%s did not end within %v of SIGTERM", p.name, stopAfter)
			_ = p.cmd.Process.Kill()
			<-p.done
		}
	}
	if p.t.Failed() {
		p.t.Logf("end of %s's log:\n%s", p.name, p.Tail())
	}
}

// Until asks a foreign program every few milliseconds until it says yes. It is
// for things that tell nobody when they happen; what can be waited for is.
func Until(t testing.TB, what string, limit time.Duration, ok func() bool) time.Duration {
	t.Helper()
	began := time.Now()
	for !ok() {
		if time.Since(began) > limit {
			t.Fatalf("waited %v for: %s", limit, what)
		}
		time.Sleep(5 * time.Millisecond)
	}
	return time.Since(began)
}

// Alive reports whether a process with that id exists and is not a zombie.
func Alive(pid int) bool {
	b, err := os.ReadFile(filepath.Join("/proc", fmt.Sprint(pid), "stat"))
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(b), ") ")
	return !strings.HasPrefix(rest, "Z")
}

// RSS is the process's resident memory, in bytes.
func (p *Process) RSS() int64 {
	p.t.Helper()
	return p.memory("VmRSS")
}

// PeakRSS is the most that RSS has been.
func (p *Process) PeakRSS() int64 {
	p.t.Helper()
	return p.memory("VmHWM")
}

func (p *Process) memory(key string) int64 {
	p.t.Helper()
	n := memory(p.PID(), key)
	if n == 0 {
		p.t.Fatalf("%s has no resident memory", p.name)
	}
	return n
}

// Resident is the resident memory of a process, in bytes; 0 where it has ended.
func Resident(pid int) int64 { return memory(pid, "VmRSS") }

// memory is a size from the process's status, in bytes; 0 where it has ended.
func memory(pid int, key string) int64 {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for _, line := range strings.Split(string(b), "\n") {
		var kib int64
		if n, _ := fmt.Sscanf(line, key+": %d kB", &kib); n == 1 {
			return kib << 10
		}
	}
	return 0
}

// Files is how many file descriptors the process has open.
func (p *Process) Files() int {
	p.t.Helper()
	all, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.PID()))
	if err != nil {
		p.t.Fatal(err)
	}
	return len(all)
}

// Marked are the processes, zombies aside, whose environment has that entry:
// what a program with it in its own has started, wherever it has gone.
func Marked(t testing.TB, entry string) map[int]string {
	t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		t.Fatal(err)
	}
	found := map[int]string{}
	for _, path := range all {
		b, err := os.ReadFile(path)
		if err != nil || !strings.Contains("\x00"+string(b), "\x00"+entry+"\x00") {
			continue // it has ended meanwhile
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err != nil || !Alive(pid) {
			continue
		}
		cmd, _ := os.ReadFile(filepath.Join(filepath.Dir(path), "cmdline"))
		found[pid] = strings.ReplaceAll(string(cmd), "\x00", " ")
	}
	return found
}
