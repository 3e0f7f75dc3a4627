package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/hal0-dev/hal0/sidecar/internal/check"
	"github.com/sirupsen/logrus"
	"github.com/spf13/cobra"
)

func checkCommand(stdout io.Writer) *cobra.Command {
	asJSON := false
	c := &cobra.Command{
		Use:   "check FILE...",
		Short: "Say what is wrong with a configuration before Traefik starts with it",
		Long: `Check reads compose files, Traefik's dynamic and static configuration files, and
the sidecar's own file, and says what is wrong, one line each:

    file:line: severity: key: what to do [rule]

All files are taken as one Traefik's. Compose files of one directory, and of
those below it, are merged in the order given, as docker compose does; files that
they mount for Traefik are read too. The exit status is 0 if there is no error
(warnings are none), 1 if there is one, 2 if a file cannot be read.`,
		Args: someArgs,
		RunE: func(c *cobra.Command, args []string) error {
			logrus.SetOutput(io.Discard) // compose-go warns there about what it also returns
			findings, err := check.Files(c.Context(), args, os.Environ())
			if err != nil {
				return usageError{err}
			}
			if err := printFindings(stdout, findings, asJSON); err != nil {
				return err
			}
			if check.Failed(findings) {
				return errors.New("check: there are errors")
			}
			return nil
		},
	}
	jsonFlag(c, &asJSON)
	return c
}

func printFindings(out io.Writer, findings []check.Finding, asJSON bool) error {
	if !asJSON {
		return check.Write(out, findings)
	}
	if findings == nil {
		findings = []check.Finding{}
	}
	e := json.NewEncoder(out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(findings); err != nil {
		return fmt.Errorf("write findings: %w", err)
	}
	return nil
}

func someArgs(c *cobra.Command, args []string) error {
	if err := cobra.MinimumNArgs(1)(c, args); err != nil {
		return usageError{err}
	}
	return nil
}
