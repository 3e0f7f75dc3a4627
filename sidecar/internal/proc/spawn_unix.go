//go:build unix && !linux

package proc

import "syscall"

// endIsSeenBeforeWait: awaitEnd does nothing here, so that between the leader's
// end and the note of it there is a moment in which a signal may go astray.
const endIsSeenBeforeWait = false

func groupAttr() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

func awaitEnd(int) {}

func offerToOOMKiller(int) {}

func readOOMCount() oomCount { return oomCount{} }
