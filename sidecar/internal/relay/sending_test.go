package relay_test

import (
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/hal0-dev/hal0/sidecar/internal/relay"
)

// Once the answer has begun, the request's body is not kept: answers are long.
func TestBodyIsNotKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const size = 2 << 20
		more := make(chan struct{})
		d := newDesk(t, "", 0, func(w http.ResponseWriter, r *http.Request) {
			if n, err := io.Copy(io.Discard, r.Body); n < size || err != nil {
				t.Errorf("%d bytes, %v", n, err)
			}
			streams(one)(w, r)
			<-more
			streams(stop, done)(w, r)
		})
		inUse := func() uint64 {
			var m runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&m)
			return m.HeapAlloc
		}
		before := inUse()
		s := func() *relay.Subscription {
			s, err := d.Open(t.Context(), chat(t, `{"stream":true,"prompt":"`+strings.Repeat("x", size)+`"}`))
			if err != nil {
				t.Fatal(err)
			}
			return s
		}()
		defer s.Leave()
		synctest.Wait()
		if frames, _ := s.Take(); len(frames) != 1 {
			t.Fatalf("%d frames", len(frames))
		}
		if kept := int64(inUse()) - int64(before); kept > size/2 {
			t.Errorf("%d MiB are in use", kept>>20)
		}
		close(more)
		if text, out := read(s); text != stop+done || out.Kind != relay.Complete {
			t.Errorf("%q, %+v", text, out)
		}
	})
}
