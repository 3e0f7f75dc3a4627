package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/hal0-dev/hal0/sidecar/internal/lockfile"
	"github.com/hal0-dev/hal0/sidecar/internal/proc"
	"github.com/hashicorp/go-hclog"
)

// reapWithin bounds what a start spends on ending what an earlier one left.
const reapWithin = 30 * time.Second

// uploadsDir is where uploads are kept that wait; they do not outlive the
// process that took them.
const uploadsDir = "uploads"

// state is the directory that must survive a restart, in the hands of this
// process alone.
type state struct {
	dir     string
	lock    *lockfile.Lock
	journal *proc.Journal
}

// openState takes the directory, and ends the engines that an earlier sidecar,
// killed, could not end.
func openState(dir string, log hclog.Logger) (*state, error) {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, fmt.Errorf("make state directory: %w", err)
	}
	s := &state{dir: dir}
	var err error
	holder := fmt.Sprintf("hal0, process %d, since %s", os.Getpid(), time.Now().Format(time.RFC3339))
	if s.lock, err = lockfile.Try(s.path("lock"), holder); err != nil {
		var held *lockfile.HeldError
		if errors.As(err, &held) {
			return nil, fmt.Errorf("use state directory: %w; stop it, or give this one a --state of its own", err)
		}
		return nil, fmt.Errorf("use state directory: %w", err)
	}
	if err := os.RemoveAll(s.path(uploadsDir)); err != nil {
		log.Warn("cannot remove the uploads that an earlier sidecar left", "error", err)
	}
	if s.journal, err = proc.OpenJournal(proc.JournalDir(dir)); err != nil {
		s.lock.Release()
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), reapWithin)
	defer cancel()
	left, err := s.journal.Reap(ctx)
	for _, l := range left {
		log.Warn("ended what an earlier sidecar left", "pid", l.PID, "executable", l.Executable, "launched", l.Launched, "gone", l.Gone)
	}
	if err != nil {
		log.Error("cannot end all that an earlier sidecar left", "error", err)
	}
	return s, nil
}

func (s *state) path(name string) string { return filepath.Join(s.dir, name) }

// close gives the directory back.
func (s *state) close() { s.lock.Release() }
