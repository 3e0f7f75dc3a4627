//go:build go1.21

package plugin

import (
	"bytes"
	"net/http"
	"strconv"
	"strings"

	"github.com/hal0-dev/hal0/plugin/wire"
)

// lastEvent is the last event of whole ones, without its blank line; comments
// are none.
func lastEvent(whole []byte) []byte {
	text := strings.ReplaceAll(string(whole), "\r\n", "\n")
	for text != "" {
		text = strings.TrimRight(text, "\n")
		begin := strings.LastIndex(text, "\n\n")
		last := text
		if begin >= 0 {
			last = text[begin+2:]
		}
		for strings.HasPrefix(last, ":") {
			line := strings.IndexByte(last, '\n')
			if line < 0 {
				last = ""
				break
			}
			last = last[line+1:]
		}
		if last != "" {
			return []byte(last)
		}
		if begin < 0 {
			break
		}
		text = text[:begin]
	}
	return nil
}

// final reports whether an event completes a stream of the family, well or with
// an error.
func final(family string, event []byte) bool {
	text := string(event)
	if strings.HasPrefix(text, "data: {\"error\":") {
		return true
	}
	switch family {
	case wire.FamilyChat, wire.FamilyCompletions:
		return text == "data: [DONE]"
	case wire.FamilyResponses:
		return strings.HasPrefix(text, "event: response.completed\n") || strings.HasPrefix(text, "event: response.incomplete\n") ||
			strings.HasPrefix(text, "event: response.failed\n") || strings.HasPrefix(text, "event: error\n")
	case wire.FamilyMessages:
		return strings.HasPrefix(text, "event: message_stop\n") || strings.HasPrefix(text, "event: error\n")
	}
	// What is left says so where it speaks OpenAI's words, and nowhere else.
	return strings.Contains(text, "\"type\":\"speech.audio.done\"") || strings.Contains(text, "\"type\":\"transcript.text.done\"") ||
		strings.Contains(text, "\"type\":\"image_generation.completed\"") || strings.Contains(text, "\"type\":\"image_edit.completed\"")
}

// sequence is the number of the event after the last one.
func sequence(event []byte) int {
	const key = "\"sequence_number\":"
	i := bytes.LastIndex(event, []byte(key))
	if i < 0 {
		return 0
	}
	digits := strings.TrimSpace(string(event[i+len(key):]))
	end := 0
	for end < len(digits) && digits[end] >= '0' && digits[end] <= '9' {
		end++
	}
	n, err := strconv.Atoi(digits[:end])
	if err != nil {
		return 0
	}
	return n + 1
}

// finish ends an answer whose upstream is done. returned says that it came to
// its own end, else it was cut. The result says that the client's connection
// has to be broken off, because nothing else would tell it.
func (w *writer) finish(returned bool) (abort bool) {
	switch w.mode {
	case modeLost: // and its body could not be had again
		w.answer(w.x.meaning(http.StatusBadGateway))
		return false
	case modeWaiting:
		if !returned {
			w.answer(wire.NewFailure(wire.CodeInternal, "Something on the way to the sidecar failed."), 500)
		}
		return false
	case modeBroken:
		if !w.events {
			return true
		}
	case modeEvents:
		if returned {
			w.settle()
			if w.x.family == wire.FamilyPlain && len(w.held) == 0 {
				return false // such a stream may end as it likes
			}
		}
	default:
		return false
	}
	if !w.closed {
		w.closed = true
		w.end(w.x.detailed(w.x.ending(returned && w.mode == modeEvents)))
	}
	return false
}

// settle looks at what is left when a stream ended by itself: its last event
// may lack nothing but the blank line.
func (w *writer) settle() {
	if len(w.held) == 0 {
		return
	}
	last := bytes.TrimRight(w.held, "\r\n")
	if w.closed || len(last) == 0 || !w.x.chatty || !final(w.x.family, last) {
		return
	}
	w.closed = true
	_, w.gone = w.rw.Write(append(last, '\n', '\n'))
}

// end writes the last event of a stream that cannot go on. What was held back
// of a torn event is dropped.
func (w *writer) end(f wire.Failure) {
	w.held = nil
	if _, err := w.rw.Write(f.Event(w.x.family, sequence(w.tail))); err != nil {
		w.gone = err
		return
	}
	if w.flusher != nil {
		w.flusher.Flush()
	}
}
