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
	endpoint  slot.Endpoint
	transport *http.Transport
}

func newUpstream(dial func(context.Context, string, string) (net.Conn, error)) *upstream {
	if dial == nil {
		dial = (&net.Dialer{Timeout: connectWithin}).DialContext
	}
	return &upstream{dial: dial, engines: map[string]*engine{}}
}

// transport returns the transport for an endpoint; the one of the slot's former
// process closes its idle connections.
func (u *upstream) transport(slotID string, e slot.Endpoint) *http.Transport {
	u.mu.Lock()
	defer u.mu.Unlock()
	current := u.engines[slotID]
	if current != nil && current.endpoint == e {
		return current.transport
	}
	if current != nil {
		go current.transport.CloseIdleConnections()
	}
	t := &http.Transport{
		DialContext:         u.dial,
		DisableCompression:  true, // the engine's bytes are passed on as they are
		MaxIdleConnsPerHost: 64,
		IdleConnTimeout:     idleWithin,
	}
	u.engines[slotID] = &engine{endpoint: e, transport: t}
	return t
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
	req.GetBody = func() (io.ReadCloser, error) { // for a connection that the engine closed while it was idle
		r, _, err := body.open()
		return io.NopCloser(r), err
	}
	req.Header = header.Clone()
	if e.Key != "" {
		req.Header.Set("Authorization", "Bearer "+e.Key)
	}
	return u.transport(slotID, e).RoundTrip(req)
}

// close closes the connections that nobody uses.
func (u *upstream) close() {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, e := range u.engines {
		e.transport.CloseIdleConnections()
	}
	clear(u.engines)
}
