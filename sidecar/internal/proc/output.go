package proc

import (
	"strings"
	"sync"
	"time"
	"unicode"
)

const (
	maxLine  = 4 << 10 // bytes of a line that are kept
	maxTail  = 200     // lines
	maxBytes = 64 << 10
)

// output turns what a process writes into lines. It has one writer.
type output struct {
	onLine func(string)

	// The writer's own.
	partial []byte
	cut     bool // the line is longer than maxLine, its rest is dropped

	mu   sync.Mutex // guards what follows
	tail []string
	size int // bytes in tail
	last time.Time
}

func newOutput(onLine func(string)) *output {
	return &output{onLine: onLine, last: time.Now()}
}

// Write takes any piece of output. A carriage return ends a line, too: that is
// how progress bars write.
func (o *output) Write(b []byte) (int, error) {
	o.touch()
	for _, c := range b {
		switch {
		case c == '\n' || c == '\r':
			o.flush()
		case len(o.partial) < maxLine:
			o.partial = append(o.partial, c)
		default:
			o.cut = true
		}
	}
	return len(b), nil
}

// flush ends the line that has begun.
func (o *output) flush() {
	line := cleanLine(string(o.partial))
	if o.cut {
		line += " …"
	}
	o.partial, o.cut = o.partial[:0], false
	if line != "" {
		o.add(line)
	}
}

func (o *output) add(line string) {
	o.keep(line)
	if o.onLine != nil {
		o.onLine(line)
	}
}

func (o *output) keep(line string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.tail = append(o.tail, line)
	o.size += len(line)
	drop := 0
	for len(o.tail)-drop > maxTail || o.size > maxBytes {
		o.size -= len(o.tail[drop])
		drop++
	}
	if drop > 0 {
		o.tail = append(o.tail[:0:0], o.tail[drop:]...)
	}
}

func (o *output) touch() {
	now := time.Now()
	o.mu.Lock()
	defer o.mu.Unlock()
	o.last = now
}

func (o *output) lines() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]string(nil), o.tail...)
}

func (o *output) lastTime() time.Time {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.last
}

// cleanLine makes a line fit for a log or a terminal: valid UTF-8, without
// escape sequences and control characters.
func cleanLine(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if !strings.ContainsFunc(s, unicode.IsControl) {
		return strings.TrimRight(s, " ")
	}
	var b strings.Builder
	escape := false
	for i, r := range s {
		switch {
		case escape:
			// A sequence is ESC [ parameters letter; "[" itself goes on.
			bracket := r == '[' && s[i-1] == 0x1b
			escape = bracket || r < '@' || r > '~'
		case r == 0x1b:
			escape = true
		case r == '\t':
			b.WriteByte(' ')
		case !unicode.IsControl(r):
			b.WriteRune(r)
		}
	}
	return strings.TrimRight(b.String(), " ")
}
