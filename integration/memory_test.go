package integration

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hal0-dev/hal0/integration/bed"
)

// Issue 3, bar 4: two models on a device where there is room for one.

// budget is what the device may be filled with: one of the models takes some
// 240 MiB before it is measured, and two some 340 MiB after.
const budget = 300 << 20

const starvation = 5 * time.Second

// cramped starts a sidecar with both models.
func cramped(t *testing.T) (s *bed.Sidecar, marked string) {
	t.Helper()
	bed.Tool(t, "llama-server")
	bed.Model(t, "slow.gguf")
	marked = mark()
	s = bed.NewSidecar(t, fmt.Sprintf("devices: {cpu: {memory: %dMiB}}\nlimits: {starvation: %v}\n", budget>>20, starvation)+route(`
models:
  a: {model: slow.gguf, context: "512"}
  b: {model: slow.gguf, context: "512"}
`))
	return s.Env(marked).Start(), marked
}

// watch samples what the engines hold until it is stopped, and returns the most
// that was seen, of memory and of engines that were up at once.
func watch(t *testing.T, s *bed.Sidecar, marked string) (stop func() (most int64, up int)) {
	t.Helper()
	quit, done := make(chan struct{}), make(chan struct{})
	var most int64
	var up int
	go func() {
		defer close(done)
		for {
			var sum int64
			for pid := range bed.Marked(t, marked) {
				if pid != s.PID() {
					sum += bed.Resident(pid)
				}
			}
			now := 0
			for _, slot := range slotsOf(t, s) {
				if slot.PID > 0 {
					now++
				}
			}
			most, up = max(most, sum), max(up, now)
			select {
			case <-quit:
				return
			case <-time.After(50 * time.Millisecond):
			}
		}
	}()
	end := sync.OnceFunc(func() {
		close(quit)
		<-done
	})
	t.Cleanup(end) // before the sidecar's, also where the test gives up
	return func() (int64, int) {
		end()
		return most, up
	}
}

func slotsOf(t testing.TB, s *bed.Sidecar) []bed.Slot {
	status, body := bed.Get(t, s.ControlURL()+"/api/slots")
	var list struct{ Slots []bed.Slot }
	if status != http.StatusOK || json.Unmarshal([]byte(body), &list) != nil {
		t.Errorf("/api/slots: %d %s", status, body)
	}
	return list.Slots
}

// The swap happens when the stream on the other has ended, and not before.
func TestIssue3Bar4SwapWaitsForTheStream(t *testing.T) {
	s, marked := cramped(t)
	stop := watch(t, s, marked)
	first := bed.Open(t, bed.Request{Addr: addr(s), Path: chatPath, Body: chat("a", true, `"max_tokens":60`)})
	frames(t, first, 3)
	answer, leave := bed.Opening(t, bed.Request{Addr: addr(s), Path: chatPath, Body: chat("b", true, `"max_tokens":3`)})
	defer leave()
	began := make(chan time.Time, 1) // the first event of b: its head may have come before, with signs of life
	var second *bed.Stream
	go func() {
		defer close(began)
		if second = <-answer; second == nil {
			return
		}
		for {
			if f, ok := second.Next(); !ok || f.Bytes != bed.Heartbeat {
				began <- f.At
				return
			}
		}
	}()
	wantStream(t, first)
	streamed := first.Events()
	if n := len(streamed); n < 60 {
		t.Errorf("the stream on a had %d events", n)
	}
	at := <-began
	if second == nil {
		t.Fatal("b got no answer")
	}
	wantStream(t, second)
	swapped := at.Sub(streamed[len(streamed)-1].At)
	if swapped < 0 {
		t.Error("b answered while a streamed")
	}
	most, up := stop()
	if a := s.Slot("a"); a.State != "offline" || s.Slot("b").PID == 0 {
		t.Errorf("after the swap: %+v and %+v", a, s.Slot("b"))
	}
	bed.Figure(t, "two GGUFs in %d MiB: swapped %v after the stream on the other ended; at most %d MiB resident", budget>>20, swapped.Round(time.Millisecond), most>>20)
	if most > budget || most == 0 || up > 1 {
		t.Errorf("at most %d bytes were held, of %d; %d engines at once", most, int64(budget), up)
	}
}

// Clients that ask for both all the time get both, without a swap per request.
func TestIssue3Bar4AlternatingClients(t *testing.T) {
	s, marked := cramped(t)
	stop := watch(t, s, marked)
	began, lasts := time.Now(), time.Duration(bed.Times(16, 300))*time.Second
	until := began.Add(lasts)
	var mu sync.Mutex
	served, worst := map[string]int{}, time.Duration(0)
	var clients sync.WaitGroup
	for i := range 6 {
		model := []string{"a", "b"}[i%2]
		clients.Go(func() {
			for n := 0; time.Now().Before(until); n++ {
				a := bed.OpenAll(t, bed.Request{Addr: addr(s), Path: chatPath, Body: chat(model, false, `"max_tokens":2`, fmt.Sprintf(`"seed":%d`, n*10+i))})[0]
				body := a.Body()
				mu.Lock()
				served[model]++
				worst = max(worst, a.Headed.Sub(a.Opened))
				mu.Unlock()
				if a.Status != http.StatusOK || !strings.Contains(body, "one two") {
					t.Errorf("%s: %d %s", model, a.Status, body)
					return
				}
			}
		})
	}
	clients.Wait()
	took := time.Since(began) // the last ones were still waiting for their turn
	most, up := stop()
	swaps := int(s.Slot("a").Incarnation+s.Slot("b").Incarnation) - 1
	bound := int(took/starvation) + 2
	bed.Figure(t, "six clients of two GGUFs in %d MiB for %v: %d and %d requests served, %d swaps (at most %d), longest wait %v, at most %d MiB resident",
		budget>>20, took.Round(time.Second), served["a"], served["b"], swaps, bound, worst.Round(time.Millisecond), most>>20)
	if swaps < 1 || swaps > bound {
		t.Errorf("%d swaps, want 1 to %d", swaps, bound)
	}
	if served["a"] == 0 || served["b"] == 0 {
		t.Errorf("served %v", served)
	}
	if most > budget || most == 0 || up > 1 {
		t.Errorf("at most %d bytes were held, of %d; %d engines at once", most, int64(budget), up)
	}
}
