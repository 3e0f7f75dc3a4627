package sse

import (
	"bytes"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

// reference is the standard's algorithm, written for clarity: split into
// lines, collect fields, dispatch at blank lines.
func reference(in string, names bool) []string {
	in = strings.TrimPrefix(in, "\xef\xbb\xbf")
	in = strings.ReplaceAll(strings.ReplaceAll(in, "\r\n", "\n"), "\r", "\n")
	var out []string
	var name string
	var data []string
	lines := strings.Split(in, "\n")
	for _, line := range lines[:len(lines)-1] {
		if line == "" {
			if joined := strings.Join(data, " "); strings.Trim(joined, "\t\v\f ") != "" {
				if name != "" && names {
					joined = name + "\x00" + joined
				}
				out = append(out, joined)
			}
			name, data = "", nil
			continue
		}
		field, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch field {
		case "data":
			data = append(data, value)
		case "event":
			name = value
		}
	}
	return out
}

func FuzzScanner(f *testing.F) {
	for _, c := range cases {
		f.Add(c.in, c.names)
	}
	f.Add("data: 1\r", false)
	f.Add("data: 1\r\n\r", true)
	f.Fuzz(func(t *testing.T, in string, names bool) {
		if strings.Contains(in, "error") {
			return // our own field, not the standard's
		}
		var all [][]string
		for _, r := range []io.Reader{
			strings.NewReader(in),
			iotest.OneByteReader(strings.NewReader(in)),
			iotest.DataErrReader(iotest.HalfReader(strings.NewReader(in))),
		} {
			s := NewScanner(r, Options{Names: names})
			var got []string
			for {
				batch, err := s.Next()
				if err != nil {
					break
				}
				for _, e := range batch {
					checkCanonical(t, e, names)
					line := string(e.Data)
					if e.Name != "" && names {
						line = e.Name + "\x00" + line
					}
					got = append(got, line)
				}
			}
			all = append(all, got)
		}
		want := reference(in, names)
		for i, got := range all {
			if !slices.Equal(got, want) {
				t.Fatalf("reader %d: %q gives %q, want %q", i, in, got, want)
			}
		}
	})
}

func checkCanonical(t *testing.T, e Event, names bool) {
	t.Helper()
	want := "data: " + string(e.Data) + "\n\n"
	if names && e.Name != "" {
		want = "event: " + e.Name + "\n" + want
	}
	if string(e.Bytes) != want {
		t.Fatalf("event %q is not canonical, want %q", e.Bytes, want)
	}
	if bytes.ContainsAny(e.Data, "\r\n") {
		t.Fatalf("data %q has a line end", e.Data)
	}
}
