package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// client keeps its connections, as SDKs do.
func client(connections int) *http.Client {
	return &http.Client{Transport: &http.Transport{Proxy: nil, DisableCompression: true, MaxIdleConnsPerHost: connections}}
}

// number makes every request another one: none may share a call.
var number atomic.Uint64

func (w way) request(p pace) (*http.Request, error) {
	b, err := json.Marshal(map[string]any{
		"model": w.model, "stream": true, "max_tokens": 8, "bench": p, "seed": number.Add(1),
		"messages": []any{map[string]string{"role": "user", "content": "Count to five."}},
	})
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequest(http.MethodPost, w.url+"/v1/chat/completions", bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	return req, nil
}

// stream makes one request; seen is called for each event. It returns when the
// first came, after the request.
func (w way) stream(c *http.Client, p pace, seen func(time.Time)) (first time.Duration, err error) {
	req, err := w.request(p)
	if err != nil {
		return 0, err
	}
	began := time.Now()
	resp, err := c.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
		return 0, fmt.Errorf("status %d: %s", resp.StatusCode, text)
	}
	in, last := bufio.NewReader(resp.Body), ""
	for {
		line, err := in.ReadString('\n')
		if err == io.EOF && strings.HasPrefix(last, "data: [DONE]") {
			return first, nil
		}
		if err != nil {
			return 0, fmt.Errorf("read stream after %q: %w", last, err)
		}
		if !strings.HasPrefix(line, "data: ") {
			continue
		}
		now := time.Now()
		if first == 0 {
			first = now.Sub(began)
		}
		last = line
		seen(now)
	}
}

// parallel runs f for each of n clients at once, and returns the first error.
func parallel(n int, f func(i int) error) error {
	var all sync.WaitGroup
	errs := make([]error, n)
	for i := range n {
		all.Go(func() { errs[i] = f(i) })
	}
	all.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
