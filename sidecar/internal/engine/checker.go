package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync/atomic"
	"time"
)

// ErrLoading is the answer of an engine that is alive and not yet ready.
var ErrLoading = errors.New("engine is loading")

// ErrStranger is the answer of something that is not the engine we launched.
var ErrStranger = errors.New("another server answers on the engine's port")

// MismatchError says that the engine does not run as planned. It will not get
// better by waiting.
type MismatchError struct{ Text string }

func (e *MismatchError) Error() string { return e.Text }

// probeTimeout bounds one question: a stopped process accepts connections and
// answers nothing.
const probeTimeout = 2 * time.Second

// Checker asks one launched engine whether it is ready.
type Checker struct {
	template Template
	plan     Plan
	base     string // of the engine's address
	client   *http.Client
	known    atomic.Bool // it proved to be ours; holds as long as the process lives
	warm     atomic.Bool // it produced a token, or did by itself while it loaded
}

// NewChecker makes the checker of one launch. Only ask it while the launched
// process lives: that is the other half of the proof.
func (t Template) NewChecker(p Plan, base string) *Checker {
	// No proxy. The two questions of the proof share a connection.
	transport := &http.Transport{MaxIdleConnsPerHost: 1, IdleConnTimeout: time.Second}
	return &Checker{template: t, plan: p, base: base, client: &http.Client{Transport: transport}}
}

// Ready returns nil if the engine can serve, ErrLoading if it will later,
// ErrStranger or *MismatchError if it never will, and any other error if it did
// not answer.
func (c *Checker) Ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	if c.known.Load() || c.template.identity == "" {
		_, err := c.expect(ctx, c.template.ready, last)
		return err
	}
	body, err := c.expect(ctx, c.template.identity, first)
	if err != nil {
		return err
	}
	if c.template.props {
		if err := checkProps(c.plan, body); err != nil {
			return err
		}
	}
	if err := c.refuses(ctx); err != nil {
		return err
	}
	c.known.Store(true)
	return nil
}

// refuses makes sure that another key does not open the engine: only then does
// ours prove anything.
func (c *Checker) refuses(ctx context.Context) error {
	status, _, err := c.get(ctx, c.template.identity, NewKey(), last)
	if err != nil {
		return err
	}
	if status != http.StatusUnauthorized && status != http.StatusForbidden {
		return fmt.Errorf("%w: it takes any key (status %d)", ErrStranger, status)
	}
	return nil
}

// turn says whether another question follows on the same connection. One that
// is left open keeps llama-server from ending for a second.
type turn bool

const (
	first turn = false
	last  turn = true
)

func (c *Checker) expect(ctx context.Context, path string, t turn) ([]byte, error) {
	status, body, err := c.get(ctx, path, c.plan.Key, t)
	switch {
	case err != nil:
		return nil, err
	case status == http.StatusOK:
		return body, nil
	case slices.Contains(c.template.loading, status):
		return nil, ErrLoading
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return nil, fmt.Errorf("%w: it refuses our key", ErrStranger)
	}
	return nil, fmt.Errorf("probe %s: status %d", path, status)
}

func (c *Checker) get(ctx context.Context, path, key string, t turn) (int, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+path, nil)
	if err != nil {
		return 0, nil, fmt.Errorf("probe engine: %w", err)
	}
	req.Close = bool(t)
	return c.do(req, key)
}

func (c *Checker) do(req *http.Request, key string) (int, []byte, error) {
	req.Header.Set("Authorization", "Bearer "+key)
	resp, err := c.client.Do(req)
	if err != nil {
		return 0, nil, fmt.Errorf("probe engine: %w", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return 0, nil, fmt.Errorf("probe engine: %w", err)
	}
	return resp.StatusCode, body, nil
}

// Warm makes the engine produce one token, so that the first client does not
// pay for what it does lazily; also the proof of life after a suspend. The first
// call asks nothing of an engine that has warmed up by itself.
func (c *Checker) Warm(ctx context.Context) error {
	if c.template.warmsUp && !c.warm.Swap(true) {
		return nil
	}
	path, body := "/v1/completions", map[string]any{"prompt": "a", "max_tokens": 1, "model": c.plan.Model.Slot}
	switch {
	case c.plan.Embeds():
		path, body = "/v1/embeddings", map[string]any{"input": "a", "model": c.plan.Model.Slot}
	case c.plan.Ranks():
		path, body = "/v1/rerank", map[string]any{"query": "a", "documents": []string{"a"}, "model": c.plan.Model.Slot}
	}
	b, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("warm engine: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+c.template.Upstream(path), bytes.NewReader(b))
	if err != nil {
		return fmt.Errorf("warm engine: %w", err)
	}
	req.Close = true
	req.Header.Set("Content-Type", "application/json")
	status, _, err := c.do(req, c.plan.Key)
	switch {
	case err != nil:
		return err
	case slices.Contains(c.template.loading, status):
		return ErrLoading
	case status >= http.StatusInternalServerError:
		return fmt.Errorf("warm engine: status %d", status)
	}
	return nil // a 4xx: it cannot do that, but it answers
}

// checkProps compares what llama-server runs with what was planned.
func checkProps(p Plan, body []byte) error {
	var props struct {
		Default struct {
			Context int64 `json:"n_ctx"`
		} `json:"default_generation_settings"`
	}
	if err := json.Unmarshal(body, &props); err != nil {
		return fmt.Errorf("%w: /props: %w", ErrStranger, err)
	}
	if got := props.Default.Context; got > 0 && p.Model.Context > 0 && got < p.Model.Context {
		return &MismatchError{fmt.Sprintf("the engine runs with a context of %d tokens, the model declares %d: it was trained for less, or its args say so", got, p.Model.Context)}
	}
	return nil
}
