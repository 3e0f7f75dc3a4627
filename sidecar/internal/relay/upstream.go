package relay

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/hal0-dev/hal0/sidecar/internal/slot"
)

const (
	connectWithin = 2 * time.Second
	// llama-server closes idle connections after 5 s.
	idleWithin = 4 * time.Second
)

// upstream makes the HTTP calls. Each engine process has connections of its
// own, since its port may be another process's later.
type upstream struct {
	dial func(ctx context.Context, network, address string) (net.Conn, error)

	mu      sync.Mutex
	engines map[string]*engine // by slot
}

// engine is the way to one engine process.
type engine struct {
	endpoint slot.Endpoint
	kept     *http.Transport // uses connections again
	fresh    *http.Transport // never does
}

// transport is the right one for a body. llama-server closes every sixth
// connection after a stream without having said so, and a request may be on it
// already: it is sent again, which takes a body that can be.
func (e *engine) transport(body sending) *http.Transport {
	if body.repeats() {
		return e.kept
	}
	return e.fresh
}

func newUpstream(dial func(context.Context, string, string) (net.Conn, error)) *upstream {
	if dial == nil {
		dial = (&net.Dialer{Timeout: connectWithin}).DialContext
	}
	return &upstream{dial: dial, engines: map[string]*engine{}}
}

// engine returns the way to an endpoint; the one to the slot's former process
// closes its idle connections.
func (u *upstream) engine(slotID string, e slot.Endpoint) *engine {
	u.mu.Lock()
	defer u.mu.Unlock()
	current := u.engines[slotID]
	if current != nil && current.endpoint == e {
		return current
	}
	if current != nil {
		go current.kept.CloseIdleConnections()
	}
	current = &engine{
		endpoint: e,
		// The engine's bytes are passed on as they are, so compression is off.
		kept:  &http.Transport{DialContext: u.dial, DisableCompression: true, MaxIdleConnsPerHost: 64, IdleConnTimeout: idleWithin},
		fresh: &http.Transport{DialContext: u.dial, DisableCompression: true, DisableKeepAlives: true},
	}
	u.engines[slotID] = current
	return current
}

// post sends one request.
func (u *upstream) post(ctx context.Context, slotID string, e slot.Endpoint, path string, header http.Header, body sending) (*http.Response, error) {
	r, size, err := body.open()
	if err != nil {
		return nil, fmt.Errorf("send request to the engine: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(e.URL, "/")+path, io.NopCloser(r))
	if err != nil {
		return nil, fmt.Errorf("make request to the engine: %w", err)
	}
	req.ContentLength = size
	req.GetBody = func() (io.ReadCloser, error) {
		r, _, err := body.open()
		return io.NopCloser(r), err
	}
	req.Header = header.Clone()
	// The transport itself repeats the request where a connection that was used
	// before ends ahead of the answer. The header says that it may; an empty one
	// is not sent.
	req.Header["Idempotency-Key"] = nil
	if e.Key != "" {
		req.Header.Set("Authorization", "Bearer "+e.Key)
	}
	return u.engine(slotID, e).transport(body).RoundTrip(req)
}

// close closes the connections that nobody uses.
func (u *upstream) close() {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, e := range u.engines {
		e.kept.CloseIdleConnections()
	}
	clear(u.engines)
}
