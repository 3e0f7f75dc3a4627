package plugin

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/hal0-dev/hal0/plugin/wire"
)

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

// FastProxy does not panic when the upstream dies: it writes a status and a
// text into the answer and returns.
func TestFastProxy(t *testing.T) {
	for name, c := range map[string]struct {
		kind    string
		before  string
		want    string
		aborted bool
		textual bool // a middleware in between keeps the status to itself
		ending  string
	}{
		"stream":                   {"text/event-stream", event + "data: {\"torn", event, false, false, wire.CodeLost},
		"stream, text alone":       {"text/event-stream", event + "data: {\"torn", event, false, true, wire.CodeLost},
		"complete":                 {"text/event-stream", event + "data: [DONE]\n\n", event + "data: [DONE]\n\n", false, false, ""},
		"complete, text alone":     {"text/event-stream", event + "data: [DONE]\n\n", event + "data: [DONE]\n\n", false, true, ""},
		"another body":             {"application/json", `{"half":`, `{"half":`, true, false, ""},
		"another body, text alone": {"application/json", `{"half":`, `{"half":`, true, true, ""},
		"nothing begun":            {"", "", "", false, false, wire.CodeUnreachable},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				isolate(t, &sidecar{})
				ctx, cancel := context.WithCancel(t.Context())
				defer synctest.Wait()
				defer cancel()
				got, aborted := ask(t.Context(), newHandler(t, ctx, testConfig(t), func(w http.ResponseWriter, _ *http.Request) {
					if c.kind != "" {
						w.Header().Set("Content-Type", c.kind)
						w.WriteHeader(http.StatusOK)
						_, _ = io.WriteString(w, c.before)
					}
					if !c.textual {
						w.WriteHeader(http.StatusBadGateway)
					}
					_, _ = io.WriteString(w, "Bad Gateway")
				}))
				text := got.Body.String()
				if strings.Contains(text, "Bad Gateway") || strings.Contains(text, "torn") || !strings.HasPrefix(text, c.want) {
					t.Errorf("answer %q", text)
				}
				if (aborted == http.ErrAbortHandler) != c.aborted {
					t.Errorf("aborted: %v", aborted)
				}
				rest := strings.TrimPrefix(text, c.want)
				switch c.ending {
				case "":
					if rest != "" {
						t.Errorf("ending %q", rest)
					}
				case wire.CodeLost:
					if !strings.HasPrefix(rest, `data: {"error":`) || !strings.Contains(rest, c.ending) || strings.Count(rest, "\n\n") != 1 {
						t.Errorf("ending %q", rest)
					}
				case wire.CodeUnreachable:
					if got.Code != http.StatusServiceUnavailable || !strings.Contains(rest, c.ending) {
						t.Errorf("answer %d %q", got.Code, rest)
					}
				}
			})
		})
	}
}

// broken is a client whose connection fails after some bytes.
type broken struct {
	*httptest.ResponseRecorder
	left int
}

func (b *broken) Write(p []byte) (int, error) {
	if b.left -= len(p); b.left < 0 {
		return 0, errors.New("broken pipe")
	}
	return b.ResponseRecorder.Write(p)
}

// Where nobody listens any more, nothing is written, and the proxy's panic goes
// on as it was.
func TestClientGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		isolate(t, &sidecar{})
		ctx, cancel := context.WithCancel(t.Context())
		defer synctest.Wait()
		defer cancel()
		client, leave := context.WithCancel(t.Context())
		h := newHandler(t, ctx, testConfig(t), func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			_, _ = io.WriteString(w, event)
			leave()
			<-r.Context().Done()
			panic(http.ErrAbortHandler)
		})
		got, aborted := ask(client, h)
		if aborted != http.ErrAbortHandler || got.Body.String() != event {
			t.Errorf("panic %v after %q", aborted, got.Body)
		}
	})
}

// A write that fails is told to the proxy, also on the short way.
func TestBrokenClient(t *testing.T) {
	b := &broken{ResponseRecorder: httptest.NewRecorder(), left: 3 * len(event)}
	x := &exchange{e: &endpoint{Endpoint: wire.Endpoint{Family: wire.FamilyChat}, chatty: true}}
	x.ctx, x.cancel = context.WithCancelCause(t.Context())
	w := newWriter(b, x)
	w.Header().Set("Content-Type", "text/event-stream")
	w.WriteHeader(http.StatusOK)
	for i := range 5 {
		if _, err := io.WriteString(w, event); (err != nil) != (i >= 3) {
			t.Errorf("write %d: %v", i, err)
		}
	}
	if b.Body.String() != strings.Repeat(event, 3) {
		t.Errorf("client has %q", b.Body)
	}
}

