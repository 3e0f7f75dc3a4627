package plugin

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

const event = "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}],\"object\":\"chunk\"}\n\n"

// A stream that promised heartbeats and falls silent is cancelled when the
// sidecar does not know it any more, and ends with one event.
func TestSilentStream(t *testing.T) {
	for name, answer := range map[string]func(*http.Request) (int, error){
		"unreachable": func(*http.Request) (int, error) { return 0, errDown },
		"unknown":     func(*http.Request) (int, error) { return http.StatusNotFound, nil },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &sidecar{answer: answer}
				isolate(t, s)
				ctx, cancel := context.WithCancel(t.Context())
				defer synctest.Wait()
				defer cancel()
				events := make(chan string, 1)
				events <- event
				began := time.Now()
				got, aborted := ask(t.Context(), newHandler(t, ctx, testConfig(t), stream("10", events)))
				if aborted != nil || !strings.HasPrefix(got.Body.String(), event+`data: {"error":{`) || !strings.Contains(got.Body.String(), `"code":"sidecar.lost"`) {
					t.Errorf("answer %q, %v", got.Body, aborted)
				}
				if took := time.Since(began); took < 40*time.Second || took > 75*time.Second {
					t.Errorf("noticed after %v", took)
				}
			})
		})
	}
}

// A stream that sends anything at all within each interval goes on, even if the
// sidecar's control address cannot be reached; one that is silent goes on while
// the sidecar says that it works on it.
func TestLivingStream(t *testing.T) {
	for name, c := range map[string]struct {
		every  time.Duration
		sign   string
		status int
	}{
		"events": {9 * time.Second, event, 0},
		"beats":  {10 * time.Second, ":\n", 0},
		"known":  {5 * time.Minute, event, http.StatusOK},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				isolate(t, &sidecar{answer: func(*http.Request) (int, error) {
					if c.status == 0 {
						return 0, errDown
					}
					return c.status, nil
				}})
				ctx, cancel := context.WithCancel(t.Context())
				defer synctest.Wait()
				defer cancel()
				events := make(chan string)
				go func() {
					for range 100 {
						time.Sleep(c.every)
						events <- c.sign
					}
					events <- "data: [DONE]\n\n"
					close(events)
				}()
				got, aborted := ask(t.Context(), newHandler(t, ctx, testConfig(t), stream("10", events)))
				if want := strings.Repeat(c.sign, 100) + "data: [DONE]\n\n"; aborted != nil || got.Body.String() != want {
					t.Errorf("answer ends with %q, %v", got.Body.String()[max(0, got.Body.Len()-300):], aborted)
				}
			})
		})
	}
}

// While a request is held, the sidecar is asked from the thirtieth second on.
func TestHeldRequest(t *testing.T) {
	for name, c := range map[string]struct {
		status int // 0 = unreachable
		after  time.Duration
		asked  int
	}{
		"unreachable": {0, 50 * time.Second, 3},
		"unknown":     {http.StatusNotFound, 40 * time.Second, 2},
		"other":       {http.StatusInternalServerError, 50 * time.Second, 3},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &sidecar{answer: func(r *http.Request) (int, error) {
					if r.Method == http.MethodPut || c.status != 0 {
						return max(c.status, 200), nil
					}
					return 0, errDown
				}}
				isolate(t, s)
				ctx, cancel := context.WithCancel(t.Context())
				defer synctest.Wait()
				defer cancel()
				began := time.Now()
				got, aborted := ask(t.Context(), newHandler(t, ctx, testConfig(t), hold))
				if aborted != nil || got.Code != http.StatusServiceUnavailable || !strings.Contains(got.Body.String(), `"code":"sidecar.unreachable"`) || got.Header().Get("Retry-After") == "" {
					t.Errorf("answer %d %v %s, %v", got.Code, got.Header(), got.Body, aborted)
				}
				if took := time.Since(began); took != c.after {
					t.Errorf("given up after %v, want %v", took, c.after)
				}
				probes := 0
				for _, line := range s.log() {
					if line == "GET /healthz?request=test-1" {
						probes++
					}
				}
				if probes != c.asked {
					t.Errorf("asked %d times, want %d", probes, c.asked)
				}
			})
		})
	}
}

// A request that the sidecar knows is held for as long as it likes.
func TestHeldAndKnown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sidecar{}
		isolate(t, s)
		ctx, cancel := context.WithCancel(t.Context())
		defer synctest.Wait()
		defer cancel()
		next := func(w http.ResponseWriter, r *http.Request) {
			select {
			case <-r.Context().Done():
				t.Errorf("cancelled: %v", context.Cause(r.Context()))
			case <-time.After(10 * time.Minute):
			}
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte("{}"))
		}
		got, _ := ask(t.Context(), newHandler(t, ctx, testConfig(t), next))
		if got.Code != http.StatusOK || got.Body.String() != "{}" {
			t.Errorf("answer %d %s", got.Code, got.Body)
		}
	})
}
