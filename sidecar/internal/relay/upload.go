package relay

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/hal0-dev/hal0/plugin/wire"
)

const (
	// uploadHead is how much of an upload is kept in memory; the model's field
	// must be in it.
	uploadHead = 1 << 20
	// uploadBlock is how much of the rest is in memory at a time.
	uploadBlock = 64 << 10
)

// ErrNoForm is an upload that is not multipart/form-data.
var ErrNoForm = errors.New("upload is not multipart/form-data")

// errSpent is an upload that cannot be sent again.
var errSpent = errors.New("upload went to an engine already")

// destination of what a client sends.
type destination uint8

const (
	toNobody destination = iota + 1 // the client has to wait
	toFile
	toEngine
	toNothing // the rest is read, since clients look at answers when all is sent, and dropped
)

// Upload is a form that a client sends: an audio file, images. Its beginning is
// kept in memory. The rest goes to the engine as it comes, or to a file while
// there is no engine to send it to. A goroutine of its own reads from the
// client until Done. Close it, or give it to Relay.Open, which does.
type Upload struct {
	head     []byte
	size     int64 // announced by the client, -1 = unknown
	boundary string
	spool    *spool
	done     chan struct{}

	mu    sync.Mutex
	cond  *sync.Cond // everything below
	to    destination
	file  *os.File // of what is behind head; nil = nothing was kept
	kept  int64    // bytes in file
	piece []byte   // came from the client, for the reader
	went  bool     // a piece went to a reader: it is nowhere else
	err   error    // why nothing more comes; io.EOF: it is whole
	fail  func(error)
	turn  *formReader // who reads, nil = nobody
}

// Upload begins to read a form. size is what the client announces, -1 =
// nothing. r is read until Done is closed; errors that concern the client are
// wire.ErrTooLarge, or that it sent less than announced.
func (r *Relay) Upload(from io.Reader, contentType string, size int64) (*Upload, error) {
	u := &Upload{boundary: formBoundary(contentType), size: size, spool: r.spool, done: make(chan struct{}), to: toNobody}
	if u.boundary == "" {
		return nil, ErrNoForm
	}
	u.cond = sync.NewCond(&u.mu)
	var err error
	if u.head, err = io.ReadAll(io.LimitReader(from, uploadHead)); err != nil {
		return nil, fmt.Errorf("read upload: %w", err)
	}
	if len(u.head) < uploadHead {
		u.err = io.EOF
		close(u.done)
		return u, nil
	}
	go u.receive(from)
	return u, nil
}

// Field returns the value of a form field, "" if there is none in what is kept
// in memory.
func (u *Upload) Field(name string) string {
	s, _ := formField(u.head, u.boundary, name)
	return string(u.head[s.start:s.end])
}

// Done is closed when nothing is read from the client any more.
func (u *Upload) Done() <-chan struct{} { return u.done }

// Close ends the use of the upload; what still comes is dropped. It is
// idempotent.
func (u *Upload) Close() {
	u.mu.Lock()
	u.to, u.turn = toNothing, nil
	file, kept := u.file, u.kept
	u.file, u.kept = nil, 0
	u.cond.Broadcast()
	u.mu.Unlock()
	u.spool.remove(file, kept)
}

// receive reads from the client to the end.
func (u *Upload) receive(from io.Reader) {
	defer close(u.done)
	block := make([]byte, uploadBlock)
	for {
		n, err := from.Read(block)
		u.deliver(block[:n])
		if err != nil {
			u.end(err)
			return
		}
	}
}

// deliver hands on what came; it waits while there is nowhere to hand it.
func (u *Upload) deliver(p []byte) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for len(p) > 0 {
		switch u.to {
		case toNobody:
			u.cond.Wait()
		case toFile:
			file := u.file
			u.mu.Unlock()
			file, err := u.spool.write(file, p)
			if err != nil {
				u.end(err)
			}
			u.mu.Lock()
			p = u.keptLocked(file, p, err)
		case toEngine:
			u.piece = p
			u.cond.Broadcast()
			for len(u.piece) > 0 && u.to == toEngine {
				u.cond.Wait()
			}
			p, u.piece = u.piece, nil
		case toNothing:
			return
		}
	}
}

