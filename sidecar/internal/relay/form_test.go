package relay

import (
	"bytes"
	"io"
	"mime/multipart"
	"strings"
	"testing"
)

const formType = `multipart/form-data; boundary=B`

func form(parts ...string) string {
	return "--B\r\n" + strings.Join(parts, "\r\n--B\r\n") + "\r\n--B--\r\n"
}

func part(header, value string) string {
	return "Content-Disposition: form-data; " + header + "\r\n\r\n" + value
}

func TestFormField(t *testing.T) {
	for _, c := range []struct {
		name, form, want string
		found            bool
	}{
		{"first", form(part(`name="model"`, "whisper-1"), part(`name="file"; filename="a.wav"`, "RIFF")), "whisper-1", true},
		{"last", form(part(`name="file"; filename="model"`, "RIFF\r\n--Bother"), part(`name=model`, "x")), "x", true},
		{"empty", form(part(`name="model"`, "")), "", true},
		{"with other headers", form("X-A: b\r\ncontent-disposition:form-data;name=model\r\nContent-Type: text/plain\r\n\r\nx"), "x", true},
		{"preamble", "hello\r\n" + form(part(`name="model"`, "x")), "x", true},
		{"space behind the boundary", "--B \t\r\n" + part(`name="model"`, "x") + "\r\n--B--", "x", true},
		{"without headers before", form("\r\nx", part(`name="model"`, "x")), "x", true},
		{"a file of that name", form(part(`name="model"; filename="x"`, "y")), "", false},
		{"none", form(part(`name="other"`, "model")), "", false},
		{"no end", "--B\r\n" + part(`name="model"`, "x"), "", false},
		{"in a value", form(part(`name="a"`, `name="model"`)), "", false},
		{"no form", "model=x", "", false},
		{"nothing", "", "", false},
	} {
		s, ok := formField([]byte(c.form), "B", "model")
		if got := c.form[s.start:s.end]; ok != c.found || got != c.want {
			t.Errorf("%s: %q, %v", c.name, got, ok)
		}
	}
}

// FuzzFormField compares with mime/multipart where that understands the form.
func FuzzFormField(f *testing.F) {
	f.Add([]byte(form(part(`name="model"`, "x"), part(`name="file"; filename="a"`, "b"))))
	f.Add([]byte("--B\r\n\r\n\r\n--B--"))
	f.Add([]byte("\r\n--B\r\nContent-Disposition: form-data; name=model\r\n\r\n--B--\r\n\r\n--B--"))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, found := formField(text, "B", "model")
		if s.start < 0 || s.end < s.start || s.end > len(text) {
			t.Fatalf("span %v of %d bytes", s, len(text))
		}
		r := multipart.NewReader(bytes.NewReader(text), "B")
		for {
			p, err := r.NextRawPart()
			if err != nil {
				return // a form that is not understood is passed on as it is
			}
			value, err := io.ReadAll(p)
			if err != nil {
				return
			}
			if len(p.Header["Content-Disposition"]) != 1 || p.FormName() != "model" || p.FileName() != "" {
				continue
			}
			if found && !bytes.Equal(text[s.start:s.end], value) && bytes.Contains(text, []byte("\r\n--B\r\n")) && !bytes.Contains(text, []byte("\n--B\n")) {
				t.Fatalf("%q: found %q, want %q", text, text[s.start:s.end], value)
			}
			return
		}
	})
}
