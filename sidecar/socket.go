package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os/signal"
	"syscall"
	"time"

	"github.com/hal0-dev/hal0/sidecar/internal/socket"
	"github.com/hashicorp/go-hclog"
	"github.com/spf13/cobra"
)

// socketCommand gives Traefik the five calls of Docker that it needs.
func socketCommand() *cobra.Command {
	listen, path := "", ""
	c := &cobra.Command{
		Use:   "socket-proxy",
		Short: "Let Traefik read labels from Docker, and nothing else",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			log := hclog.New(&hclog.LoggerOptions{Name: "socket-proxy", Output: c.ErrOrStderr()})
			ctx, stop := signal.NotifyContext(c.Context(), syscall.SIGINT, syscall.SIGTERM)
			defer stop()
			mux := http.NewServeMux()
			mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("ok\n")) })
			mux.Handle("/", socket.Proxy(path, log))
			l, err := net.Listen("tcp", listen)
			if err != nil {
				return err
			}
			log.Info("listening", "address", l.Addr(), "socket", path)
			return serveUntil(ctx, &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}, l)
		},
	}
	c.Flags().StringVar(&listen, "listen", "127.0.0.1:2375", "address to listen on; keep it inside a network of its own")
	c.Flags().StringVar(&path, "socket", "/var/run/docker.sock", "Docker's socket")
	return c
}

// serveUntil serves until ctx ends, then closes every connection.
func serveUntil(ctx context.Context, s *http.Server, l net.Listener) error {
	failed := make(chan error, 1)
	go func() { failed <- s.Serve(l) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	s.Close()
	if err := <-failed; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
