package relay

import (
	"encoding/json"
	"errors"
	"io"
	"time"

	"github.com/hal0-dev/hal0/plugin/wire"
	"github.com/hal0-dev/hal0/sidecar/internal/sse"
)

// drainWithin is how long the end of the connection's answer may take after
// its last event, so that the connection can be used again.
const drainWithin = 200 * time.Millisecond

// events relays one answer of events.
type events struct {
	*call
	head     Head
	style    style
	frames   [][]byte
	finished int  // choices that are whole
	numbered bool // the family's events have numbers, for which some are kept
}

// relayEvents relays an answer that comes as events.
func (c *call) relayEvents(head Head, body io.Reader) ending {
	s := &events{call: c, head: head, style: styleOf(c.family), numbered: c.family == wire.FamilyResponses}
	scanner := sse.NewScanner(body, sse.Options{Names: s.style.names, Reads: &c.guard.reads})
	for {
		batch, err := scanner.Next()
		if err != nil {
			return s.over(err)
		}
		end, ok := s.take(batch)
		kept, err := s.flush()
		if err != nil {
			return ending{how: torn, err: err}
		}
		if !kept && !s.numbered {
			scanner.Release()
		}
		if ok {
			if end.how == whole {
				s.whole.Store(true)
				s.drain(scanner)
			}
			return end
		}
	}
}

// take sorts the events of a batch; true if one of them is the end.
func (s *events) take(batch []sse.Event) (ending, bool) {
	for i := range batch {
		e := &batch[i]
		meaning := s.style.read(e)
		switch meaning {
		case ping:
			continue
		case mishap:
			return ending{how: complains, failure: readComplaint(0, e.Data).failure()}, true
		case content, finish, last, terminal:
			s.frames = append(s.frames, e.Bytes)
			if s.numbered {
				s.final.see(e)
			}
		}
		switch meaning {
		case finish:
			s.finished += finishes(e)
		case last:
			return ending{how: whole}, true
		case terminal:
			return ending{how: native}, true
		case content, ping, mishap:
		}
	}
	return ending{}, false
}

// flush appends what take has sorted out. That nothing was kept means that
// nothing of what came before is either: the only reader has read it all.
func (s *events) flush() (kept bool, err error) {
	if len(s.frames) == 0 {
		return true, nil
	}
	s.begin(s.head)
	kept, err = s.push(s.frames...)
	clear(s.frames)
	s.frames = s.frames[:0]
	return kept, err
}

// over is the ending of an input that has no more whole events.
func (s *events) over(err error) ending {
	var tail *sse.Torn
	switch {
	case errors.Is(err, sse.ErrTooLong):
		return ending{how: tooLarge, err: err}
	case errors.As(err, &tail):
		if end, ok := s.tail(tail); ok {
			return end
		}
		err = tail.Err
	}
	proper := errors.Is(err, io.EOF)
	if s.finished >= s.choices && (proper || s.style.done != nil) {
		return s.complete()
	}
	if proper {
		return ending{how: clipped, err: err}
	}
	return ending{how: torn, err: err}
}

// tail makes sense of what came after the last whole event: the engine's error
// in plain text, or an event that lacks only its blank line.
func (s *events) tail(t *sse.Torn) (ending, bool) {
	e, ok := t.Event()
	if !ok {
		if said := readComplaint(0, t.Tail); said.message != "" && errors.Is(t.Err, io.EOF) && s.finished < s.choices {
			return ending{how: complains, failure: said.failure()}, true
		}
		return ending{}, false
	}
	if string(e.Data) != string(doneData) && !json.Valid(e.Data) {
		return ending{}, false
	}
	end, ok := s.take([]sse.Event{e})
	if _, err := s.flush(); err != nil {
		return ending{how: torn, err: err}, true
	}
	return end, ok
}

// complete ends a stream whose answer is whole, with the family's last event
// where the engine left it out.
func (s *events) complete() ending {
	if s.style.done != nil {
		if _, err := s.push(s.style.done); err != nil {
			return ending{how: torn, err: err}
		}
	}
	return ending{how: whole}
}

// drain reads to the end of the answer, so that the connection can be used
// again. Nothing that comes now is for clients.
func (s *events) drain(scanner *sse.Scanner) {
	timer := time.AfterFunc(drainWithin, func() { s.cancel(nil) })
	defer timer.Stop()
	for range 8 {
		if _, err := scanner.Next(); err != nil {
			return
		}
	}
}
