package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/hal0-dev/hal0/sidecar/internal/route"
	"github.com/spf13/cobra"
)

func routesCommand(stdout io.Writer) *cobra.Command {
	m := &remote{}
	asJSON := false
	c := &cobra.Command{
		Use:   "routes",
		Short: "List the routes that were declared, and what is wrong with them",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			var answer struct {
				Routes []route.Listed `json:"routes"`
			}
			if err := m.call(c.Context(), http.MethodGet, "/api/routes", &answer); err != nil {
				return err
			}
			if asJSON {
				return json.NewEncoder(stdout).Encode(answer.Routes)
			}
			return printRoutes(stdout, answer.Routes)
		},
	}
	m.flags(c)
	jsonFlag(c, &asJSON)
	c.AddCommand(removeRouteCommand(stdout))
	return c
}

func printRoutes(out io.Writer, routes []route.Listed) error {
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "ROUTE\tSLOTS\tCONFIRMED\tSTALE")
	for _, r := range routes {
		ago := "-"
		if !r.Confirmed.IsZero() {
			ago = brief(time.Since(r.Confirmed)) + " ago"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%t\n", plain(r.Name), strings.Join(r.Slots, ","), ago, r.Stale)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, r := range routes {
		for _, p := range r.Problems {
			fmt.Fprintf(out, "%s: slot %s: %s (%s)\n", plain(p.Route), p.Slot, plain(p.Message), p.Code)
		}
	}
	return nil
}

func removeRouteCommand(stdout io.Writer) *cobra.Command {
	m := &remote{}
	asJSON := false
	c := &cobra.Command{
		Use:   "rm ROUTE",
		Short: "Forget a route that is no longer declared; its slots go with it",
		Args:  oneArgument,
		RunE: func(c *cobra.Command, args []string) error {
			if err := m.call(c.Context(), http.MethodDelete, "/api/routes/"+url.PathEscape(args[0]), nil); err != nil {
				return err
			}
			return say(stdout, asJSON, args[0]+": forgotten", map[string]any{"forgotten": args[0]})
		},
	}
	m.flags(c)
	jsonFlag(c, &asJSON)
	return c
}
