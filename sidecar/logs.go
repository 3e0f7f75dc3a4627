package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"strings"

	"github.com/spf13/cobra"
)

func logsCommand(stdout io.Writer) *cobra.Command {
	m := &remote{}
	follow, asJSON := false, false
	c := &cobra.Command{
		Use:               "logs SLOT",
		Short:             "Print the last lines of a slot's engine",
		Args:              oneArgument,
		ValidArgsFunction: m.completeSlots,
		RunE: func(c *cobra.Command, args []string) error {
			ctx, stop := signal.NotifyContext(c.Context(), os.Interrupt)
			defer stop()
			line := printLine(stdout, asJSON)
			if !follow {
				resp, err := m.open(ctx, http.MethodGet, slotPath(args[0], "/logs"), nil)
				if err != nil {
					return err
				}
				defer resp.Body.Close()
				b, err := io.ReadAll(resp.Body)
				if err != nil {
					return fmt.Errorf("read log: %w", err)
				}
				for l := range strings.Lines(string(b)) {
					line(strings.TrimSuffix(l, "\n"))
				}
				return nil
			}
			events, err := m.follow(ctx, slotPath(args[0], "/logs?follow=1"))
			if err != nil {
				return err
			}
			defer events.close()
			for {
				_, data, err := events.next()
				switch {
				case ctx.Err() != nil:
					return nil
				case errors.Is(err, io.EOF):
					return errors.New("read log: the sidecar ended the stream")
				case err != nil:
					return err
				}
				var l string
				if err := json.Unmarshal([]byte(data), &l); err != nil {
					return fmt.Errorf("read log: %w", err)
				}
				line(l)
			}
		},
	}
	m.flags(c)
	c.Flags().BoolVarP(&follow, "follow", "f", false, "go on with what comes, until Ctrl-C")
	c.Flags().BoolVar(&asJSON, "json", false, "print each line as a JSON string")
	return c
}

func printLine(out io.Writer, asJSON bool) func(string) {
	if asJSON {
		encode := json.NewEncoder(out)
		return func(l string) { _ = encode.Encode(l) } // a reader that is gone ends us by its signal
	}
	if onTerminal(out) {
		return func(l string) { fmt.Fprintln(out, plain(l)) }
	}
	return func(l string) { fmt.Fprintln(out, l) }
}
