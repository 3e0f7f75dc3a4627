package config

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/traefik/paerser/flag"
)

// Key is one key of the configuration, as a flag has it.
type Key struct {
	Name        string // listen.data; <name> stands for a name of one's own
	Description string
	Default     string
}

// Keys lists every key of c, with c's values as the defaults; c is of no other
// use after that. Durations are in seconds there.
func Keys(c *Config) ([]Key, error) {
	c.Devices = map[string]*Device{"<name>": {}}
	c.Engines = map[string]*Engine{"<name>": {}}
	flats, err := flag.Encode(c)
	if err != nil {
		return nil, fmt.Errorf("list keys: %w", err)
	}
	var out []Key
	for i, f := range flats {
		section := i+1 < len(flats) && strings.HasPrefix(flats[i+1].Name, f.Name+".")
		if !section {
			out = append(out, Key{Name: f.Name, Description: f.Description, Default: f.Default})
		}
	}
	return out, nil
}

// WriteKeys prints the keys as flags, for help.
func WriteKeys(out io.Writer, c *Config) error {
	list, err := Keys(c)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	for _, k := range list {
		def := ""
		if k.Default != "" {
			def = " [" + k.Default + "]"
		}
		fmt.Fprintf(w, "  --%s\t%s%s\n", k.Name, k.Description, def)
	}
	return w.Flush()
}
