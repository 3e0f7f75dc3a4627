package main

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/hal0-dev/hal0/plugin"
	"github.com/hal0-dev/hal0/plugin/decode"
	"github.com/hal0-dev/hal0/plugin/wire"
	"github.com/hal0-dev/hal0/sidecar/internal/config"
)

// ownName is the name of the route in the sidecar's own file.
const ownName = "hal0@own"

// ownSettings are that route as it was read.
type ownSettings struct {
	declared wire.Route
	plugin   *plugin.Config
}

// readOwn reads the configuration's route in the very way in which Traefik reads
// the plugin's labels; nil where there is none.
func readOwn(cfg *config.Config) (*ownSettings, error) {
	if len(cfg.Route) == 0 {
		return nil, nil
	}
	settings, err := decode.Config(cfg.Route)
	if err != nil {
		return nil, fmt.Errorf("read route: %w", err)
	}
	settings.Sidecar, settings.TokenFile = "", cfg.Token
	declared, err := plugin.Declaration(settings, ownName, time.Now())
	if err != nil {
		return nil, fmt.Errorf("read route: %w", err)
	}
	return &ownSettings{declared: declared, plugin: settings}, nil
}

// ownRoute leads requests that bring no proof through the plugin's middleware,
// compiled in. What it leads to can be replaced while it serves.
type ownRoute struct {
	proven, missing http.Handler
	now             atomic.Pointer[http.Handler]
}

// between stands before the two handlers; see api.Server.Data.
func (o *ownRoute) between(proven, missing http.Handler) http.Handler {
	o.proven, o.missing = proven, missing
	o.now.Store(&missing)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { (*o.now.Load()).ServeHTTP(w, r) })
}

// take makes the route be what was read.
func (s *sidecar) take(own *ownSettings) error {
	next, known := s.own.missing, false
	if own != nil {
		h, err := plugin.New(context.Background(), s.own.proven, own.plugin, ownName)
		if err != nil {
			return fmt.Errorf("read route: %w", err)
		}
		next, known = h, true
	}
	var err error
	if known {
		_, err = s.routes.Put(context.Background(), own.declared, true)
	} else {
		_, err = s.routes.Remove(context.Background(), ownName)
	}
	if err != nil {
		return fmt.Errorf("declare route: %w", err)
	}
	s.own.now.Store(&next)
	return nil
}
