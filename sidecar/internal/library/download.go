package library

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// ErrNoDisk is a file that does not fit beside the disk's reserve.
var ErrNoDisk = errors.New("there is not enough disk space")

// errCorrupt is a file whose content is not what the hub announced.
var errCorrupt = errors.New("what was received does not match the hub's checksum")

// attempts is how often in a row a download may fail without having got on.
const attempts = 5

// spaceStep is after how many bytes the disk is looked at again.
const spaceStep = 64 << 20

// download gets one file, continuing what is there.
func (l *Library) download(ctx context.Context, n Name, f File, m *meter) error {
	if l.has(n, f) {
		m.set(f, f.Size)
		return nil
	}
	path := l.file(n, f)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	part, err := openPart(ctx, path+".part", f)
	if err != nil {
		return err
	}
	defer part.Close()
	m.set(f, part.size)
	pause := l.cfg.Pause
	for failed := 0; part.size < f.Size; {
		before := part.size
		err := l.attempt(ctx, n, f, part, m)
		if part.size > before {
			failed, pause = 0, l.cfg.Pause
		}
		if err == nil {
			continue
		}
		if failed++; failed == attempts || !again(ctx, err) {
			return err
		}
		l.cfg.Log.Warn("download broke off, it is continued", "model", n.String(), "file", f.Path, "at", part.size, "of", f.Size, "error", err)
		if err := wait(ctx, pause); err != nil {
			return err
		}
		pause *= 2
	}
	return part.finish(path, f)
}

// again reports whether the same request may do better.
func again(ctx context.Context, err error) bool {
	var s *statusError
	switch {
	case ctx.Err() != nil, errors.Is(err, ErrNotFound), errors.Is(err, ErrGated), errors.Is(err, ErrNoDisk):
		return false
	case errors.As(err, &s):
		return s.status >= 500 || s.status == http.StatusTooManyRequests
	}
	var disk *os.PathError
	return !errors.As(err, &disk)
}

// attempt asks for the rest of the file and writes what comes.
func (l *Library) attempt(ctx context.Context, n Name, f File, p *part, m *meter) error {
	if err := l.room(f.Size - p.size); err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stalled := time.AfterFunc(l.cfg.Stall, func() { cancel(errStalled) })
	defer stalled.Stop()
	body, begin, err := l.hub.open(ctx, n.Repo, f.Path, p.size)
	if err != nil {
		return cause(ctx, err)
	}
	defer body.Close()
	if begin != p.size {
		if err := p.restart(); err != nil {
			return err
		}
	}
	buffer := make([]byte, 256<<10)
	for next := p.size + spaceStep; p.size < f.Size; {
		k, err := body.Read(buffer[:min(int64(len(buffer)), f.Size-p.size)])
		stalled.Reset(l.cfg.Stall)
		if werr := p.write(buffer[:k]); werr != nil {
			return werr
		}
		m.set(f, p.size)
		if err != nil && p.size < f.Size {
			return cause(ctx, unexpected(err))
		}
		if p.size >= next {
			next = p.size + spaceStep
			if err := l.room(f.Size - p.size); err != nil {
				return err
			}
		}
	}
	return nil
}

var errStalled = errors.New("nothing arrives")

// cause replaces "context canceled" by why.
func cause(ctx context.Context, err error) error {
	if c := context.Cause(ctx); c != nil {
		return c
	}
	return err
}

func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// room makes sure that so many bytes fit beside the reserve.
func (l *Library) room(bytes int64) error {
	free, err := l.cfg.Free(l.cfg.Dir)
	if err != nil {
		return fmt.Errorf("look at the disk: %w", err)
	}
	if free-bytes < l.cfg.Reserve {
		return fmt.Errorf("%w: %d MiB are missing, %d MiB are free and %d MiB of them reserved", ErrNoDisk, bytes>>20, free>>20, l.cfg.Reserve>>20)
	}
	return nil
}

func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}

// part is a file that is not whole yet, and the checksum of what is there.
type part struct {
	*os.File
	sum  hash.Hash
	size int64
}

// openPart opens what is there of a file. What cannot be its beginning is
// thrown away.
func openPart(ctx context.Context, path string, f File) (*part, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	p := &part{File: file, sum: sha256.New()}
	p.size, err = io.Copy(p.sum, readerOf(ctx, file))
	if err == nil && p.size > f.Size {
		err = p.restart()
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return p, nil
}

func (p *part) restart() error {
	p.size = 0
	p.sum.Reset()
	return p.Truncate(0)
}

func (p *part) write(b []byte) error {
	if len(b) == 0 {
		return nil
	}
	n, err := p.WriteAt(b, p.size)
	p.sum.Write(b[:n])
	p.size += int64(n)
	if errors.Is(err, syscall.ENOSPC) {
		return fmt.Errorf("%w: %w", ErrNoDisk, err)
	}
	return err
}

// finish checks the whole file and gives it its name.
func (p *part) finish(path string, f File) error {
	if got := hex.EncodeToString(p.sum.Sum(nil)); f.SHA256 != "" && got != f.SHA256 {
		return errors.Join(errCorrupt, p.restart())
	}
	if err := p.Sync(); err != nil {
		return err
	}
	if err := p.Close(); err != nil {
		return err
	}
	return os.Rename(p.Name(), path)
}

// readerOf reads until ctx ends: hashing tens of gigabytes takes a while.
func readerOf(ctx context.Context, r io.Reader) io.Reader {
	return readerFunc(func(b []byte) (int, error) {
		if ctx.Err() != nil {
			return 0, context.Cause(ctx)
		}
		return r.Read(b)
	})
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(b []byte) (int, error) { return f(b) }
