package proc

import (
	"fmt"
	"os"
)

// Exit is how a process ended.
type Exit struct {
	Code   int    // -1 if it was ended by a signal
	Signal string // "killed", "segmentation fault" …; "" = none
	OOM    bool   // the kernel killed it for want of memory
}

func (e Exit) String() string {
	switch {
	case e.OOM:
		return "killed for want of memory"
	case e.Signal != "":
		return "signal " + e.Signal
	}
	return fmt.Sprintf("exit code %d", e.Code)
}

func exitOf(s *os.ProcessState) Exit {
	if s == nil {
		return Exit{Code: -1}
	}
	return Exit{Code: s.ExitCode(), Signal: signalOf(s)}
}
