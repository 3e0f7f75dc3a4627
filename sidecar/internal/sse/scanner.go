package sse

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
)

// Limit is how large an event may be. The strictest of the big clients,
// openai-go, reads no line longer than this.
const Limit = 32 << 20

// ErrTooLong is an event larger than the limit.
var ErrTooLong = errors.New("event is too long")

const (
	firstBlock = 4 << 10
	lastBlock  = 64 << 10
	emptyReads = 100 // in a row, before the reader is called broken
)

// Options of a Scanner.
type Options struct {
	Names bool // keep event names in Bytes
	Limit int  // bytes of one event; 0 = Limit
	// Reads counts the pieces that were read, where it is set: every one is a
	// sign of life, an event or not.
	Reads *atomic.Uint64
}

// Scanner cuts a stream into whole events.
type Scanner struct {
	r     io.Reader
	names bool
	limit int
	reads *atomic.Uint64

	buf    []byte // the block that is being filled
	start  int    // what lies before it was given out or dropped
	end    int    // what lies behind it is free
	resume int    // offset from start where the first line begins that has no end yet
	looked int    // offset in buf up to which that line is known to have none
	shared bool   // events given out lie in buf, so it must not be used again
	block  int    // size of the next block
	begun  bool   // the place of a byte order mark is behind us
	err    error  // what the reader said; reported once buf holds no event

	events []Event // given out by Next, used again by the next Next
}

// NewScanner makes a Scanner that reads from r.
func NewScanner(r io.Reader, o Options) *Scanner {
	if o.Limit <= 0 {
		o.Limit = Limit
	}
	if o.Reads == nil {
		o.Reads = new(atomic.Uint64)
	}
	return &Scanner{r: r, names: o.Names, limit: o.Limit, reads: o.Reads, block: firstBlock}
}

// Next returns the events that have arrived whole, at least one, and waits for
// it where there is none. The slice is valid until the next call, the events'
// bytes for ever. At the end it returns io.EOF if the input ended between
// events, else *Torn; ErrTooLong; or what the reader returned, wrapped.
func (s *Scanner) Next() ([]Event, error) {
	s.events = s.events[:0]
	for {
		for {
			e, ok := s.cut()
			if !ok {
				break
			}
			s.events = append(s.events, e)
		}
		if len(s.events) > 0 {
			return s.events, nil
		}
		if s.end-s.start > s.limit {
			s.err = ErrTooLong
		}
		if s.err != nil {
			return nil, s.ending()
		}
		s.fill()
	}
}

// Release says that the events that Next has returned are not used any more:
// their memory may be used again.
func (s *Scanner) Release() { s.shared = false }

// fill reads once, into a new block if too little room is left in this one.
func (s *Scanner) fill() {
	pending := s.end - s.start
	if pending == 0 && !s.shared {
		s.start, s.end, s.looked = 0, 0, 0
	}
	if room := len(s.buf) - s.end; room < len(s.buf)/4 || room == 0 {
		next := s.buf
		if s.shared || 2*pending >= len(s.buf) {
			next = make([]byte, max(s.block, 2*pending))
		}
		copy(next, s.buf[s.start:s.end])
		s.looked = max(0, s.looked-s.start)
		s.buf, s.start, s.end, s.shared = next, 0, pending, false
	}
	for range emptyReads {
		n, err := s.r.Read(s.buf[s.end:])
		s.end += n
		s.err = err
		if n == len(s.buf)-(s.end-n) { // the sender is ahead of us: read more at once
			s.block = min(2*s.block, lastBlock)
		}
		if n > 0 || err != nil {
			s.reads.Add(1)
			return
		}
	}
	s.err = io.ErrNoProgress
}

// cut takes the next whole event out of the buffer.
func (s *Scanner) cut() (Event, bool) {
	for !s.waits() {
		if s.resume == 0 && !s.skip() {
			break
		}
		e, n := canonical(s.buf[s.start:s.end], s.names)
		if n == 0 {
			end, ok := s.boundary()
			if !ok {
				break
			}
			e, n = rewritten(s.buf[s.start:s.start+end], s.names), end
		} else {
			s.shared = true
		}
		if n > s.limit {
			s.err = ErrTooLong
			break
		}
		s.start, s.resume = s.start+n, 0
		if e.Bytes != nil {
			return e, true
		}
	}
	s.looked = s.end
	return Event{}, false
}

