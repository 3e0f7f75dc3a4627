// Package socket is the narrow door to Docker that Traefik needs for labels, and
// nothing more: five read-only calls. Mounting Docker's socket read-only would
// protect nothing, since whoever can connect to it can start a privileged
// container.
package socket

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"regexp"
	"strconv"

	"github.com/hashicorp/go-hclog"
)

// calls are the paths that Traefik's Docker provider asks for, the API version
// in front or not; seen in a log of its requests.
var calls = regexp.MustCompile(`^(/v[0-9.]{1,8})?/(_ping|version|events|containers/json|containers/[A-Za-z0-9_.-]{1,128}/json)$`)

var inspect = regexp.MustCompile(`/containers/[^/]+/json$`)

// Allowed reports whether a request passes.
func Allowed(method, path string) bool {
	return (method == http.MethodGet || method == http.MethodHead) && calls.MatchString(path)
}

// Proxy passes the allowed calls on to the socket at path and refuses the rest.
func Proxy(path string, log hclog.Logger) http.Handler {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", path)
	}
	rp := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: "docker"})
			r.Out.Header.Del("Accept-Encoding")
		},
		Transport:      &http.Transport{DialContext: dial, DisableCompression: true},
		FlushInterval:  -1, // events come one by one
		ModifyResponse: redact,
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
			log.Error("docker does not answer", "socket", path, "error", err)
			http.Error(w, "docker does not answer: is its socket mounted, and may this user's group read it?", http.StatusBadGateway)
		},
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !Allowed(r.Method, r.URL.EscapedPath()) {
			log.Warn("refused", "method", r.Method, "path", r.URL.Path)
			http.Error(w, "not among the calls that Traefik needs", http.StatusForbidden)
			return
		}
		rp.ServeHTTP(w, r)
	})
}

// maxInspect bounds what a container's description may be, in bytes.
const maxInspect = 8 << 20

// redact takes the environment out of a container's description: Traefik has no
// use for it, and that is where people keep secrets.
func redact(r *http.Response) error {
	if r.StatusCode != http.StatusOK || r.Request.Method != http.MethodGet || !inspect.MatchString(r.Request.URL.Path) {
		return nil
	}
	b, err := io.ReadAll(io.LimitReader(r.Body, maxInspect))
	if err != nil {
		return fmt.Errorf("read container: %w", err)
	}
	r.Body.Close()
	var c map[string]json.RawMessage
	if err := json.Unmarshal(b, &c); err != nil {
		return fmt.Errorf("read container: %w", err)
	}
	if raw, ok := c["Config"]; ok {
		var inner map[string]json.RawMessage
		if err := json.Unmarshal(raw, &inner); err != nil {
			return fmt.Errorf("read container: %w", err)
		}
		delete(inner, "Env")
		if c["Config"], err = json.Marshal(inner); err != nil {
			return fmt.Errorf("write container: %w", err)
		}
	}
	if b, err = json.Marshal(c); err != nil {
		return fmt.Errorf("write container: %w", err)
	}
	r.Body = io.NopCloser(bytes.NewReader(b))
	r.ContentLength = int64(len(b))
	r.Header.Set("Content-Length", strconv.Itoa(len(b)))
	return nil
}
