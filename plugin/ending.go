//go:build go1.21

package plugin

import (
	"bytes"
	"net/http"
	"strconv"
	"strings"

	"github.com/hal0-dev/hal0/plugin/wire"
)

// boundary is the length of the whole events, and of the whole comments and
// blank lines after them, at the beginning of p. No event ends before from.
func boundary(p []byte, from int) int {
	end := 0
	if i := bytes.LastIndex(p[from:], []byte("\n\n")); i >= 0 {
		end = from + i + 2
	}
	if i := bytes.LastIndex(p[from:], []byte("\r\n\r\n")); i >= 0 && from+i+4 > end {
		end = from + i + 4
	}
	for end < len(p) {
		line := bytes.IndexByte(p[end:], '\n')
		if line < 0 || p[end] != ':' && len(bytes.TrimRight(p[end:end+line], "\r")) > 0 {
			break
		}
		end += line + 1
	}
	return end
}

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

// finish ends an answer whose upstream is done: it returned, or it was cut.
func (w *writer) finish() {
	switch w.mode {
	case modeBody, modeAnswered:
	case modeEvents:
		w.finishEvents()
	case modeBroken:
		if w.events {
			w.finishEvents()
		} else {
			w.abort = true
		}
	default:
		w.replace()
	}
}

func (w *writer) finishEvents() {
	if !w.complete() {
		w.end()
	}
}

// replace answers where the upstream did not.
func (w *writer) replace() {
	if w.mode == modeLost { // and its body could not be had again
		w.answer(w.x.meaning(http.StatusBadGateway))
		return
	}
	if w.returned { // without a word: an empty answer
		return
	}
	w.answer(wire.NewFailure(wire.CodeInternal, "Something on the way to the sidecar failed."), http.StatusInternalServerError)
}

// complete reports whether a stream that is over needs no ending from here.
func (w *writer) complete() bool {
	if w.returned && w.mode == modeEvents {
		if len(w.held) > 0 {
			w.settle()
		} else if w.x.e.Family == wire.FamilyPlain {
			return true // such a stream may end as it likes
		}
	}
	return w.closed
}

// settle looks at what is left when a stream ended by itself: its last event
// may lack nothing but the blank line.
func (w *writer) settle() {
	last := bytes.TrimRight(w.held, "\r\n")
	if w.closed || len(last) == 0 || !w.x.e.chatty || !final(w.x.e.Family, last) {
		return
	}
	w.closed = true
	_, w.gone = w.rw.Write(append(last, '\n', '\n'))
}

// end writes the last event of a stream that cannot go on. What was held back
// of a torn event is dropped.
func (w *writer) end() {
	w.held = nil
	w.closed = true
	f := w.x.detailed(w.x.ending(w.returned && w.mode == modeEvents))
	if _, err := w.rw.Write(f.Event(w.x.e.Family, sequence(w.tail))); err != nil {
		w.gone = err
		return
	}
	w.flush()
}
