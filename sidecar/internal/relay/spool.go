package relay

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"

	"github.com/hashicorp/go-hclog"
)

var (
	errSpoolFull   = errors.New("the uploads that wait take too much disk space")
	errSpoolBroken = errors.New("the disk does not take an upload")
)

// spool is where uploads are kept that wait for an engine.
type spool struct {
	dir   string // made when needed; "" = the system's for temporary files
	limit int64  // bytes of all files together
	log   hclog.Logger
	used  atomic.Int64
}

// write appends to a file; without one, it makes it. The file is returned also
// with an error.
func (s *spool) write(file *os.File, p []byte) (*os.File, error) {
	n := int64(len(p))
	if s.used.Add(n) > s.limit {
		s.used.Add(-n)
		return file, errSpoolFull
	}
	file, err := s.append(file, p)
	if err != nil {
		s.used.Add(-n)
		s.log.Error("cannot keep an upload", "error", err)
		return file, fmt.Errorf("%w: %w", errSpoolBroken, err)
	}
	return file, nil
}

func (s *spool) append(file *os.File, p []byte) (*os.File, error) {
	if file == nil {
		if s.dir != "" {
			if err := os.MkdirAll(s.dir, 0o700); err != nil {
				return nil, fmt.Errorf("make directory for uploads: %w", err)
			}
		}
		var err error
		if file, err = os.CreateTemp(s.dir, "hal0-upload-*"); err != nil {
			return nil, fmt.Errorf("make file for upload: %w", err)
		}
		// Where open files can be removed, nobody has to clean up after a crash;
		// elsewhere remove does it, or the next start.
		_ = os.Remove(file.Name())
	}
	if _, err := file.Write(p); err != nil {
		return file, fmt.Errorf("write upload: %w", err)
	}
	return file, nil
}

// remove gives a file with n bytes back; nil is none.
func (s *spool) remove(file *os.File, n int64) {
	s.used.Add(-n)
	if file == nil {
		return
	}
	// Nothing was promised to survive: what fails here loses nothing.
	if file.Close() == nil {
		_ = os.Remove(file.Name())
	}
}
