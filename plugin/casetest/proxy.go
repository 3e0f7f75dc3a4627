package casetest

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
)

// Proxy is a reverse proxy that answers for a lost upstream as Traefik's does:
// in text.
func Proxy(upstream string) http.Handler {
	target := &url.URL{Scheme: "http", Host: upstream}
	return &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host = target.Scheme, target.Host
			r.Out.Host = r.In.Host
		},
		Transport: &http.Transport{DisableKeepAlives: true},
		ErrorLog:  log.New(io.Discard, "", 0),
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
			status := statusOf(err)
			w.WriteHeader(status)
			_, _ = io.WriteString(w, http.StatusText(status))
		},
	}
}

func statusOf(err error) int {
	var n net.Error
	switch {
	case errors.Is(err, io.EOF):
		return http.StatusBadGateway
	case errors.Is(err, context.Canceled):
		return 499
	case !errors.As(err, &n):
		return http.StatusInternalServerError
	case n.Timeout():
		return http.StatusGatewayTimeout
	}
	return http.StatusBadGateway
}
