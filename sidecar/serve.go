package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/hal0-dev/hal0/sidecar/internal/config"
	"github.com/spf13/cobra"
)

const configHelp = `

Configuration comes from a file (--config=hal0.yml, or HAL0_CONFIG), from HAL0_*
variables and from flags, which are the file's keys: --listen.data=127.0.0.1:8090
is listen.data in the file and HAL0_LISTEN_DATA in the environment. Flags win over
variables, variables over the file.`

// serveCommand runs the sidecar behind Traefik: two listeners, no banner.
func serveCommand() *cobra.Command {
	return &cobra.Command{
		Use:                "serve [--config=FILE] [--KEY=VALUE …]",
		Short:              "Run the sidecar for a Traefik that has the plugin",
		Long:               "Run the sidecar for a Traefik that has the plugin." + configHelp,
		DisableFlagParsing: true, // the flags are the configuration's keys
		RunE: func(c *cobra.Command, args []string) error {
			if wantsHelp(args) {
				return c.Help()
			}
			cfg := config.Default()
			if err := config.Load(cfg, args, os.Environ()); err != nil {
				return usageError{err}
			}
			return run(c.Context(), cfg, c.ErrOrStderr(), nil)
		},
	}
}

// run builds the sidecar and serves until a signal. A second signal ends it at
// once; what is left then is for the next start to clean up.
func run(ctx context.Context, cfg *config.Config, logs io.Writer, ready func(*sidecar)) error {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	s, err := build(cfg, logs)
	if err != nil {
		return err
	}
	if ready != nil {
		ready(s)
	}
	context.AfterFunc(ctx, stop) // the next signal is the default one
	return s.serve(ctx)
}

func wantsHelp(args []string) bool {
	for _, a := range args {
		if a == "-h" || a == "--help" || a == "help" {
			return true
		}
		if !strings.HasPrefix(a, "-") {
			return false
		}
	}
	return false
}
