package main

import (
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"strings"
	"time"

	"github.com/hal0-dev/hal0/plugin/wire"
	"github.com/hal0-dev/hal0/sidecar/internal/demo"
	"github.com/hal0-dev/hal0/sidecar/internal/engine"
	"github.com/spf13/cobra"
)

// Exit statuses.
const (
	exitOK     = 0
	exitFailed = 1 // the command did not do what it was asked
	exitUsage  = 2 // the command line or the configuration is wrong
)

const exitHelp = `Exit status: 0 it is done; 1 it is not (the slot failed, the sidecar refused or is
not reached, a check found a problem); 2 the command line or the configuration is
wrong.`

// usageError is a mistake of the caller's: exit status 2.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// execute runs one command line and returns its exit status.
func execute(args []string, stdout, stderr io.Writer) int {
	if len(args) > 0 && args[0] == engine.Demo+"-engine" {
		return demo.Main(args[1:], stdout, stderr)
	}
	root := rootCommand(stdout)
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.Execute()
	var usage usageError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &usage), strings.HasPrefix(err.Error(), "unknown command"): // cobra's own has no type
		fmt.Fprintf(stderr, "hal0: %v\n", err)
		return exitUsage
	}
	fmt.Fprintf(stderr, "hal0: %v\n", err)
	return exitFailed
}

func rootCommand(stdout io.Writer) *cobra.Command {
	root := &cobra.Command{
		Use:           "hal0",
		Short:         "Local models as one OpenAI API",
		Long:          "Local models as one OpenAI API: cold ones are held while they boot, identical\nstreams share one upstream call, and a stream that fails ends with one error.\n\n" + exitHelp,
		SilenceUsage:  true,
		SilenceErrors: true,
		Version:       version(),
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.AddCommand(
		upCommand(stdout), serveCommand(), slotsCommand(stdout),
		moveCommand(stdout, "load", "Load a slot's model, and wait until it is ready"),
		moveCommand(stdout, "unload", "Stop a slot's engine"),
		moveCommand(stdout, "restart", "Stop a slot's engine and start it again"),
		pinCommand(stdout, "pin", "Keep a slot up: not unloaded when idle, nor for another slot's sake", "pinned"),
		pinCommand(stdout, "unpin", "Let a slot be unloaded again", "not pinned"),
		logsCommand(stdout), routesCommand(stdout), devicesCommand(stdout), topCommand(stdout), chatCommand(stdout),
		pullCommand(stdout), modelsCommand(stdout), doctorCommand(stdout),
		checkCommand(stdout), keyCommand(stdout), passwordCommand(stdout), healthCommand(), socketCommand(), versionCommand(stdout),
	)
	return root
}

// version is the module's, as the toolchain recorded it.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" || info.Main.Version == "(devel)" {
		return "devel"
	}
	return info.Main.Version
}

func versionCommand(stdout io.Writer) *cobra.Command {
	asJSON := false
	c := &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return say(stdout, asJSON, "hal0 "+version(), map[string]any{"version": version(), "wire": wire.Version})
		},
	}
	jsonFlag(c, &asJSON)
	return c
}

// builtAt is when the source of this binary was committed, or the zero time's
// neighbour where the toolchain does not say.
func builtAt() time.Time {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return time.Unix(0, 0)
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.time" {
			if at, err := time.Parse(time.RFC3339, s.Value); err == nil {
				return at
			}
		}
	}
	return time.Unix(0, 0)
}
