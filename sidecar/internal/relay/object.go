package relay

import (
	"bytes"
	"encoding/json"
	"errors"
)

// errNotObject is a body that is JSON, but no object, or no JSON.
var errNotObject = errors.New("body is not a JSON object")

// object is the text of a JSON object and where its members are in it.
type object struct {
	text    []byte
	members []member
}

// member is one member of an object: text[start:end] is all of it, from its
// name's quote to the end of its value.
type member struct {
	name              string
	start, value, end int
}

// parseObject finds the members of a JSON object. The text is valid JSON.
func parseObject(text []byte) (object, error) {
	if !json.Valid(text) {
		return object{}, errNotObject
	}
	o := object{text: text}
	i := space(text, 0)
	if text[i] != '{' {
		return object{}, errNotObject
	}
	o.scan(i)
	return o, nil
}

// scan finds the members of the object that begins at i in valid JSON.
func (o *object) scan(i int) {
	text := o.text
	for i = space(text, i+1); text[i] != '}'; {
		m := member{start: i}
		i = skip(text, i)
		m.name = unquote(text[m.start:i])
		i = space(text, i) // the colon
		m.value = space(text, i+1)
		i = skip(text, m.value)
		m.end = i
		o.members = append(o.members, m)
		if i = space(text, i); text[i] == ',' {
			i = space(text, i+1)
		}
	}
}

// raw returns the value of the last member of that name, as most parsers do;
// nil if there is none.
func (o object) raw(name string) []byte {
	for i := len(o.members) - 1; i >= 0; i-- {
		if m := o.members[i]; m.name == name {
			return o.text[m.value:m.end]
		}
	}
	return nil
}

func (o object) has(name string) bool { return o.raw(name) != nil }

// space returns the index of the first byte from i on that is not white space.
func space(text []byte, i int) int {
	for i < len(text) && (text[i] == ' ' || text[i] == '\n' || text[i] == '\t' || text[i] == '\r') {
		i++
	}
	return i
}

// skip returns the index behind the value that begins at i in valid JSON.
func skip(text []byte, i int) int {
	switch text[i] {
	case '"':
		return skipString(text, i)
	case '{', '[':
		for depth := 0; ; i++ {
			switch text[i] {
			case '"':
				i = skipString(text, i) - 1
			case '{', '[':
				depth++
			case '}', ']':
				if depth--; depth == 0 {
					return i + 1
				}
			}
		}
	}
	if n := bytes.IndexAny(text[i:], ",]} \n\t\r"); n >= 0 {
		return i + n
	}
	return len(text)
}

func skipString(text []byte, i int) int {
	for i++; ; i++ {
		n := bytes.IndexByte(text[i:], '"')
		i += n
		slashes := 0
		for text[i-1-slashes] == '\\' {
			slashes++
		}
		if slashes%2 == 0 {
			return i + 1
		}
	}
}

// unquote returns the string that a JSON string literal stands for.
func unquote(literal []byte) string {
	inner := literal[1 : len(literal)-1]
	if bytes.IndexByte(inner, '\\') < 0 {
		return string(inner)
	}
	var s string
	if json.Unmarshal(literal, &s) != nil { // it is valid: parseObject checked
		return string(inner)
	}
	return s
}
