package relay_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hal0-dev/hal0/sidecar/internal/relay"
	"github.com/hal0-dev/hal0/sidecar/internal/relay/relaytest"
)

// An engine may close a connection after an answer without having said so, when
// the next request is on it already. Nobody waits for that, and nothing is lost.
func TestEngineClosesUsedConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		closed := 0
		d := newDesk(t, noDir(t), 0, func(w http.ResponseWriter, r *http.Request) {
			if relaytest.Use(r) > 1 {
				closed++
				panic(http.ErrAbortHandler)
			}
			if _, err := io.Copy(io.Discard, r.Body); err != nil {
				t.Error(err)
			}
			if strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/") {
				answers(200, "application/json", `{"text":"x"}`)(w, r)
				return
			}
			if r.Header["Idempotency-Key"] != nil {
				t.Error("a header was sent that is for the transport")
			}
			streams(one, stop, done)(w, r)
		})
		began := time.Now()
		for range 3 {
			s, err := d.Open(t.Context(), chat(t, streamBody))
			if err != nil {
				t.Fatal(err)
			}
			if text, out := read(s); text != one+stop+done || out.Kind != relay.Complete || out.Retried {
				t.Errorf("got %q, %+v", text, out)
			}
			s.Leave()
			synctest.Wait()
		}
		if closed != 2 {
			t.Errorf("%d connections were used again, want 2", closed)
		}
		form := upload(2 * mib)
		s, u := d.send(t, strings.NewReader(form), int64(len(form)))
		if text, out := read(s); text != `{"text":"x"}` || out.Kind != relay.Complete {
			t.Errorf("upload: got %q, %+v", text, out)
		}
		d.wantEmpty(t, u)
		if took := time.Since(began); took > 0 {
			t.Errorf("it took %v", took)
		}
	})
}
