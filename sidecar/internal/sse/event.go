package sse

import "bytes"

// Event is one whole event.
type Event struct {
	Bytes []byte // canonical form with its blank line
	Data  []byte // the payload, part of Bytes
	Name  string // of the event field, "" = none; also where Bytes leave it out
}

var (
	dataField  = []byte("data: ")
	eventField = []byte("event: ")
)

// Encode makes the canonical form of an event; name "" leaves its line out.
// Line ends in data become spaces, since JSON, which is all that is sent this
// way, has them only between tokens.
func Encode(name string, data []byte) Event {
	size := len(dataField) + len(data) + 2
	if name != "" {
		size += len(eventField) + len(name) + 1
	}
	out := make([]byte, 0, size)
	if name != "" {
		out = append(out, eventField...)
		out = append(out, name...)
		out = append(out, '\n')
	}
	out = append(out, dataField...)
	from := len(out)
	out = append(out, data...)
	for i := from; i < len(out); i++ {
		if out[i] == '\n' || out[i] == '\r' {
			out[i] = ' '
		}
	}
	to := len(out)
	out = append(out, '\n', '\n')
	return Event{Bytes: out, Data: out[from:to:to], Name: name}
}

// fields collects the lines of one event that is not in canonical form.
type fields struct {
	name string
	data []byte
	seen bool // there was a data line
}

func (f *fields) add(line []byte) {
	name, value, _ := bytes.Cut(line, []byte(":"))
	value = bytes.TrimPrefix(value, []byte(" "))
	switch string(name) {
	case "data":
		if f.seen {
			f.data = append(f.data, '\n')
		}
		f.seen = true
		f.data = append(f.data, value...)
	case "event":
		f.name = string(value)
	case "error": // an old llama.cpp wrote its errors as a field of this name
		f.name, f.seen = "error", true
		f.data = append(f.data, value...)
	}
}

// event is what the lines add up to; false if nothing is to be dispatched.
func (f *fields) event(names bool) (Event, bool) {
	if len(bytes.Trim(f.data, " \t\n\v\f")) == 0 {
		return Event{}, false
	}
	if names {
		return Encode(f.name, f.data), true
	}
	e := Encode("", f.data)
	e.Name = f.name
	return e, true
}
