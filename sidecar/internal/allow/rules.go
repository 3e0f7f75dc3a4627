package allow

import (
	"slices"

	"github.com/hal0-dev/hal0/sidecar/internal/config"
)

// Of is what a configuration allows. Engines that it defines itself are allowed:
// whoever may write its commands has decided that they run here.
func Of(c *config.Config) Rules {
	r := Rules{Dir: c.Models, Models: c.Allow.Models, Engines: slices.Clone(c.Allow.Engines), Args: c.Allow.Args}
	for name := range c.Engines {
		r.Engines = append(r.Engines, name)
	}
	slices.Sort(r.Engines)
	return r
}
