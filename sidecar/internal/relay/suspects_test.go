package relay

import (
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hal0-dev/hal0/sidecar/internal/hub"
)

func TestSuspects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s suspects
		s.clear("a")
		s.add("")
		s.add("a")
		if s.has("") || !s.has("a") || s.has("b") {
			t.Error("not the one that was added")
		}
		s.clear("a")
		if s.has("a") {
			t.Error("not forgotten")
		}
		s.add("a")
		time.Sleep(suspectFor - time.Second)
		if !s.has("a") {
			t.Error("forgotten too early")
		}
		s.add("b")
		time.Sleep(time.Second)
		if s.has("a") || !s.has("b") {
			t.Error("not forgotten in time")
		}
		for i := range 2 * maxSuspects {
			s.add(hub.Key(strconv.Itoa(i)))
			time.Sleep(time.Millisecond)
		}
		if len(s.seen) != maxSuspects || s.has("b") || s.has("0") || !s.has(hub.Key(strconv.Itoa(maxSuspects))) {
			t.Errorf("%d are remembered", len(s.seen))
		}
	})
}
