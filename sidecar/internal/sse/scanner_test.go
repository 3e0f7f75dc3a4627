package sse

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

// scan reads everything and returns the events' bytes, their names and the
// error at the end.
func scan(t testing.TB, r io.Reader, o Options) (events, names []string, err error) {
	t.Helper()
	s := NewScanner(r, o)
	for {
		batch, err := s.Next()
		if err != nil {
			if len(batch) > 0 {
				t.Fatalf("Next returned %d events and %v", len(batch), err)
			}
			return events, names, err
		}
		if len(batch) == 0 {
			t.Fatal("Next returned neither events nor an error")
		}
		for _, e := range batch {
			events, names = append(events, string(e.Bytes)), append(names, e.Name)
			if !bytes.Contains(e.Bytes, e.Data) {
				t.Fatalf("data %q is not in %q", e.Data, e.Bytes)
			}
		}
	}
}

var cases = []struct {
	name  string
	names bool // keep them
	in    string
	want  []string
	torn  string // the tail, "" = clean end
}{
	{name: "nothing", in: ""},
	{name: "canonical", in: "data: {\"a\":1}\n\ndata: [DONE]\n\n", want: []string{"data: {\"a\":1}\n\n", "data: [DONE]\n\n"}},
	{name: "pings of every kind", in: ":\n\n: ping\n\n:\ndata: 1\n\n:\n\n\n\ndata: 2\n\n:\n", want: []string{"data: 1\n\n", "data: 2\n\n"}},
	{name: "comment inside", in: "data: 1\n: x\n\n", want: []string{"data: 1\n\n"}},
	{name: "crlf", in: "data: 1\r\n\r\ndata: 2\r\n\r\n", want: []string{"data: 1\n\n", "data: 2\n\n"}},
	{name: "bare cr", in: "data: 1\r\rdata: 2\r\r", want: []string{"data: 1\n\n", "data: 2\n\n"}},
	{name: "mixed ends", in: "data: 1\r\n\ndata: 2\n\r\n", want: []string{"data: 1\n\n", "data: 2\n\n"}},
	{name: "byte order mark", in: "\xef\xbb\xbfdata: 1\n\n", want: []string{"data: 1\n\n"}},
	{name: "no space", in: "data:{}\n\ndata:[DONE]\n\n", want: []string{"data: {}\n\n", "data: [DONE]\n\n"}},
	{name: "two spaces are kept", in: "data:  {}\n\n", want: []string{"data:  {}\n\n"}},
	{name: "several data lines", in: "data: {\"a\":\ndata: 1}\n\n", want: []string{"data: {\"a\": 1}\n\n"}},
	{name: "id and retry", in: "id: 7\ndata: 1\nretry: 3\n\nretry: 3000\n\n", want: []string{"data: 1\n\n"}},
	{name: "empty data", in: "data:\n\ndata: \n\ndata\n\nevent: x\n\ndata: 1\n\n", want: []string{"data: 1\n\n"}},
	{name: "names dropped", in: "event: message\ndata: 1\n\n", want: []string{"data: 1\n\n"}},
	{name: "names kept", names: true, in: "event: message\ndata: 1\n\ndata: 2\n\n", want: []string{"event: message\ndata: 1\n\n", "data: 2\n\n"}},
	{name: "name behind data", names: true, in: "data: 1\nevent: x\n\n", want: []string{"event: x\ndata: 1\n\n"}},
	{name: "error field", in: "error: {\"code\":500}\n\n", want: []string{"data: {\"code\":500}\n\n"}},
	{name: "torn", in: "data: 1\n\ndata: {\"a", want: []string{"data: 1\n\n"}, torn: "data: {\"a"},
	{name: "no blank line at the end", in: "data: 1\n\ndata: [DONE]\n", want: []string{"data: 1\n\n"}, torn: "data: [DONE]\n"},
	{name: "raw text at the end", in: "data: 1\n\nproxy error: Failed to read connection", want: []string{"data: 1\n\n"}, torn: "proxy error: Failed to read connection"},
	{name: "json instead of events", in: "{\"error\":\"x\"}", torn: "{\"error\":\"x\"}"},
	{name: "comment without end", in: "data: 1\n\n: pi", want: []string{"data: 1\n\n"}},
}

