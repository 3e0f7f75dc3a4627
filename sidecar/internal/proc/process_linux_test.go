package proc_test

import (
	"errors"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// awaitGone waits for the end of any process, also of one that is not our child.
func awaitGone(t *testing.T, pid int) {
	t.Helper()
	fd, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ESRCH) {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	for {
		n, err := unix.Poll(fds, 10_000)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil || n == 0 {
			t.Fatalf("process %d lives on: %v", pid, err)
		}
		return
	}
}

func TestChildDiesWithParent(t *testing.T) {
	p, lines := process(t, "parent")
	child := number(t, said(lines, "child "))
	// Not by p.Kill: the child is in a group of its own, but the point is that
	// nobody tells it.
	if err := syscall.Kill(p.PID(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-p.Done()
	awaitGone(t, child)
}

func TestOOMScore(t *testing.T) {
	p, lines := process(t, "wait")
	<-lines
	b, err := os.ReadFile("/proc/" + strconv.Itoa(p.PID()) + "/oom_score_adj")
	if err != nil {
		t.Fatal(err)
	}
	if s := strings.TrimSpace(string(b)); s != "800" {
		t.Errorf("oom_score_adj %s", s)
	}
}
