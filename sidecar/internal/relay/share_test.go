package relay_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hal0-dev/hal0/plugin/wire"
	"github.com/hal0-dev/hal0/sidecar/internal/relay"
)

func TestIdenticalColdRequestsShareOneCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, streams(one, two, stop, done))
		b.slots.Cold(true, true)
		first := b.open(t, chat(t, streamBody))
		second := b.open(t, chat(t, `{"messages":[{"content":"Count.","role":"user"}],  "stream":true, "model":"primary", "user":"me"}`))
		other := b.open(t, chat(t, strings.Replace(streamBody, "Count", "Sing", 1)))
		if first.Flight() != "lead" || second.Flight() != "join" || other.Flight() != "lead" {
			t.Errorf("flights: %s, %s, %s", first.Flight(), second.Flight(), other.Flight())
		}
		synctest.Wait()
		b.slots.Grant()
		for _, s := range []*relay.Subscription{first, second} {
			if text, out := read(s); text != one+two+stop+done || out.Kind != relay.Complete {
				t.Errorf("got %q, %v", text, out.Kind)
			}
			if !s.Cold() {
				t.Error("not told as cold")
			}
		}
		read(other)
		if n := len(b.Calls()); n != 2 {
			t.Errorf("%d calls, want 2", n)
		}
		if want := strings.Replace(streamBody, "gpt-4o-mini", "primary", 1); !slices.Contains(b.Calls(), want) {
			t.Errorf("the engine got %s", b.Calls())
		}
	})
}

// On a slot that is up, only what is the same each time is shared, or what the
// model's policy shares always; also when the stream has begun.
func TestWarmRequests(t *testing.T) {
	for _, c := range []struct {
		policy, body string
		joins        bool
	}{
		{wire.CoalesceCold, streamBody, false},
		{wire.CoalesceCold, `{"stream":true,"seed":1}`, true},
		{wire.CoalesceDeterministic, streamBody, false},
		{wire.CoalesceDeterministic, `{"stream":true,"temperature":0}`, true},
		{wire.CoalesceAlways, streamBody, true},
		{wire.CoalesceOff, `{"stream":true,"seed":1}`, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			more := make(chan struct{})
			b := newBench(t, func(w http.ResponseWriter, r *http.Request) {
				streams(one)(w, r)
				<-more
				streams(stop, done)(w, r)
			})
			r := chat(t, c.body)
			r.Model.Coalesce = c.policy
			first := b.open(t, r)
			synctest.Wait()
			second := b.open(t, r)
			if second.Lead() == c.joins {
				t.Errorf("%s, %s: joins %v", c.policy, c.body, !second.Lead())
			}
			synctest.Wait()
			close(more)
			for _, s := range []*relay.Subscription{first, second} {
				if text, out := read(s); text != one+stop+done || out.Kind != relay.Complete {
					t.Errorf("%s, %s: %q, %+v", c.policy, c.body, text, out)
				}
			}
		})
	}
}

// Answers in one piece are shared, too, and nobody's leaving harms the others.
func TestWholeAnswersAreShared(t *testing.T) {
	for path, body := range map[string]string{
		"/v1/chat/completions": `{"messages":[]}`, "/v1/embeddings": `{"input":"x","encoding_format":"base64"}`, "/v1/rerank": `{"query":"x","documents":["y"]}`,
	} {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, answers(200, "application/json", `{"a":1}`))
			b.slots.Cold(true, true)
			first, second, third := b.open(t, ask(t, path, body)), b.open(t, ask(t, path, body)), b.open(t, ask(t, path, body))
			first.Leave()
			synctest.Wait()
			b.slots.Grant()
			for _, s := range []*relay.Subscription{second, third} {
				if text, out := read(s); text != `{"a":1}` || out.Kind != relay.Complete || s.Lead() {
					t.Errorf("%s: %q, %+v, lead %v", path, text, out, s.Lead())
				}
			}
			if n := len(b.Calls()); n != 1 {
				t.Errorf("%s: %d calls", path, n)
			}
		})
	}
}

// A model may want its answers finished, whoever leaves.
func TestFinishForNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		finished := false
		b := newBench(t, func(w http.ResponseWriter, r *http.Request) {
			streams(one)(w, r)
			time.Sleep(time.Minute)
			finished = r.Context().Err() == nil
			streams(stop, done)(w, r)
		})
		r := chat(t, streamBody)
		r.Model.OnDisconnect = wire.DisconnectFinish
		s := b.open(t, r)
		synctest.Wait()
		s.Leave()
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if !finished || len(b.slots.Leased()) != 0 {
			t.Errorf("finished %v, %d leases are held", finished, len(b.slots.Leased()))
		}
	})
}
