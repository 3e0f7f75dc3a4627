package relay

import (
	"bytes"
	"mime"
	"strings"
)

// span is a part of a text.
type span struct{ start, end int }

// formBoundary returns the boundary of a multipart/form-data body; "" if it is
// none.
func formBoundary(contentType string) string {
	kind, params, err := mime.ParseMediaType(contentType)
	if err != nil || kind != "multipart/form-data" {
		return ""
	}
	return params["boundary"]
}

// formField finds the value of a field in the beginning of a form. Files are no
// fields; a value that has no end there is not found.
func formField(head []byte, boundary, name string) (span, bool) {
	head = append([]byte("\r\n"), head...) // so that every delimiter begins alike
	delimiter := []byte("\r\n--" + boundary)
	_, at, ok := nextDelimiter(head, 0, delimiter)
	for ok {
		start, found := at, false
		if !bytes.HasPrefix(head[at-2:], []byte("\r\n\r\n")) {
			end := bytes.Index(head[at-2:], []byte("\r\n\r\n"))
			if end < 0 {
				break
			}
			end += at - 2
			found = isField(string(head[at:end]), name)
			start = end + 4
		} else {
			start += 2
		}
		// The blank line's own end may be the next delimiter's beginning.
		end, next, more := nextDelimiter(head, start-2, delimiter)
		if found && end >= 0 {
			return span{start - 2, max(start, end) - 2}, true
		}
		at, ok = next, more
	}
	return span{}, false
}

// nextDelimiter returns where the next delimiter begins, from i on, and where
// the line that it stands on has ended; ok is false if it is the form's last,
// or there is none: then begin is -1.
func nextDelimiter(text []byte, i int, delimiter []byte) (begin, end int, ok bool) {
	for {
		n := bytes.Index(text[i:], delimiter)
		if n < 0 {
			return -1, 0, false
		}
		begin = i + n
		i = begin + len(delimiter)
		if bytes.HasPrefix(text[i:], []byte("--")) {
			return begin, i, false
		}
		line := bytes.Index(text[i:], []byte("\r\n"))
		if line < 0 {
			return -1, 0, false
		}
		if len(bytes.Trim(text[i:i+line], " \t")) == 0 {
			return begin, i + line + 2, true
		}
	}
}

// isField reports whether a part's header says that it is the field of that
// name.
func isField(header, name string) bool {
	for line := range strings.SplitSeq(header, "\r\n") {
		key, value, _ := strings.Cut(line, ":")
		if !strings.EqualFold(strings.TrimSpace(key), "Content-Disposition") {
			continue
		}
		kind, params, err := mime.ParseMediaType(strings.TrimSpace(value))
		_, file := params["filename"]
		return err == nil && kind == "form-data" && params["name"] == name && !file
	}
	return false
}