// waits reports whether nothing has come that could end a line: a large event
// is searched once, not once per read.
func (s *Scanner) waits() bool {
	if s.err != nil || s.looked <= s.start {
		return s.err != nil && (s.start == s.end || errors.Is(s.err, ErrTooLong))
	}
	fresh := s.buf[s.looked:s.end]
	return bytes.IndexByte(fresh, '\n') < 0 && bytes.IndexByte(fresh, '\r') < 0 && s.buf[s.looked-1] != '\r'
}

var mark = []byte("\xef\xbb\xbf")

// skip drops what may stand before an event: a byte order mark at the very
// beginning, blank lines, whole comment lines. False if it needs more input to
// know whether an event begins here.
func (s *Scanner) skip() bool {
	if !s.begun {
		in := s.buf[s.start:s.end]
		if len(in) < len(mark) && bytes.HasPrefix(mark, in) && s.err == nil {
			return false
		}
		s.begun = true
		if bytes.HasPrefix(in, mark) {
			s.start += len(mark)
		}
	}
	for s.start < s.end {
		switch s.buf[s.start] {
		case '\n', '\r':
			s.start++
		case ':':
			_, n, ok := cutLine(s.buf[s.start:s.end], false)
			if !ok {
				return false
			}
			s.start += n
		default:
			return true
		}
	}
	return false
}

// canonical returns the event that in begins with and its size, 0 if there is
// none in canonical form.
func canonical(in []byte, names bool) (Event, int) {
	line, at := in, 0
	name := ""
	if names && bytes.HasPrefix(in, eventField) {
		nl := bytes.IndexByte(in, '\n')
		if nl < 0 {
			return Event{}, 0
		}
		value := in[len(eventField):nl]
		if len(value) == 0 || value[0] == ' ' || bytes.IndexByte(value, '\r') >= 0 {
			return Event{}, 0
		}
		name, at = string(value), nl+1
		line = in[at:]
	}
	if !bytes.HasPrefix(line, dataField) {
		return Event{}, 0
	}
	nl := bytes.IndexByte(line, '\n')
	if nl < 0 || nl+1 >= len(line) || line[nl+1] != '\n' {
		return Event{}, 0
	}
	data := line[len(dataField):nl:nl]
	if len(data) == 0 || data[0] <= ' ' || bytes.IndexByte(data, '\r') >= 0 {
		return Event{}, 0
	}
	n := at + nl + 2
	return Event{Bytes: in[:n:n], Data: data, Name: name}, n
}

// rewritten is the canonical form of an event that came in another one; no
// Bytes if nothing is to be dispatched.
func rewritten(in []byte, names bool) Event {
	var f fields
	for len(in) > 0 {
		line, n, _ := cutLine(in, true)
		f.add(line)
		in = in[n:]
	}
	e, _ := f.event(names)
	return e
}

// boundary looks for the blank line that ends the event at start and returns
// the event's size with it. What it has looked at it does not look at again.
func (s *Scanner) boundary() (int, bool) {
	for {
		in := s.buf[s.start+s.resume : s.end]
		line, n, ok := cutLine(in, false)
		if !ok {
			return 0, false
		}
		s.resume += n
		if len(line) == 0 {
			return s.resume, true
		}
	}
}

// cutLine returns the line that in begins with, without its end, and its size
// with it. A CR that is the last byte is the end of a blank line, else a LF may
// still belong to it. With all, whatever is there is a line.
func cutLine(in []byte, all bool) (line []byte, size int, ok bool) {
	i := bytes.IndexByte(in, '\n')
	if i < 0 {
		i = len(in)
	}
	if cr := bytes.IndexByte(in[:i], '\r'); cr >= 0 {
		switch {
		case cr+1 < len(in) && in[cr+1] == '\n':
			return in[:cr], cr + 2, true
		case cr+1 < len(in) || cr == 0 || all:
			return in[:cr], cr + 1, true
		}
		return nil, 0, false
	}
	if i == len(in) {
		return in, i, all
	}
	return in[:i], i + 1, true
}

// ending is what Next says when no event is left and the reader is done.
func (s *Scanner) ending() error {
	if errors.Is(s.err, ErrTooLong) {
		return s.err
	}
	tail := s.buf[s.start:s.end]
	for rest := tail; len(rest) > 0; {
		line, n, _ := cutLine(rest, true)
		if len(line) > 0 && line[0] != ':' {
			return &Torn{Tail: tail, Err: s.err, names: s.names}
		}
		rest = rest[n:]
	}
	if errors.Is(s.err, io.EOF) {
		return io.EOF
	}
	return fmt.Errorf("read events: %w", s.err)
}