func TestScanner(t *testing.T) {
	readers := map[string]func(string) io.Reader{
		"whole":     func(s string) io.Reader { return strings.NewReader(s) },
		"byte":      func(s string) io.Reader { return iotest.OneByteReader(strings.NewReader(s)) },
		"dataerr":   func(s string) io.Reader { return iotest.DataErrReader(strings.NewReader(s)) },
		"halfreads": func(s string) io.Reader { return iotest.HalfReader(strings.NewReader(s)) },
	}
	for _, c := range cases {
		for how, reader := range readers {
			t.Run(c.name+"/"+how, func(t *testing.T) {
				got, _, err := scan(t, reader(c.in), Options{Names: c.names})
				if !slices.Equal(got, c.want) {
					t.Errorf("events %q, want %q", got, c.want)
				}
				var torn *Torn
				switch {
				case c.torn == "" && err != io.EOF:
					t.Errorf("ended with %v, want a clean end", err)
				case c.torn != "" && (!errors.As(err, &torn) || string(torn.Tail) != c.torn):
					t.Errorf("ended with %v, want torn with tail %q", err, c.torn)
				}
			})
		}
	}
}

func TestNamesAreToldWhereTheyAreDropped(t *testing.T) {
	_, names, _ := scan(t, strings.NewReader("event: error\ndata: 1\n\ndata: 2\n\n"), Options{})
	if want := []string{"error", ""}; !slices.Equal(names, want) {
		t.Errorf("names %q, want %q", names, want)
	}
}

func TestTornEvent(t *testing.T) {
	_, _, err := scan(t, strings.NewReader("data: [DONE]\n"), Options{})
	var torn *Torn
	if !errors.As(err, &torn) {
		t.Fatalf("ended with %v", err)
	}
	if e, ok := torn.Event(); !ok || string(e.Bytes) != "data: [DONE]\n\n" || string(e.Data) != "[DONE]" {
		t.Errorf("tail reads as %q, %v", e.Bytes, ok)
	}
}

func TestReaderErrorIsReported(t *testing.T) {
	broken := errors.New("broken")
	for _, tail := range []string{"", "data: half"} {
		got, _, err := scan(t, io.MultiReader(strings.NewReader("data: 1\n\n"+tail), iotest.ErrReader(broken)), Options{})
		if len(got) != 1 || !errors.Is(err, broken) {
			t.Errorf("tail %q: %d events, then %v", tail, len(got), err)
		}
		if torn := new(Torn); errors.As(err, &torn) != (tail != "") {
			t.Errorf("tail %q: %v", tail, err)
		}
	}
	if _, _, err := scan(t, stuck{}, Options{}); !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("a reader that returns nothing: %v", err)
	}
}

type stuck struct{}

func (stuck) Read([]byte) (int, error) { return 0, nil }

func TestLargeEvents(t *testing.T) {
	big := "data: " + strings.Repeat("x", 5<<20) + "\n\n"
	got, _, err := scan(t, io.MultiReader(strings.NewReader(big), strings.NewReader("data: 1\n\n")), Options{})
	if len(got) != 2 || got[0] != big || err != io.EOF {
		t.Fatalf("%d events, %v", len(got), err)
	}
	for _, size := range []int{1001, 50_000} {
		_, _, err := scan(t, strings.NewReader("data: 1\n\ndata: "+strings.Repeat("x", size)+"\n\n"), Options{Limit: 1000})
		if !errors.Is(err, ErrTooLong) {
			t.Errorf("an event of %d bytes: %v", size, err)
		}
	}
}

// What was given out must stay as it is while the scanner goes on.
func TestEventsAreImmutable(t *testing.T) {
	var in strings.Builder
	var want []string
	for i := range 5000 {
		e := fmt.Sprintf("data: %d %s\n\n", i, strings.Repeat("y", i%300))
		want = append(want, e)
		in.WriteString(e + ":\n\n")
	}
	s := NewScanner(iotest.HalfReader(strings.NewReader(in.String())), Options{})
	var kept [][]byte
	for {
		batch, err := s.Next()
		if err != nil {
			break
		}
		for _, e := range batch {
			kept = append(kept, e.Bytes)
		}
	}
	if len(kept) != len(want) {
		t.Fatalf("%d events, want %d", len(kept), len(want))
	}
	for i := range kept {
		if string(kept[i]) != want[i] {
			t.Fatalf("event %d is %q, want %q", i, kept[i], want[i])
		}
	}
}

// In canonical form, nothing is copied per event.
func TestCanonicalEventsAreNotCopied(t *testing.T) {
	in := strings.Repeat("data: {\"choices\":[{\"delta\":{\"content\":\"x\"}}]}\n\n", 1000)
	allocs := testing.AllocsPerRun(10, func() {
		s := NewScanner(strings.NewReader(in), Options{})
		for {
			if _, err := s.Next(); err != nil {
				return
			}
		}
	})
	if allocs > 40 {
		t.Errorf("%.0f allocations for 1000 events", allocs)
	}
}
