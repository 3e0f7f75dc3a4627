package main

import (
	"fmt"
	"os"

	"github.com/hal0-dev/hal0/plugin/wire"
	"github.com/hal0-dev/hal0/sidecar/internal/config"
	"github.com/hal0-dev/hal0/sidecar/internal/device"
	"github.com/hal0-dev/hal0/sidecar/internal/engine"
	"github.com/hal0-dev/hal0/sidecar/internal/slot"
	"github.com/hal0-dev/hal0/sidecar/internal/tail"
	"github.com/hashicorp/go-hclog"
)

// engines makes launchers: what this box can start, and where its output goes.
type engines struct {
	templates map[string]engine.Template
	lines     *tail.Book
	log       hclog.Logger
}

func newEngines(cfg *config.Config, lines *tail.Book, log hclog.Logger) (engines, error) {
	self, err := os.Executable()
	if err != nil {
		return engines{}, fmt.Errorf("find own executable: %w", err)
	}
	e := engines{lines: lines, log: log.Named("engine")}
	e.templates = engine.Builtin(self, engine.FindLlamaServer(cfg.LlamaServer, os.Getenv))
	for name, c := range cfg.Engines {
		t, err := engine.New(name, engine.Config{Command: c.Command, Env: c.Env, Ready: c.Ready, Listening: c.Listening})
		if err != nil {
			return engines{}, fmt.Errorf("read configuration: %w", err)
		}
		e.templates[name] = t
	}
	return e, nil
}

// launcher starts the engine of one model. resolve finds the model's file.
func (e engines) launcher(m wire.Model, resolve func(name string) (string, error)) launcher {
	return launcher{engines: e, model: m, resolve: resolve}
}

// target says under which path and name a model's engine serves an endpoint.
func (e engines) target(m wire.Model, at wire.Endpoint) (path, model string) {
	return e.templates[m.Engine].Upstream(at.Path), m.Slot
}

// place is what an engine is told of the devices that its slot was given.
func place(p device.Placement) engine.Place {
	out := engine.Place{CPU: p.CPU(), Env: p.Env()}
	for _, d := range p.Devices {
		if d.Kind != device.KindHost {
			out.IDs = append(out.IDs, string(d.ID))
		}
	}
	return out
}

var _ slot.Launcher = launcher{}
