package relay_test

import (
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hal0-dev/hal0/plugin/wire"
	"github.com/hal0-dev/hal0/sidecar/internal/slot"
)

// The second crash under the same request is the last that is retried, and the
// client is told so, also where another attempt of the client's had the first
// one.
func TestPoisonIsKnownByItsKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		left := 0 // crashes
		frames := one
		var b *bench
		b = newBench(t, func(w http.ResponseWriter, r *http.Request) {
			if left == 0 {
				streams(one, stop, done)(w, r)
				return
			}
			left--
			if frames != "" {
				streams(frames)(w, r)
				time.Sleep(time.Second)
			}
			b.slots.Leased()[0].Lose(slot.Loss{Why: slot.WhyCrashed, Exit: slot.Exit{Class: slot.ClassCrash}})
			b.engine.Crash()
		})
		body := func(seed int) string { return fmt.Sprintf(`{"stream":true,"seed":%d}`, seed) }
		want := func(what string, seed, crashes int, sent string, calls int, code string, retryable bool) {
			t.Helper()
			left, frames = crashes, sent
			before := len(b.Calls())
			_, out := read(b.open(t, chat(t, body(seed))))
			if n := len(b.Calls()) - before; out.Failure.Code != code || out.Failure.Details.Retryable != retryable || n != calls {
				t.Errorf("%s: %+v, %d calls, want %d", what, out, n, calls)
			}
			synctest.Wait()
		}
		want("a crash in its stream", 1, 1, one, 1, wire.CodeCrashed, true)
		want("the same once more", 1, 1, "", 1, wire.CodeCrashed, false)
		want("the same with a stream", 1, 1, one, 1, wire.CodeCrashed, false)
		want("another one", 2, 1, "", 2, "", false)
		want("a success", 1, 0, "", 1, "", false)
		want("forgotten by that", 1, 1, "", 2, "", false)
		want("twice at once", 3, 2, "", 2, wire.CodeCrashed, false)
		want("which is known", 3, 1, "", 1, wire.CodeCrashed, false)
		time.Sleep(11 * time.Minute)
		want("forgotten by time", 3, 1, "", 2, "", false)
	})
}
