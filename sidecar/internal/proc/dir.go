package proc

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
)

// JournalDir is where the journal of a state directory goes: to a place that a
// full disk does not reach, if this user has one that lasts until the next boot,
// else into the state directory. The same state directory always has the same
// journal.
func JournalDir(state string) string {
	if os.Geteuid() != 0 || !isTmpfs("/run") {
		return filepath.Join(state, "journal")
	}
	if abs, err := filepath.Abs(state); err == nil {
		state = abs
	}
	sum := sha256.Sum256([]byte(state))
	return filepath.Join("/run/hal0", "journal-"+hex.EncodeToString(sum[:6]))
}
