package device

import (
	"time"

	"golang.org/x/sys/unix"
)

// Slept is how long this machine was suspended since it started: the clock that
// counts such time less the one that does not.
func Slept() time.Duration {
	var boot, mono unix.Timespec
	if unix.ClockGettime(unix.CLOCK_BOOTTIME, &boot) != nil || unix.ClockGettime(unix.CLOCK_MONOTONIC, &mono) != nil {
		return 0
	}
	return time.Duration(boot.Nano() - mono.Nano())
}
