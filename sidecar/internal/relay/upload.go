package relay

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
)

// uploadHead is how much of an upload is kept in memory; the rest goes to a
// file. The model's field must be in it.
const uploadHead = 1 << 20

// ErrNoForm is an upload that is not multipart/form-data.
var ErrNoForm = errors.New("upload is not multipart/form-data")

// Upload is a form that a client has sent: an audio file, images. It can be
// read more than once, so that a request that went down with an engine can be
// sent again. Close it, or give it to Relay.Open, which does.
type Upload struct {
	head     []byte
	file     *os.File // what is behind head; nil = nothing
	rest     int64    // bytes in file
	boundary string
	once     sync.Once
}

// ReadUpload reads a form to its end. dir is where what does not fit into
// memory is kept; "" = the system's.
func ReadUpload(r io.Reader, contentType, dir string) (*Upload, error) {
	u := &Upload{boundary: formBoundary(contentType)}
	if u.boundary == "" {
		return nil, ErrNoForm
	}
	var err error
	if u.head, err = io.ReadAll(io.LimitReader(r, uploadHead)); err != nil {
		return nil, fmt.Errorf("read upload: %w", err)
	}
	if len(u.head) < uploadHead {
		return u, nil
	}
	if u.file, err = os.CreateTemp(dir, "hal0-upload-*"); err != nil {
		return nil, fmt.Errorf("keep upload: %w", err)
	}
	// Where open files can be removed, nobody has to clean up after a crash;
	// elsewhere Close does it.
	_ = os.Remove(u.file.Name())
	if u.rest, err = io.Copy(u.file, r); err != nil {
		u.Close()
		return nil, fmt.Errorf("read upload: %w", err)
	}
	return u, nil
}

// Field returns the value of a form field, "" if there is none in what is kept
// in memory.
func (u *Upload) Field(name string) string {
	s, _ := formField(u.head, u.boundary, name)
	return string(u.head[s.start:s.end])
}

// Close gives the upload's file back. It is idempotent.
func (u *Upload) Close() {
	u.once.Do(func() {
		if u.file == nil {
			return
		}
		// Nothing was promised to survive: what fails here loses nothing.
		_ = u.file.Close()
		_ = os.Remove(u.file.Name())
	})
}

// content is the form with the model's name replaced by the one that the engine
// knows, and its size. It can be called again, once the reader before is done.
func (u *Upload) content(model string) (io.Reader, int64) {
	parts := []io.Reader{bytes.NewReader(u.head)}
	size := int64(len(u.head))
	if s, ok := formField(u.head, u.boundary, "model"); ok {
		parts = []io.Reader{bytes.NewReader(u.head[:s.start]), bytes.NewReader([]byte(model)), bytes.NewReader(u.head[s.end:])}
		size += int64(len(model) - (s.end - s.start))
	}
	if u.file != nil {
		parts = append(parts, io.NewSectionReader(u.file, 0, u.rest))
	}
	return io.MultiReader(parts...), size + u.rest
}
