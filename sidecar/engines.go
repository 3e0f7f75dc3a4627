package main

import (
	"fmt"
	"os"

	"github.com/hal0-dev/hal0/plugin/wire"
	"github.com/hal0-dev/hal0/sidecar/internal/allow"
	"github.com/hal0-dev/hal0/sidecar/internal/config"
	"github.com/hal0-dev/hal0/sidecar/internal/device"
	"github.com/hal0-dev/hal0/sidecar/internal/engine"
	"github.com/hal0-dev/hal0/sidecar/internal/library"
	"github.com/hal0-dev/hal0/sidecar/internal/proc"
	"github.com/hal0-dev/hal0/sidecar/internal/slot"
	"github.com/hal0-dev/hal0/sidecar/internal/tail"
	"github.com/hashicorp/go-hclog"
)

// engines makes launchers: what this box can start, and where its output goes.
type engines struct {
	templates map[string]engine.Template
	rules     allow.Rules
	library   *library.Library
	journal   *proc.Journal
	lines     *tail.Book
	log       hclog.Logger
}

func newEngines(cfg *config.Config, journal *proc.Journal, lines *tail.Book, log hclog.Logger) (engines, error) {
	self, err := os.Executable()
	if err != nil {
		return engines{}, fmt.Errorf("find own executable: %w", err)
	}
	e := engines{journal: journal, lines: lines, log: log.Named("engine")}
	e.rules = allow.Rules{Dir: cfg.Models, Models: cfg.Allow.Models, Engines: cfg.Allow.Engines, Args: cfg.Allow.Args}
	e.library = library.New(library.Config{
		Dir: cfg.Models, Token: os.Getenv("HF_TOKEN"), Reserve: bytes(cfg.Disk.Reserve), Log: log.Named("library"),
	})
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

// launcher starts the engine of one model; own says that the sidecar's own file
// declares it.
func (e engines) launcher(m wire.Model, own bool) slot.Launcher {
	l := launcher{engines: e, model: m, own: own}
	if library.IsHub(m.Model) {
		return fetcher{l}
	}
	return l
}

// find finds a model's file.
func (e engines) find(model string, own bool) (string, error) {
	if library.IsHub(model) {
		return e.library.Path(model)
	}
	return e.rules.Resolve(model, own)
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
