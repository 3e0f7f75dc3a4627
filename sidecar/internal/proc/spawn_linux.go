package proc

import (
	"errors"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// oomScore makes engines the kernel's first choice when memory runs out, before
// the sidecar and before anything else of the box.
const oomScore = 800

// endIsSeenBeforeWait says that awaitEnd waits for the leader's end and leaves it
// a zombie.
const endIsSeenBeforeWait = true

func groupAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// awaitEnd returns when the process has ended; it can still be waited for.
func awaitEnd(pid int) {
	for {
		err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			return
		}
	}
}

// offerToOOMKiller is best effort: raising one's own score is always allowed,
// but /proc may be absent or hidden.
func offerToOOMKiller(pid int) {
	f, err := os.OpenFile("/proc/"+strconv.Itoa(pid)+"/oom_score_adj", os.O_WRONLY, 0)
	if err != nil {
		return
	}
	defer f.Close()
	_, _ = f.WriteString(strconv.Itoa(oomScore))
}

func readOOMCount() oomCount { return oomCountIn(os.DirFS("/")) }
