package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/hal0-dev/hal0/sidecar/internal/config"
	"github.com/hal0-dev/hal0/sidecar/internal/login"
	"github.com/spf13/cobra"
)

// passwordFile holds the hash of the dashboard's password, in the state
// directory.
const passwordFile = "password"

// passwordCommand makes a new password for the dashboard.
func passwordCommand(stdout io.Writer) *cobra.Command {
	return &cobra.Command{
		Use:   "password [--json] [--config=FILE] [--state=DIR]",
		Short: "Make a new password for the dashboard",
		Long: `Password makes a new password for the dashboard and prints it, once: only its hash
is kept, in the state directory. A running sidecar takes it within a second; who was
signed in has to sign in again. From the box itself the dashboard needs none.`,
		DisableFlagParsing: true, // the flags are the configuration's keys
		RunE: func(c *cobra.Command, args []string) error {
			if wantsHelp(args) {
				return c.Help()
			}
			asJSON, args := takeSwitch(args, "json")
			cfg := config.Default()
			if err := config.Load(cfg, args, os.Environ()); err != nil {
				return usageError{err}
			}
			if err := os.MkdirAll(cfg.State, 0o750); err != nil {
				return fmt.Errorf("make password: %w", err)
			}
			password, err := login.Make(filepath.Join(cfg.State, passwordFile))
			if err != nil {
				return err
			}
			return say(stdout, asJSON, password, map[string]any{"password": password})
		},
	}
}

// tellPassword shows a password that this start has made. It is no log line: it
// is seen once, and is not for files.
func tellPassword(out io.Writer, password string) {
	if password != "" {
		fmt.Fprintf(out, "hal0: the dashboard's password, shown this once: %s (hal0 password makes another)\n", password)
	}
}
