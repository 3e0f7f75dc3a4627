package integration

import (
	"testing"
	"time"

	"github.com/hal0-dev/hal0/integration/bed"
)

// Bar 4: identical streams on a cold slot are one request to the engine.
// The slow model makes a stream of a second or more out of this.
func TestBar4OneFlight(t *testing.T) {
	s, e := stack(t)
	const limit = `"max_tokens":120`
	ask := bed.Request{Addr: e.Web("127.0.0.1"), Host: "hal0.lan", Path: chatPath, Body: chat("slow", true, limit)}
	// cold makes the slot cold and returns how many requests engines have seen.
	cold := func(t *testing.T) int {
		t.Helper()
		s.Move("slow", "unload")
		s.Await("slow", 10*time.Second, "offline")
		return len(s.Exchanges(chatPath))
	}
	wantOne := func(t *testing.T, before int) bed.Exchange {
		t.Helper()
		seen := s.Exchanges(chatPath)[before:]
		if len(seen) != 1 {
			t.Fatalf("the engine saw %d requests, want 1", len(seen))
		}
		return seen[0]
	}
	s.Await("slow", 10*time.Second, "offline") // the route is declared
	s.Move("slow", "load")

	t.Run("two at once", func(t *testing.T) {
		before := cold(t)
		both := bed.OpenAll(t, ask, ask)
		first, second := wantStream(t, both[0]), wantStream(t, both[1])
		if first != second {
			t.Errorf("the bodies differ:\n%q\n%q", tail(first), tail(second))
		}
		if sent := withoutPings(string(wantOne(t, before).Body)); first != sent {
			t.Errorf("the bodies are not what the engine sent:\n%q\n%q", tail(first), tail(sent))
		}
		led, joined := 0, 0
		for _, one := range both {
			switch one.Header.Get("X-Hal0-Flight") {
			case "lead":
				led++
			case "join":
				joined++
			}
			if one.Header.Get("X-Hal0-Cold-Start") != "true" {
				t.Errorf("X-Hal0-Cold-Start %q", one.Header.Get("X-Hal0-Cold-Start"))
			}
		}
		if led != 1 || joined != 1 {
			t.Errorf("%d led and %d joined, want one each", led, joined)
		}
	})

	t.Run("a third joins late", func(t *testing.T) {
		before := cold(t)
		both := bed.OpenAll(t, ask, ask)
		frames(t, both[0], 20)
		late := bed.Open(t, ask)
		first, third := wantStream(t, both[0]), wantStream(t, late)
		if second := wantStream(t, both[1]); first != second || first != third {
			t.Errorf("the bodies differ:\n%q\n%q\n%q", tail(first), tail(second), tail(third))
		}
		wantOne(t, before)
	})

	t.Run("the first leaves", func(t *testing.T) {
		before := cold(t)
		lead := bed.Open(t, ask)
		frames(t, lead, 5)
		join := bed.Open(t, ask)
		frames(t, join, 5)
		lead.Leave()
		got := wantStream(t, join)
		if seen := wantOne(t, before); got != withoutPings(string(seen.Body)) {
			t.Errorf("the one that stayed got other bytes than the engine sent: %q", tail(got))
		}
	})

	t.Run("all leave", func(t *testing.T) {
		before := cold(t)
		both := bed.OpenAll(t, ask, ask)
		frames(t, both[0], 5)
		frames(t, both[1], 5)
		launches := s.Launches()
		engine := launches[len(launches)-1]
		if !engine.Busy(t) {
			t.Error("the engine is not busy in the middle of a stream")
		}
		both[0].Leave()
		both[1].Leave()
		left := time.Now()
		bed.Until(t, "the engine's connection is closed", 5*time.Second, func() bool {
			return !wantOne(t, before).Closed.IsZero()
		})
		within(t, "closed towards the engine", wantOne(t, before).Closed.Sub(left), 200*time.Millisecond)
		bed.Until(t, "the engine is idle", 10*time.Second, func() bool { return !engine.Busy(t) })
		within(t, "the engine is idle", time.Since(left), 2*time.Second)
	})

	t.Run("others do not share", func(t *testing.T) {
		before := cold(t)
		other := ask
		other.Body = chat("slow", true, limit, `"temperature":0.5`)
		both := bed.OpenAll(t, ask, other)
		wantStream(t, both[0])
		wantStream(t, both[1])
		if seen := len(s.Exchanges(chatPath)) - before; seen != 2 {
			t.Errorf("two different requests made %d calls", seen)
		}
	})
}
