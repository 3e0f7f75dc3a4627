package main

import (
	"os"
	"reflect"
	"strings"

	"github.com/hal0-dev/hal0/sidecar/internal/config"
	"github.com/hal0-dev/hal0/sidecar/internal/watch"
	"github.com/hashicorp/go-hclog"
)

// loader reads the configuration, anew at each call.
type loader func() (*config.Config, error)

// source is where the configuration comes from.
type source struct {
	file string // "" = only the environment and flags
	load loader
}

// renewal is what makes a sidecar read its configuration again. The zero value
// never does.
type renewal struct {
	load    loader
	asked   <-chan os.Signal // SIGHUP
	changed <-chan struct{}  // the file
}

// watched watches the configuration's file, from before it is first read, so
// that no change is missed. A file that cannot be watched is nil, and the reason
// is for the log.
func (s source) watched() (*watch.File, error) {
	if s.file == "" {
		return nil, nil
	}
	return watch.Open(s.file)
}

// changes are those of a file that may not be watched.
func changes(f *watch.File, why error, log hclog.Logger) <-chan struct{} {
	if why != nil {
		log.Warn("configuration file is not watched; after a change to it, send SIGHUP", "error", why)
	}
	if f == nil {
		return nil
	}
	return f.Changed()
}

// reload reads the configuration again and takes its route; what else has
// changed counts from the next start. Bad input changes nothing.
func (s *sidecar) reload(load loader) {
	cfg, err := load()
	if err != nil {
		s.log.Error("configuration is not taken", "error", err)
		return
	}
	if cfg.Token == "" {
		cfg.Token = s.cfg.Token
	}
	own, err := readOwn(cfg)
	if err == nil {
		err = s.take(own)
	}
	if err != nil {
		s.log.Error("configuration is not taken", "error", err)
		return
	}
	if rest := changedKeys(s.cfg, cfg); len(rest) > 0 {
		s.log.Warn("configuration has changes that need a restart", "keys", strings.Join(rest, " "))
	}
	s.log.Info("configuration taken")
}

// changedKeys names the top-level keys, but for route, in which two
// configurations differ.
func changedKeys(a, b *config.Config) []string {
	var out []string
	va, vb := reflect.ValueOf(*a), reflect.ValueOf(*b)
	for i := range va.NumField() {
		name := va.Type().Field(i).Name
		if name != "Route" && !reflect.DeepEqual(va.Field(i).Interface(), vb.Field(i).Interface()) {
			out = append(out, strings.ToLower(name))
		}
	}
	return out
}
