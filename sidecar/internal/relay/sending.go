package relay

import (
	"io"
	"sync/atomic"
)

// sending is a request's body on its way to an engine.
type sending interface {
	// open returns the body from its beginning and its size, -1 = unknown, or
	// errSpent.
	open() (io.Reader, int64, error)
	// leave ends the reading of what open returned.
	leave()
	// repeats reports whether it can be opened again after a part was read.
	repeats() bool
	// spent reports whether it cannot be opened again.
	spent() bool
	// release says that it need not be.
	release()
}

// formSending is an upload.
type formSending struct {
	*Upload
	model string // as the engine knows it
}

func (f formSending) open() (io.Reader, int64, error) { return f.content(f.model) }
func (f formSending) repeats() bool                   { return false }
func (f formSending) release()                        {}

// textSending is a body in memory, until it was sent and is released: answers
// can take long.
type textSending struct {
	text atomic.Pointer[[]byte]
	sent atomic.Bool // an engine has read all of it
}

func newTextSending(text []byte) *textSending {
	s := &textSending{}
	s.text.Store(&text)
	return s
}

func (s *textSending) open() (io.Reader, int64, error) {
	text := s.text.Load()
	if text == nil {
		return nil, 0, errSpent
	}
	return &textReader{sending: s}, int64(len(*text)), nil
}

func (s *textSending) leave()        {}
func (s *textSending) repeats() bool { return true }
func (s *textSending) spent() bool   { return s.text.Load() == nil }

func (s *textSending) release() {
	if s.sent.Load() {
		s.text.Store(nil)
	}
}

// textReader holds on to the sending, not to its text: the transport keeps it
// until the answer has ended.
type textReader struct {
	sending *textSending
	at      int
}

// Read implements io.Reader.
func (r *textReader) Read(b []byte) (int, error) {
	text := r.sending.text.Load()
	if text == nil || r.at == len(*text) {
		r.sending.sent.Store(true)
		return 0, io.EOF
	}
	n := copy(b, (*text)[r.at:])
	r.at += n
	if r.at == len(*text) {
		r.sending.sent.Store(true)
	}
	return n, nil
}
