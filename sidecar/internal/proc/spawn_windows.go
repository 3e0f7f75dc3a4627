package proc

import (
	"errors"
	"os"
	"syscall"
)

const endIsSeenBeforeWait = false

func groupAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP}
}

func awaitEnd(int) {}

func offerToOOMKiller(int) {}

func readOOMCount() oomCount { return oomCount{} }

// There is no polite request that a windowless process would hear.
func terminateGroup(p *os.Process) error { return p.Kill() }

func killGroup(p *os.Process) error { return p.Kill() }

func isGone(err error) bool { return errors.Is(err, os.ErrProcessDone) }

func signalOf(*os.ProcessState) string { return "" }
