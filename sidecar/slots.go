package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"text/tabwriter"
	"time"

	"github.com/hal0-dev/hal0/sidecar/internal/slot"
	"github.com/spf13/cobra"
)

// shown is a slot as the sidecar tells it: the state is its word on the wire.
type shown struct {
	slot.Snapshot
	State  string `json:"state"`
	Model  string `json:"model"`
	Engine string `json:"engine"`
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
	jsonFlag(c, &asJSON)
	return c
}

func printSlots(out io.Writer, slots []shown) error {
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "SLOT\tSTATE\tMODEL\tPID\tLEASES\tWAITING\tSINCE")
	for _, s := range slots {
		pid := "-"
		if s.PID != 0 {
			pid = fmt.Sprint(s.PID)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%d\t%s\n", s.ID, s.State, plain(modelName(s)), pid, s.Leases, s.Waiting, brief(time.Since(s.Since)))
	}
	return w.Flush()
}

// modelName is what runs in a slot.
func modelName(s shown) string {
	if s.Model == "" {
		return "(" + s.Engine + ")"
	}
	return s.Model
}
