package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// remote is a running sidecar, as the commands that look after it reach it.
type remote struct {
	url   string
	token string // file that holds the token; "" = none is sent
}

// defaultRemotes are tried in order where --url is not given: `hal0 up`'s one
// port, then `hal0 serve`'s control listener.
var defaultRemotes = []string{"http://127.0.0.1:8080", "http://127.0.0.1:8091"}

// flags adds what says which sidecar is meant.
func (m *remote) flags(c *cobra.Command) {
	c.Flags().StringVar(&m.url, "url", os.Getenv("HAL0_URL"), "control address of the sidecar (HAL0_URL); default: what runs on this box")
	c.Flags().StringVar(&m.token, "token", os.Getenv("HAL0_TOKEN_FILE"), "file with the sidecar's token, needed from another box (HAL0_TOKEN_FILE)")
}

// bases are the addresses to try.
func (m *remote) bases() []string {
	if m.url != "" {
		return []string{strings.TrimRight(m.url, "/")}
	}
	return defaultRemotes
}

// call sends one request and decodes the answer into out, where it is not nil.
func (m *remote) call(ctx context.Context, method, path string, out any) error {
	resp, err := m.open(ctx, method, path, nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if out == nil {
		return nil
	}
	if err := json.NewDecoder(resp.Body).Decode(out); err != nil {
		return fmt.Errorf("read answer of %s: %w", path, err)
	}
	return nil
}

// open sends one request to the first sidecar that is there, and returns its
// answer, to be read and closed. body is sent as JSON, where it is not nil.
func (m *remote) open(ctx context.Context, method, path string, body any) (*http.Response, error) {
	var last error
	for _, base := range m.bases() {
		resp, err := m.ask(ctx, method, base+path, body)
		var away *net.OpError
		if !errors.As(err, &away) && !errors.Is(err, errStranger) {
			return resp, err
		}
		last = err
	}
	return nil, fmt.Errorf("reach the sidecar: %w (is it running? --url says where)", last)
}

// errStranger is an answer that no sidecar gives.
var errStranger = errors.New("something answers there that is not hal0")

func (m *remote) ask(ctx context.Context, method, address string, body any) (*http.Response, error) {
	var content io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return nil, fmt.Errorf("write request: %w", err)
		}
		content = strings.NewReader(string(b))
	}
	r, err := http.NewRequestWithContext(ctx, method, address, content)
	if err != nil {
		return nil, usageError{fmt.Errorf("read --url: %w", err)}
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if m.token != "" {
		b, err := os.ReadFile(m.token)
		if err != nil {
			return nil, usageError{fmt.Errorf("read --token: %w", err)}
		}
		r.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(b)))
	}
	return ask(r)
}

// ask sends a request; an answer that is an error becomes one.
func ask(r *http.Request) (*http.Response, error) {
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode >= 400 {
		defer resp.Body.Close()
		return nil, refusal(resp)
	}
	return resp, nil
}

// refusal is the error in an envelope.
func refusal(resp *http.Response) error {
	var envelope struct {
		Error struct{ Message, Code string }
	}
	b, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil || json.Unmarshal(b, &envelope) != nil || envelope.Error.Code == "" {
		return fmt.Errorf("%w: it says %s", errStranger, resp.Status)
	}
	return fmt.Errorf("%s (%s)", envelope.Error.Message, envelope.Error.Code)
}

// healthCommand is the health check of the container image, which has no curl.
func healthCommand() *cobra.Command {
	var address string
	c := &cobra.Command{
		Use:   "healthcheck",
		Short: "Exit 0 if a listener of hal0 answers",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			u, err := url.JoinPath(address, "healthz")
			if err != nil {
				return usageError{fmt.Errorf("read --url: %w", err)}
			}
			ctx, cancel := context.WithTimeout(c.Context(), 3*time.Second)
			defer cancel()
			resp, err := (&remote{}).ask(ctx, http.MethodGet, u, nil)
			if err != nil {
				return err
			}
			return resp.Body.Close()
		},
	}
	c.Flags().StringVar(&address, "url", "http://127.0.0.1:8090", "base address of the listener")
	return c
}
