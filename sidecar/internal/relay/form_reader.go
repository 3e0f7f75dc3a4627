package relay

import (
	"io"
	"os"
)

// formReader reads an upload from its beginning. One goroutine at a time.
type formReader struct {
	upload *Upload
	head   io.Reader
	at     int64 // in the file
}

// Read implements io.Reader.
func (r *formReader) Read(b []byte) (int, error) {
	if n, err := r.head.Read(b); n > 0 || err == nil {
		return n, nil
	}
	u := r.upload
	u.mu.Lock()
	for {
		switch {
		case u.turn != r:
			u.mu.Unlock()
			return 0, os.ErrClosed
		case r.at < u.kept:
			file, left := u.file, u.kept-r.at
			u.mu.Unlock()
			n, err := file.ReadAt(b[:min(int64(len(b)), left)], r.at)
			r.at += int64(n)
			if n > 0 {
				err = nil
			}
			return n, err
		case len(u.piece) > 0:
			n := copy(b, u.piece)
			u.piece, u.went = u.piece[n:], true
			u.cond.Broadcast()
			u.mu.Unlock()
			return n, nil
		case u.err != nil:
			defer u.mu.Unlock()
			return 0, u.err
		}
		u.cond.Wait()
	}
}
