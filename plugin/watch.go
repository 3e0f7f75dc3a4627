//go:build go1.21

package plugin

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Why an exchange was cancelled, as the cause of its context.
var (
	errShutdown = errors.New("traefik is shutting down")
	errSilent   = errors.New("the sidecar fell silent")
	errHold     = errors.New("the sidecar was lost while it held the request")
)

const (
	holdQuiet   = 30 * time.Second // a held request is not asked about before
	holdEvery   = 10 * time.Second
	holdFails   = 3
	probeLimit  = 2 * time.Second
	markEvery   = 4 // writes; with beats every N s they take at most markEvery × N
	missedBeats = 4
)

// watch cancels an exchange whose sidecar is gone without having closed the
// connection. While the request is held it asks the sidecar from time to time;
// a committed stream must show life, and is asked about when it does not.
type watch struct {
	sidecar string
	id      string
	cancel  context.CancelCauseFunc

	mu    sync.Mutex
	timer *time.Timer // nil after stop
	beat  bool        // a stream has begun; else the request is held
	every time.Duration
	fails int
}

// newWatch begins with the hold.
func newWatch(sidecar, id string, cancel context.CancelCauseFunc) *watch {
	w := &watch{sidecar: sidecar, id: id, cancel: cancel, every: holdEvery}
	w.mu.Lock() // fire may run at once
	defer w.mu.Unlock()
	w.timer = time.AfterFunc(holdQuiet, w.fire)
	return w
}

// commit ends the hold: heartbeat is what the stream promises, "" = nothing.
// It returns the timer that each sign of life must reset to the duration.
func (w *watch) commit(heartbeat string) (*time.Timer, time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	seconds, err := strconv.Atoi(strings.TrimSpace(heartbeat))
	if w.timer == nil || err != nil || seconds < 1 || seconds > 3600 {
		w.halt()
		return nil, 0
	}
	w.beat, w.fails = true, 0
	w.every = time.Duration(seconds*(missedBeats+markEvery-1)) * time.Second
	w.timer.Reset(w.every)
	return w.timer, w.every
}

// stop ends the watch; a second call changes nothing.
func (w *watch) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.halt()
}

// halt runs under the mutex.
func (w *watch) halt() {
	if w.timer != nil {
		w.timer.Stop()
		w.timer = nil
	}
}

// fire asks the sidecar whether it still knows the request. A stream that is
// silent because its client does not read passes this, too.
func (w *watch) fire() {
	known, reachable := probe(w.sidecar, w.id)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.timer == nil {
		return
	}
	switch {
	case known:
		w.fails = 0
	case w.beat:
		w.cancel(errSilent)
		return
	case reachable: // a request that Traefik is still bringing to it, perhaps
		w.fails += holdFails - 1
	default:
		w.fails++
	}
	if w.fails >= holdFails {
		w.cancel(errHold)
		return
	}
	w.timer.Reset(w.every)
}

// probe asks for one request: 200 says that the sidecar works on it.
func probe(sidecar, id string) (known, reachable bool) {
	ctx, cancel := context.WithTimeout(context.Background(), probeLimit)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, sidecar+"/healthz?request="+url.QueryEscape(id), nil)
	if err != nil {
		return false, false
	}
	res, err := declaring.client.Do(req)
	if err != nil {
		return false, false
	}
	_ = res.Body.Close()
	return res.StatusCode == http.StatusOK, res.StatusCode == http.StatusNotFound
}