// A panic before anything was written becomes an error, not a broken answer.
func TestPanicBeforeHead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		isolate(t, &sidecar{})
		ctx, cancel := context.WithCancel(t.Context())
		defer synctest.Wait()
		defer cancel()
		got, aborted := ask(t.Context(), newHandler(t, ctx, testConfig(t), func(http.ResponseWriter, *http.Request) { panic("bug") }))
		if aborted != nil || got.Code != http.StatusInternalServerError || !strings.Contains(got.Body.String(), `"code":"internal"`) {
			t.Errorf("answer %d %s, %v", got.Code, got.Body, aborted)
		}
	})
}

// An event that never ends is not held for ever.
func TestEventTooLarge(t *testing.T) {
	x := &exchange{e: &endpoint{Endpoint: wire.Endpoint{Family: wire.FamilyChat}, chatty: true}}
	x.ctx, x.cancel = context.WithCancelCause(t.Context())
	w := newWriter(httptest.NewRecorder(), x)
	w.Header().Set("Content-Type", "text/event-stream")
	piece := strings.Repeat("a", 1<<20)
	var err error
	n := 0
	for ; n < 100 && err == nil; n++ {
		_, err = io.WriteString(w, piece)
	}
	if n != maxEvent>>20+1 || x.cause().Code != wire.CodeTruncated {
		t.Errorf("%d MiB, %v, %+v", n, err, x.cause())
	}
}

// However a stream is cut into writes, the client gets the same bytes, and at
// any moment only whole events and whole comment lines.
func FuzzWriter(f *testing.F) {
	f.Add("data: {\"a\":[1]}\n\ndata: [DONE]\n\n", []byte{3, 9, 1, 200})
	f.Add(":\n:\ndata: {}\n\n:\ndata: x\n", []byte{1})
	f.Add(": ping\n\ndata: {\"a\":1}\r\n\r\ndata: b", []byte{0, 2, 2})
	f.Add("event: ping\ndata: {}\n\n\n\n:x", []byte{7, 7})
	f.Add("data: {\"error\":{}}\n\n", []byte{255})
	f.Fuzz(func(t *testing.T, text string, cuts []byte) {
		for _, family := range []string{wire.FamilyChat, wire.FamilyResponses} {
			whole, one := writeIn(t, family, text, nil)
			pieces, many := writeIn(t, family, text, cuts)
			if whole != pieces {
				t.Fatalf("one write gives %q, many give %q", whole, pieces)
			}
			// An error event ends with two braces; what does not is no error event.
			if one.closed != many.closed && !strings.Contains(text, `{"error":`) {
				t.Fatalf("one write is complete: %v, many: %v", one.closed, many.closed)
			}
			if !strings.HasPrefix(text, whole) || string(many.held) != text[len(whole):] {
				t.Fatalf("of %q passed %q, held %q", text, whole, many.held)
			}
		}
	})
}

// writeIn writes the text in pieces and checks what the client has after each.
func writeIn(t *testing.T, family, text string, cuts []byte) (string, *writer) {
	t.Helper()
	x := &exchange{e: &endpoint{Endpoint: wire.Endpoint{Family: family}, chatty: family == wire.FamilyChat}}
	x.ctx, x.cancel = context.WithCancelCause(t.Context())
	client := httptest.NewRecorder()
	w := newWriter(client, x)
	w.Header().Set("Content-Type", "text/event-stream")
	w.WriteHeader(http.StatusOK)
	for i := 0; text != ""; i++ {
		n := len(text)
		if len(cuts) > 0 {
			n = min(n, int(cuts[i%len(cuts)])+1)
		}
		buf := []byte(text[:n])
		if wrote, err := w.Write(buf); err != nil || wrote != n {
			t.Fatalf("wrote %d of %d: %v", wrote, n, err)
		}
		clear(buf) // the caller may use it again
		text = text[n:]
		got := client.Body.String()
		if rest := got[boundary([]byte(got), 0):]; rest != "" {
			t.Fatalf("client has %q, which is not whole", got)
		}
	}
	return client.Body.String(), w
}
