package proc

import (
	"errors"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"
)

// Init does the duty of process number 1, if this process is it: in a container
// without an init of its own, whatever an engine leaves behind becomes a child
// of number 1, and stays a zombie unless that waits for it. Waiting for any
// child would steal the endings of our own; so number 1 runs this program once
// more as its child, hands signals on, waits for everything, and ends as the
// child did.
//
// main calls it first. If isInit is true, the program is to exit with code.
func Init() (code int, isInit bool) {
	if os.Getpid() != 1 {
		return 0, false
	}
	return runInit(), true
}

func runInit() int {
	signals := make(chan os.Signal, 64)
	signal.Notify(signals)
	self, err := os.Executable()
	if err != nil {
		os.Stderr.WriteString("hal0: find own executable: " + err.Error() + "\n")
		return 1
	}
	child, err := syscall.ForkExec(self, os.Args, &syscall.ProcAttr{
		Env:   os.Environ(),
		Files: []uintptr{0, 1, 2},
		Sys:   &syscall.SysProcAttr{Setpgid: true, Foreground: isTerminal(0)},
	})
	if err != nil {
		os.Stderr.WriteString("hal0: start below process 1: " + err.Error() + "\n")
		return 1
	}
	for s := range signals {
		switch s {
		case syscall.SIGCHLD:
			if code, ended := collect(child); ended {
				return code
			}
		case syscall.SIGURG, syscall.SIGPIPE, syscall.SIGTTOU, syscall.SIGTTIN, syscall.SIGTSTP: // the runtime's own, and the terminal's
		default:
			_ = syscall.Kill(child, s.(syscall.Signal)) // it may have ended
		}
	}
	return 1 // signals is never closed
}

// collect waits for every child that has ended.
func collect(child int) (code int, ended bool) {
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, syscall.WNOHANG, nil)
		switch {
		case errors.Is(err, syscall.EINTR):
			continue
		case err != nil || pid <= 0:
			return code, ended
		case pid == child && status.Signaled():
			code, ended = 128+int(status.Signal()), true
		case pid == child:
			code, ended = status.ExitStatus(), true
		}
	}
}

func isTerminal(fd int) bool {
	_, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	return err == nil
}
