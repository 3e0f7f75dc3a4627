package device

import (
	"os/exec"
	"runtime"
	"syscall"
)

// contain makes a tool, with what it starts, end at the end of its time, and the
// tool when this process dies. What it returns is to be called when the tool has
// ended: the signal comes when the thread ends that started it.
func contain(cmd *exec.Cmd) (ended func()) {
	runtime.LockOSThread()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	return runtime.UnlockOSThread
}
