//go:build unix

package proc

import (
	"errors"
	"os"
	"syscall"
)

func terminateGroup(p *os.Process) error {
	return errors.Join(syscall.Kill(-p.Pid, syscall.SIGTERM), syscall.Kill(-p.Pid, syscall.SIGCONT))
}

func killGroup(p *os.Process) error { return syscall.Kill(-p.Pid, syscall.SIGKILL) }

func isGone(err error) bool {
	return errors.Is(err, syscall.ESRCH) || errors.Is(err, os.ErrProcessDone)
}

func signalOf(s *os.ProcessState) string {
	if w, ok := s.Sys().(syscall.WaitStatus); ok && w.Signaled() {
		return w.Signal().String()
	}
	return ""
}
