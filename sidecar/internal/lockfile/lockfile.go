// Package lockfile lets one process at a time have something, such as a state
// directory, and lets the others say who that is.
//
// A Lock is a right: it is given back once, by Release or by the end of the
// process, whichever comes first, so that a file left behind by a killed process
// locks nobody out. Locks of one process exclude each other, too.
package lockfile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"
)

// HeldError says who has the lock.
type HeldError struct {
	Path   string
	Holder string // what the holder wrote; "" if it cannot be read
}

func (e *HeldError) Error() string {
	if e.Holder == "" {
		return fmt.Sprintf("lock %s: another process has it", e.Path)
	}
	return fmt.Sprintf("lock %s: %s has it", e.Path, e.Holder)
}

// Lock is the right to what the file stands for.
type Lock struct {
	file    *os.File
	release sync.Once
}

// Try takes the lock, or returns a *HeldError. holder is one line that tells the
// others who has it.
func Try(path, holder string) (*Lock, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o640)
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	held, err := tryLock(f)
	if err == nil && !held {
		err = sign(f, holder)
	}
	switch {
	case err != nil:
		return nil, fmt.Errorf("lock %s: %w", path, errors.Join(err, f.Close()))
	case held:
		e := &HeldError{Path: path, Holder: signature(f)}
		return nil, errors.Join(e, f.Close())
	}
	return &Lock{file: f}, nil
}

// retry is the pause between two attempts of Wait.
const retry = 250 * time.Millisecond

// Wait takes the lock as soon as it is free, or returns ctx's error.
func Wait(ctx context.Context, path, holder string) (*Lock, error) {
	for {
		l, err := Try(path, holder)
		var held *HeldError
		if !errors.As(err, &held) {
			return l, err
		}
		t := time.NewTimer(retry)
		select {
		case <-ctx.Done():
			t.Stop()
			return nil, fmt.Errorf("%w: %w", held, ctx.Err())
		case <-t.C:
		}
	}
}

// Release gives the lock back. The file stays: removing it would let two
// processes lock two files of the same name.
func (l *Lock) Release() {
	l.release.Do(func() { _ = l.file.Close() }) // closing unlocks, whatever it returns
}

func sign(f *os.File, holder string) error {
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err := f.WriteAt([]byte(strings.ReplaceAll(holder, "\n", " ")+"\n"), 0)
	return err
}

func signature(f *os.File) string {
	b, err := io.ReadAll(io.NewSectionReader(f, 0, 1024))
	if err != nil {
		return ""
	}
	line, _, _ := strings.Cut(string(b), "\n")
	return line
}
