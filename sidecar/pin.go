package main

import (
	"io"
	"net/http"

	"github.com/spf13/cobra"
)

// pinCommand is pin or unpin: POST /api/slots/{id}/<verb>.
func pinCommand(stdout io.Writer, verb, short, done string) *cobra.Command {
	m := &remote{}
	asJSON := false
	c := &cobra.Command{
		Use:               verb + " SLOT",
		Short:             short,
		Long:              short + ". It holds over a restart of the sidecar, and wins over\nwhat the slot's declaration says.",
		Args:              oneArgument,
		ValidArgsFunction: m.completeSlots,
		RunE: func(c *cobra.Command, args []string) error {
			var s shown
			if err := m.call(c.Context(), http.MethodPost, slotPath(args[0], "/"+verb), &s); err != nil {
				return err
			}
			return say(stdout, asJSON, s.ID+": "+done, s)
		},
	}
	m.flags(c)
	jsonFlag(c, &asJSON)
	return c
}
