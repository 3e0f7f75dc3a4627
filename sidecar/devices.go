package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"text/tabwriter"

	"github.com/hal0-dev/hal0/sidecar/internal/device"
	"github.com/spf13/cobra"
)

// memory is the answer of GET /api/devices; a device's kind is its word.
type memory struct {
	Devices []struct {
		device.Device
		Kind string `json:"kind"`
	} `json:"devices"`
	Accounts []device.Account `json:"accounts"`
	Problems []device.Problem `json:"problems"`
}

func devicesCommand(stdout io.Writer) *cobra.Command {
	m := &remote{}
	asJSON := false
	c := &cobra.Command{
		Use:   "devices",
		Short: "List the GPUs and the host's memory, and who has how much of it",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			var answer memory
			if err := m.call(c.Context(), http.MethodGet, "/api/devices", &answer); err != nil {
				return err
			}
			if asJSON {
				return json.NewEncoder(stdout).Encode(answer)
			}
			return printDevices(stdout, answer)
		},
	}
	m.flags(c)
	jsonFlag(c, &asJSON)
	return c
}

func printDevices(out io.Writer, m memory) error {
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "DEVICE\tNAME\tTOTAL\tFREE\tRESERVED\tSLOTS")
	for _, d := range m.Devices {
		reserved, holders := "-", []string{}
		for _, a := range m.Accounts {
			if a.ID != d.Account() {
				continue
			}
			reserved = size(a.Reserved)
			for _, h := range a.Holders {
				holders = append(holders, h.Owner+" "+size(h.Bytes))
			}
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", d.ID, plain(d.Name), told(d.Total), told(d.Free), reserved, strings.Join(holders, ", "))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, p := range m.Problems {
		fmt.Fprintf(out, "%s: %s\n", p.Source, plain(p.Text))
	}
	return nil
}

// told is a size that a device may not tell.
func told(n int64) string {
	if n == device.Unknown {
		return "?"
	}
	return size(n)
}
