package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/traefik/paerser/env"
	"github.com/traefik/paerser/file"
	"github.com/traefik/paerser/flag"
)

// Prefix of the environment variables: HAL0_LISTEN_DATA sets listen.data.
const Prefix = "HAL0_"

// notConfig are variables of our prefix that mean something else.
var notConfig = []string{"HAL0_CONFIG", "HAL0_TOKEN_FILE", "HAL0_URL", "HAL0_CACHE"}

// Path is the configuration's file, "" where none is named.
func Path(args, environ []string) (string, error) {
	path, _, err := configFile(args, environ)
	return path, err
}

// Load fills c, which holds the defaults, from a file, the environment and
// flags, in that order. The file is named by --config or HAL0_CONFIG; there is
// none otherwise. The error names every problem.
func Load(c *Config, args, environ []string) error {
	path, rest, err := configFile(args, environ)
	if err != nil {
		return err
	}
	if path != "" {
		says, err := checkRoots(path)
		if err == nil && says {
			err = file.Decode(path, c)
		}
		if err != nil {
			return fmt.Errorf("read configuration %s: %w", path, err)
		}
	}
	if vars := variables(environ); len(vars) > 0 {
		if err := env.Decode(vars, Prefix, c); err != nil {
			return fmt.Errorf("read HAL0_ variables: %w", err)
		}
	}
	for _, e := range environ {
		if v, ok := strings.CutPrefix(e, "HAL0_TOKEN_FILE="); ok && v != "" {
			c.Token = v
		}
	}
	if len(rest) > 0 {
		if err := flag.Decode(rest, c); err != nil {
			return fmt.Errorf("read flags: %w", err)
		}
	}
	return errors.Join(c.Validate()...)
}

// configFile takes --config out of the arguments. What is not a flag is a
// mistake: paerser would silently drop it and all that follows.
func configFile(args, environ []string) (path string, rest []string, err error) {
	for _, e := range environ {
		if v, ok := strings.CutPrefix(e, "HAL0_CONFIG="); ok {
			path = v
		}
	}
	for i := 0; i < len(args); i++ {
		name, value, has := strings.Cut(args[i], "=")
		if !strings.HasPrefix(name, "-") {
			return "", nil, fmt.Errorf("read flags: unexpected argument %q (flags are --name=value)", args[i])
		}
		if strings.TrimLeft(name, "-") != "config" {
			if !has && i+1 < len(args) && !strings.HasPrefix(args[i+1], "-") {
				rest, i = append(rest, args[i]+"="+args[i+1]), i+1
				continue
			}
			rest = append(rest, args[i])
			continue
		}
		if !has {
			if i++; i == len(args) {
				return "", nil, errors.New("read flags: --config needs a file")
			}
			value = args[i]
		}
		path = value
	}
	return path, rest, nil
}

func variables(environ []string) []string {
	var vars []string
	for _, e := range environ {
		name, _, _ := strings.Cut(e, "=")
		if !strings.HasPrefix(name, Prefix) || slices.Contains(notConfig, name) {
			continue
		}
		vars = append(vars, e)
	}
	slices.Sort(vars)
	return vars
}