// keptLocked notes what a file has now; nothing of p is left to deliver.
func (u *Upload) keptLocked(file *os.File, p []byte, err error) []byte {
	added := int64(len(p))
	if err != nil {
		added = 0
	}
	if u.to == toNothing { // closed meanwhile
		u.mu.Unlock()
		u.spool.remove(file, added)
		u.mu.Lock()
		return nil
	}
	u.file = file
	u.kept += added
	if err != nil {
		u.to = toNothing
	}
	u.cond.Broadcast()
	return nil
}

// end notes why nothing more comes. Whoever waits for an engine hears of a
// failure before a reader does.
func (u *Upload) end(err error) {
	u.mu.Lock()
	fail := u.fail
	if u.err != nil || u.to == toNothing {
		fail = nil
	}
	u.mu.Unlock()
	if fail != nil && !errors.Is(err, io.EOF) {
		fail(err)
	}
	u.mu.Lock()
	if u.err == nil {
		u.err = err
	}
	u.cond.Broadcast()
	u.mu.Unlock()
}

// onFailure has fail be called, once, if the upload breaks.
func (u *Upload) onFailure(fail func(error)) {
	u.mu.Lock()
	u.fail = fail
	err := u.err
	u.mu.Unlock()
	if err != nil && !errors.Is(err, io.EOF) {
		fail(err)
	}
}

// hold has what comes be kept, until somebody reads.
func (u *Upload) hold() {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.to == toNobody {
		u.to = toFile
		u.cond.Broadcast()
	}
}

// spent reports whether the upload cannot be read from its beginning again.
func (u *Upload) spent() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.went
}

// content is the form with the model's name replaced by the one that the engine
// knows, and its size, -1 = unknown. A reader before this one has its end.
func (u *Upload) content(model string) (io.Reader, int64, error) {
	parts, size := []io.Reader{bytes.NewReader(u.head)}, u.size
	if s, ok := formField(u.head, u.boundary, "model"); ok {
		parts = []io.Reader{bytes.NewReader(u.head[:s.start]), bytes.NewReader([]byte(model)), bytes.NewReader(u.head[s.end:])}
		if size >= 0 {
			size += int64(len(model) - (s.end - s.start))
		}
	}
	r := &formReader{upload: u, head: io.MultiReader(parts...)}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.went || u.to == toNothing {
		return nil, 0, errSpent
	}
	u.turn, u.to = r, toEngine
	u.cond.Broadcast()
	return r, size, nil
}

// leave ends the reading. Another one may follow, if no piece is lost.
func (u *Upload) leave() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.turn = nil
	switch {
	case u.went: // and is of no use to another one
		u.to = toNothing
	case u.to == toEngine:
		u.to = toNobody
	}
	u.cond.Broadcast()
}

// brokenUpload is the cause of a flight whose client did not send all of it.
type brokenUpload struct{ err error }

func (b *brokenUpload) Error() string { return "the upload broke: " + b.err.Error() }

func (b *brokenUpload) failure() wire.Failure {
	switch {
	case errors.Is(b.err, wire.ErrTooLarge):
		return wire.NewFailure(wire.CodeTooLarge, "the upload is larger than this route allows")
	case errors.Is(b.err, errSpoolFull):
		return wire.NewFailure(wire.CodeRateLimited, "too many large uploads wait for their models")
	case errors.Is(b.err, errSpoolBroken):
		return wire.NewFailure(wire.CodeNoDisk, "the upload could not be kept while its model is not ready")
	}
	return wire.NewFailure(wire.CodeIncomplete, "the upload ended before it was complete, or came too slowly")
}
