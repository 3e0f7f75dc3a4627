package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"text/tabwriter"
	"time"

	"github.com/hal0-dev/hal0/sidecar/internal/slot"
	"github.com/spf13/cobra"
)

// shown is a slot as the sidecar tells it: the state is its word on the wire.
type shown struct {
	slot.Snapshot
	State string `json:"state"`
}

func slotsCommand(stdout io.Writer) *cobra.Command {
	m := &remote{}
	asJSON := false
	c := &cobra.Command{
		Use:   "slots",
		Short: "List the slots and their states",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			var answer struct {
				Slots []shown `json:"slots"`
			}
			if err := m.call(c.Context(), http.MethodGet, "/api/slots", &answer); err != nil {
				return err
			}
			if asJSON {
				return json.NewEncoder(stdout).Encode(answer.Slots)
			}
			return printSlots(stdout, answer.Slots)
		},
	}
	m.flags(c)
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func printSlots(out io.Writer, slots []shown) error {
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "SLOT\tSTATE\tPID\tLEASES\tWAITING\tSINCE")
	for _, s := range slots {
		pid := "-"
		if s.PID != 0 {
			pid = fmt.Sprint(s.PID)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%d\t%s\n", s.ID, s.State, pid, s.Leases, s.Waiting, time.Since(s.Since).Round(time.Second))
	}
	return w.Flush()
}

// moveCommand is load, unload or restart: POST /api/slots/{id}/<verb>.
func moveCommand(stdout io.Writer, verb, short string) *cobra.Command {
	m := &remote{}
	c := &cobra.Command{
		Use:   verb + " SLOT",
		Short: short,
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			var s shown
			if err := m.call(c.Context(), http.MethodPost, "/api/slots/"+url.PathEscape(args[0])+"/"+verb, &s); err != nil {
				return err
			}
			_, err := fmt.Fprintf(stdout, "%s: %s\n", s.ID, s.State)
			return err
		},
	}
	m.flags(c)
	return c
}
