package plugin

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// At the signal, streams run on until shutdownAfter and end with an event;
// held requests get a JSON error.
func TestShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		isolate(t, &sidecar{})
		ctx, cancel := context.WithCancel(t.Context())
		defer synctest.Wait()
		defer cancel()
		events := make(chan string, 1)
		events <- event
		answers := make([]*httptest.ResponseRecorder, 2)
		took := make([]time.Duration, 2)
		var all sync.WaitGroup
		for i, next := range []http.HandlerFunc{stream("", events), hold} {
			h := newHandler(t, ctx, testConfig(t), next)
			all.Go(func() {
				began := time.Now()
				answers[i], _ = ask(t.Context(), h)
				took[i] = time.Since(began)
			})
		}
		time.Sleep(5 * time.Second)
		stopping.cancel()
		all.Wait()
		for i, got := range answers {
			if !strings.Contains(got.Body.String(), `"code":"edge.shutdown"`) || took[i] != 13*time.Second {
				t.Errorf("answer %d after %v: %d %s", i, took[i], got.Code, got.Body)
			}
		}
		if got := answers[0].Body.String(); !strings.HasPrefix(got, event+"data: {\"error\":") || strings.Count(got, "\n\n") != 2 {
			t.Errorf("stream: %q", got)
		}
		if got := answers[1]; got.Code != http.StatusServiceUnavailable || got.Header().Get("Retry-After") == "" {
			t.Errorf("held: %d %v", got.Code, got.Header())
		}
	})
}
