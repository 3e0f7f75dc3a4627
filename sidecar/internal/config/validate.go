package config

import (
	"fmt"
	"maps"
	"net"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/hal0-dev/hal0/plugin/wire"
	"github.com/hashicorp/go-hclog"
)

// Validate returns every problem of the configuration, in the order of its
// keys.
func (c *Config) Validate() []error {
	var errs []error
	bad := func(key, format string, args ...any) {
		errs = append(errs, fmt.Errorf("%s: %s", key, fmt.Sprintf(format, args...)))
	}
	for _, l := range []struct{ key, addr string }{{"listen.data", c.Listen.Data}, {"listen.control", c.Listen.Control}} {
		if err := checkAddress(l.addr); err != nil {
			bad(l.key, "%q is not host:port: %v", l.addr, err)
		}
	}
	if c.State == "" {
		bad("state", "must name a directory")
	}
	if hclog.LevelFromString(c.Log.Level) == hclog.NoLevel {
		bad("log.level", "%q is not one of trace, debug, info, warn, error", c.Log.Level)
	}
	if c.Log.Format != "text" && c.Log.Format != "json" {
		bad("log.format", "%q is neither text nor json", c.Log.Format)
	}
	size := func(key, v string) {
		if _, err := wire.ParseSize(v); err != nil {
			bad(key, "%v", err)
		}
	}
	for _, id := range keys(c.Devices) {
		if d := c.Devices[id]; d != nil && d.Memory != "" {
			size("devices."+id+".memory", d.Memory)
		}
	}
	size("reserve", c.Reserve)
	size("disk.reserve", c.Disk.Reserve)
	errs = append(errs, c.validateEngines()...)
	if c.Limits.Queue < 1 {
		bad("limits.queue", "must be at least 1")
	}
	if c.Limits.Connections < 1 {
		bad("limits.connections", "must be at least 1")
	}
	size("limits.replay.flight", c.Limits.Replay.Flight)
	size("limits.replay.total", c.Limits.Replay.Total)
	size("limits.uploads", c.Limits.Uploads)
	for _, d := range []struct {
		key   string
		value time.Duration
	}{{"limits.starvation", time.Duration(c.Limits.Starvation)}, {"limits.drain", time.Duration(c.Limits.Drain)}, {"limits.grace", time.Duration(c.Limits.Grace)}} {
		if d.value <= 0 {
			bad(d.key, "must be a duration above 0, such as 30s")
		}
	}
	return errs
}

func (c *Config) validateEngines() []error {
	var errs []error
	for _, name := range keys(c.Engines) {
		e := c.Engines[name]
		if e == nil || len(e.Command) == 0 {
			errs = append(errs, fmt.Errorf("engines.%s.command: must name the program to start", name))
			continue
		}
		if _, err := regexp.Compile(e.Listening); err != nil {
			errs = append(errs, fmt.Errorf("engines.%s.listening: %w", name, err))
		}
	}
	return errs
}

func checkAddress(addr string) error {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return err
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		return fmt.Errorf("port %q is not a number up to 65535", port)
	}
	return nil
}

func keys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
