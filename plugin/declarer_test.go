package plugin

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hal0-dev/hal0/plugin/wire"
)

func puts(s *sidecar) int {
	n := 0
	for _, line := range s.log() {
		if line == "PUT /api/routes/hal0@test" {
			n++
		}
	}
	return n
}

// Traefik makes many instances of one configuration at each reload, cancels the
// old ones, and does so a thousand times: each reload is declared once, and
// nothing is left running. (The bubble fails if a goroutine stays.)
func TestReloads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sidecar{}
		isolate(t, s)
		config := testConfig(t)
		var end context.CancelFunc
		for range 1000 {
			ctx, cancel := context.WithCancel(t.Context())
			if end != nil {
				end()
			}
			end = cancel
			for range 32 {
				newHandler(t, ctx, config, http.NotFound)
			}
			time.Sleep(time.Second)
			if n := len(declaring.byName); n != 1 {
				t.Fatalf("%d routes are being declared", n)
			}
		}
		if n := puts(s); n != 1000 {
			t.Errorf("declared %d times", n)
		}
		end()
		synctest.Wait()
		if n := len(declaring.byName); n != 0 {
			t.Errorf("%d routes are being declared after the end", n)
		}
	})
}

// A sidecar that is away is asked again and again, ever more rarely.
func TestBackOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		back := time.Now().Add(2 * time.Minute)
		s := &sidecar{answer: func(*http.Request) (int, error) {
			if time.Now().Before(back) {
				return 0, errDown
			}
			return http.StatusNoContent, nil
		}}
		isolate(t, s)
		ctx, cancel := context.WithCancel(t.Context())
		newHandler(t, ctx, testConfig(t), http.NotFound)
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if n := puts(s); n < 9 || n > 12 {
			t.Errorf("asked %d times in two minutes", n)
		}
		time.Sleep(31 * time.Second)
		n := puts(s)
		time.Sleep(50 * time.Minute)
		if again := puts(s); again != n {
			t.Errorf("declared %d times after success", again-n)
		}
		time.Sleep(10 * time.Minute)
		if again := puts(s); again != n+1 {
			t.Errorf("confirmed %d times in an hour", again-n)
		}
		cancel()
		synctest.Wait()
	})
}

// The sidecar's wish to hear the route again reaches the declarer; the newest
// instance's time is declared.
func TestDeclareAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sidecar{}
		isolate(t, s)
		ctx, cancel := context.WithCancel(t.Context())
		config := testConfig(t)
		newHandler(t, ctx, config, http.NotFound)
		time.Sleep(time.Second)
		h := newHandler(t, ctx, config, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set(wire.HeaderDeclare, "1")
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte("{}"))
		})
		since := time.Now().UnixMilli()
		time.Sleep(time.Second)
		got, _ := ask(t.Context(), h)
		if _, there := got.Header()[wire.HeaderDeclare]; there || got.Code != http.StatusOK {
			t.Errorf("answer %d %v", got.Code, got.Header())
		}
		time.Sleep(time.Second)
		if n := puts(s); n != 3 {
			t.Errorf("declared %d times", n)
		}
		if last := s.bodies[len(s.bodies)-1]; !strings.Contains(last, `"since":`+itoa(since)) {
			t.Errorf("declared %s, want since %d", last, since)
		}
		cancel()
		synctest.Wait()
	})
}
