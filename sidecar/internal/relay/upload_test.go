package relay_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/hal0-dev/hal0/plugin/wire"
	"github.com/hal0-dev/hal0/sidecar/internal/relay"
	"github.com/hal0-dev/hal0/sidecar/internal/relay/relaytest"
)

const (
	formType = `multipart/form-data; boundary=B`
	mib      = 1 << 20
)

// upload is a form with a file of that size.
func upload(size int) string {
	return "--B\r\nContent-Disposition: form-data; name=model\r\n\r\nwhisper-1\r\n" +
		"--B\r\nContent-Disposition: form-data; name=stream\r\n\r\nfalse\r\n" +
		"--B\r\nContent-Disposition: form-data; name=file; filename=a\r\n\r\n" + strings.Repeat("x", size) + "\r\n--B--\r\n"
}

// forEngine is the form as an engine gets it.
func forEngine(form string) string { return strings.Replace(form, "whisper-1", "primary", 1) }

// desk is a relay that takes uploads.
type desk struct {
	*relay.Relay
	slots  *relaytest.Slots
	engine *relaytest.Engine
	dir    string // for uploads that wait
}

func newDesk(t *testing.T, dir string, total int64, engine http.HandlerFunc) *desk {
	d := &desk{slots: &relaytest.Slots{}, engine: relaytest.NewEngine(t, engine), dir: dir}
	d.Relay = relay.New(relay.Config{Slots: d.slots, Dial: d.engine.Dial, Uploads: dir, UploadsTotal: total})
	t.Cleanup(func() { d.Close(context.Background()) })
	return d
}

// noDir is a directory that cannot be made: uploads must do without.
func noDir(t *testing.T) string {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(file, "uploads")
}

func (d *desk) send(t *testing.T, from io.Reader, size int64) (*relay.Subscription, *relay.Upload) {
	t.Helper()
	u, err := d.Upload(from, formType, size)
	if err != nil {
		t.Fatal(err)
	}
	r := ask(t, "/v1/audio/transcriptions", "")
	r.Upload = u
	r.Header.Set("Content-Type", formType)
	s, err := d.Open(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Leave)
	return s, u
}

// wantEmpty checks that nothing is left of an upload, and that nobody reads it.
func (d *desk) wantEmpty(t *testing.T, u *relay.Upload) {
	t.Helper()
	<-u.Done()
	synctest.Wait()
	if left, err := os.ReadDir(d.dir); err == nil && len(left) > 0 {
		t.Errorf("%d files are left", len(left))
	}
	if n := len(d.slots.Leased()) + d.slots.Waiting(); n > 0 {
		t.Errorf("%d leases and places in the queue are left", n)
	}
}

// transcribes answers with what it heard.
func transcribes(got *[]string, sizes *[]int64) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		*got, *sizes = append(*got, string(b)), append(*sizes, r.ContentLength)
		answers(200, "application/json", `{"text":"x"}`)(w, r)
	}
}

// What fits into memory and what does not, of a size that the client says or
// keeps to itself, through a slot that is up: no file is needed.
func TestUploadGoesThrough(t *testing.T) {
	for _, size := range []int{10, mib - 400, mib, 3 * mib} {
		for _, said := range []bool{true, false} {
			synctest.Test(t, func(t *testing.T) {
				var got []string
				var sizes []int64
				d := newDesk(t, noDir(t), 0, transcribes(&got, &sizes))
				form, n := upload(size), int64(-1)
				want, wantSize := forEngine(form), int64(-1)
				if said {
					n, wantSize = int64(len(form)), int64(len(want))
				}
				s, u := d.send(t, iotest.HalfReader(strings.NewReader(form)), n)
				if u.Field("stream") != "false" || u.Field("nothing") != "" {
					t.Errorf("fields %q, %q", u.Field("stream"), u.Field("nothing"))
				}
				if text, out := read(s); text != `{"text":"x"}` || out.Kind != relay.Complete {
					t.Errorf("%d bytes: %q, %+v", size, text, out)
				}
				if len(got) != 1 || got[0] != want || sizes[0] != wantSize {
					t.Errorf("%d bytes: %d calls, of %v bytes, want %d", size, len(got), sizes, wantSize)
				}
				d.wantEmpty(t, u)
			})
		}
	}
}

// The engine has the beginning before the client has sent the end.
func TestUploadIsStreamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := make(chan struct{})
		var got strings.Builder
		d := newDesk(t, noDir(t), 0, func(w http.ResponseWriter, r *http.Request) {
			_, err := io.CopyN(&got, r.Body, 3*mib/2)
			close(begun)
			if _, rest := io.Copy(&got, r.Body); err != nil || rest != nil {
				t.Errorf("%v, %v", err, rest)
			}
			answers(200, "application/json", `{}`)(w, r)
		})
		form := upload(3 * mib)
		from, to := io.Pipe()
		go func() {
			io.WriteString(to, form[:2*mib])
			<-begun
			io.WriteString(to, form[2*mib:])
			to.Close()
		}()
		s, u := d.send(t, from, int64(len(form)))
		if _, out := read(s); out.Kind != relay.Complete || got.String() != forEngine(form) {
			t.Errorf("%+v, %d bytes", out, got.Len())
		}
		d.wantEmpty(t, u)
	})
}

