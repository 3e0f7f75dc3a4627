package main

import (
	"context"
	"net/http"
	"time"

	"github.com/spf13/cobra"
)

// completeWithin bounds what a shell waits for names.
const completeWithin = 2 * time.Second

// oneArgument asks for one, as a mistake of the caller's.
func oneArgument(c *cobra.Command, args []string) error {
	if err := cobra.ExactArgs(1)(c, args); err != nil {
		return usageError{err}
	}
	return nil
}

// completeSlots offers the names of the slots to a shell.
func (m *remote) completeSlots(c *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	ctx, cancel := context.WithTimeout(c.Context(), completeWithin)
	defer cancel()
	var answer struct {
		Slots []shown `json:"slots"`
	}
	if err := m.call(ctx, http.MethodGet, "/api/slots", &answer); err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	var names []string
	for _, s := range answer.Slots {
		names = append(names, s.ID+"\t"+s.State)
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
