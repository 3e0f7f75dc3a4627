package main

import (
	"context"
	"fmt"
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
variables, variables over the file. When the file changes, or at SIGHUP, the route in
it is taken anew; what else has changed counts from the next start.`

// serveCommand runs the sidecar behind Traefik: two listeners, no banner.
func serveCommand() *cobra.Command {
	return &cobra.Command{
		Use:                "serve [--config=FILE] [--KEY=VALUE …]",
		Short:              "Run the sidecar for a Traefik that has the plugin",
		Long:               "Run the sidecar for a Traefik that has the plugin." + configHelp,
		DisableFlagParsing: true, // the flags are the configuration's keys
		RunE: func(c *cobra.Command, args []string) error {
			if wantsHelp(args) {
				return helpWithKeys(c, config.Default())
			}
			file, err := config.Path(args, os.Environ())
			if err != nil {
				return usageError{err}
			}
			return run(c.Context(), c.ErrOrStderr(), nil, source{file, func() (*config.Config, error) {
				cfg := config.Default()
				return cfg, config.Load(cfg, args, os.Environ())
			}})
		},
	}
}

// run builds the sidecar and serves until a signal. A second signal ends it at
// once; what is left then is for the next start to clean up. SIGHUP, or a change
// of the file, makes it read its configuration again.
func run(ctx context.Context, logs io.Writer, ready func(*sidecar), from source) error {
	file, unwatched := from.watched()
	if file != nil {
		defer file.Close()
	}
	cfg, err := from.load()
	if err != nil {
		return usageError{err}
	}
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	s, err := build(cfg, logs)
	if err != nil {
		return err
	}
	if ready != nil {
		ready(s)
	}
	tellPassword(logs, s.fresh)
	context.AfterFunc(ctx, stop) // the next signal is the default one
	again := make(chan os.Signal, 1)
	signal.Notify(again, syscall.SIGHUP)
	defer signal.Stop(again)
	return s.serve(ctx, renewal{load: from.load, asked: again, changed: changes(file, unwatched, s.log)})
}

// helpWithKeys prints a command's help and what its configuration can say.
func helpWithKeys(c *cobra.Command, defaults *config.Config) error {
	if err := c.Help(); err != nil {
		return err
	}
	fmt.Fprint(c.OutOrStdout(), "\nKeys:\n")
	return config.WriteKeys(c.OutOrStdout(), defaults)
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