// An upload that has to wait is taken from its client, and can be sent again.
func TestUploadIsKeptWhileItWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []string
		var sizes []int64
		calls := 0
		d := newDesk(t, filepath.Join(t.TempDir(), "uploads"), 0, func(w http.ResponseWriter, r *http.Request) {
			transcribes(&got, &sizes)(w, r)
			if calls++; calls == 1 {
				panic(http.ErrAbortHandler)
			}
		})
		d.slots.Cold(true, true)
		form := upload(3 * mib)
		s, u := d.send(t, strings.NewReader(form), int64(len(form)))
		<-u.Done()
		d.slots.Cold(true, false) // for the second attempt
		d.slots.Grant()
		text, out := read(s)
		if text != `{"text":"x"}` || !out.Retried || len(got) != 2 || got[0] != forEngine(form) || got[1] != got[0] {
			t.Errorf("%q, %+v, %d calls", text, out, len(got))
		}
		d.wantEmpty(t, u)
	})
}

// What went to an engine is nowhere else: it is not sent again.
func TestUploadIsSpent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		d := newDesk(t, noDir(t), 0, func(w http.ResponseWriter, r *http.Request) {
			calls++
			io.CopyN(io.Discard, r.Body, 2*mib)
			panic(http.ErrAbortHandler)
		})
		form := upload(3 * mib)
		s, u := d.send(t, strings.NewReader(form), int64(len(form)))
		if _, out := read(s); out.Failure.Code != wire.CodeTruncated || out.Retried || calls != 1 {
			t.Errorf("%+v, %d calls", out, calls)
		}
		d.wantEmpty(t, u)
	})
}

// An engine that answers before it has read everything: the client, who looks
// only when it has sent everything, can do so.
func TestUploadWithEarlyAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, noDir(t), 0, answers(400, "application/json", `{"error":{"message":"no"}}`))
		form := upload(9 * mib)
		s, u := d.send(t, strings.NewReader(form), int64(len(form)))
		if _, out := read(s); out.Failure.Code != wire.CodeRejected {
			t.Errorf("%+v", out)
		}
		d.wantEmpty(t, u)
	})
}

// An upload that cannot be read, or kept, ends its request at once, whether it
// waits or is sent.
func TestUploadThatBreaks(t *testing.T) {
	form := upload(3 * mib)
	after := func(n int, err error) io.Reader {
		return io.MultiReader(strings.NewReader(form[:n]), iotest.ErrReader(err))
	}
	for _, c := range []struct {
		name  string
		from  io.Reader
		held  bool
		total int64
		bad   bool // directory
		code  string
	}{
		{"short, held", after(2*mib, io.ErrUnexpectedEOF), true, 0, false, wire.CodeIncomplete},
		{"short, sent", after(2*mib, io.ErrUnexpectedEOF), false, 0, false, wire.CodeIncomplete},
		{"too large, held", after(2*mib, wire.ErrTooLarge), true, 0, false, wire.CodeTooLarge},
		{"too large, sent", after(2*mib, wire.ErrTooLarge), false, 0, false, wire.CodeTooLarge},
		{"too much waits", strings.NewReader(form), true, 2 * mib, false, wire.CodeRateLimited},
		{"no disk", strings.NewReader(form), true, 0, true, wire.CodeNoDisk},
	} {
		synctest.Test(t, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "uploads")
			if c.bad {
				dir = noDir(t)
			}
			d := newDesk(t, dir, c.total, func(_ http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) })
			d.slots.Cold(c.held, c.held)
			s, u := d.send(t, c.from, int64(len(form)))
			if _, out := read(s); out.Failure.Code != c.code || out.Retried {
				t.Errorf("%s: %+v", c.name, out)
			}
			d.wantEmpty(t, u)
			// The room that it took is free again.
			if c.total > 0 {
				small := upload(mib)
				s, u := d.send(t, strings.NewReader(small), int64(len(small)))
				<-u.Done()
				d.slots.Grant()
				if _, out := read(s); out.Failure.Code != wire.CodeTruncated && out.Kind != relay.Complete {
					t.Errorf("%s: then %+v", c.name, out)
				}
			}
		})
	}
	broken := errors.New("broken")
	d := newDesk(t, t.TempDir(), 0, nil)
	if _, err := d.Upload(after(5, broken), formType, -1); !errors.Is(err, broken) {
		t.Errorf("in its head: %v", err)
	}
	if _, err := d.Upload(http.NoBody, "text/plain", -1); !errors.Is(err, relay.ErrNoForm) {
		t.Errorf("no form: %v", err)
	}
}

// A client that leaves ends everything, wherever its upload is.
func TestUploadIsAbandoned(t *testing.T) {
	for _, held := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			d := newDesk(t, filepath.Join(t.TempDir(), "uploads"), 0, func(_ http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) })
			d.slots.Cold(held, held)
			from, to := io.Pipe()
			go io.WriteString(to, upload(3 * mib)[:2*mib])
			s, u := d.send(t, from, -1)
			time.Sleep(time.Second)
			s.Leave()
			to.CloseWithError(io.ErrUnexpectedEOF)
			time.Sleep(time.Minute)
			d.wantEmpty(t, u)
		})
	}
}
