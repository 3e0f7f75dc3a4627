package bed

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Main runs the tests of a package and then makes sure that no process that
// they started, or that one of those started, is left.
func Main(m *testing.M) {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		fmt.Fprintln(os.Stderr, "become subreaper:", err)
		os.Exit(2)
	}
	code := m.Run()
	if built.dir != "" {
		os.RemoveAll(built.dir)
	}
	if left := orphans(); len(left) > 0 {
		fmt.Fprintln(os.Stderr, "FAIL: processes left by the tests:")
		for _, o := range left {
			fmt.Fprintln(os.Stderr, "  ", o)
		}
		code = 1
	}
	os.Exit(code)
}

// orphans ends and names the processes that were left to us. One that is about
// to die, because its parent did, gets a moment to do so.
func orphans() []string {
	deadline := time.Now().Add(3 * time.Second)
	for time.Now().Before(deadline) {
		reap()
		if len(children()) == 0 {
			return nil
		}
		time.Sleep(20 * time.Millisecond)
	}
	var names []string
	for _, pid := range children() {
		cmd, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		names = append(names, fmt.Sprintf("%d %s", pid, strings.ReplaceAll(string(cmd), "\x00", " ")))
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	return names
}

func reap() {
	for {
		pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil)
		if pid <= 0 || err != nil {
			return
		}
	}
}

func children() []int {
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return nil
	}
	var pids []int
	for _, task := range tasks {
		b, _ := os.ReadFile("/proc/self/task/" + task.Name() + "/children")
		for _, f := range strings.Fields(string(b)) {
			if pid, err := strconv.Atoi(f); err == nil {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}
