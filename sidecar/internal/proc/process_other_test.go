//go:build unix && !linux

package proc_test

import (
	"syscall"
	"testing"
)

// awaitGone can only look, where there is no pidfd: the group was killed before
// Done was closed.
func awaitGone(t *testing.T, pid int) {
	t.Helper()
	for syscall.Kill(pid, 0) == nil {
	}
}

func initial() int { return 92 }
