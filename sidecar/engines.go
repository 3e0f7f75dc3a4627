package main

import (
	"context"
	"fmt"
	"os"
	"sync"
	"time"

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
	before    proc.Hook // a boot
	after     proc.Hook // an unloading
	lines     *tail.Book
	log       hclog.Logger

	quit    context.Context // ends what accompanies engines, not the engines
	end     context.CancelFunc
	running sync.WaitGroup // of goroutines that see engines to their end
}

func newEngines(cfg *config.Config, journal *proc.Journal, lines *tail.Book, log hclog.Logger) (*engines, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find own executable: %w", err)
	}
	e := &engines{journal: journal, lines: lines, log: log.Named("engine")}
	e.rules = allow.Of(cfg)
	e.library = library.New(library.Config{
		Dir: cfg.Models, Hub: os.Getenv("HF_ENDPOINT"), Token: os.Getenv("HF_TOKEN"), Reserve: inBytes(cfg.Disk.Reserve), Log: log.Named("library"),
	})
	e.templates = engine.Builtin(self, cfg.LlamaServer)
	for name, c := range cfg.Engines {
		t, err := engine.New(name, engine.Config{
			Command: c.Command, Env: c.Env, Ready: c.Ready, Identity: c.Identity,
			Listening: c.Listening, Classes: c.Classes, Paths: c.Paths,
		})
		if err != nil {
			return nil, fmt.Errorf("read configuration: %w", err)
		}
		e.templates[name] = t
	}
	e.before, e.after = e.hook("beforeBoot", cfg.Hooks.BeforeBoot), e.hook("afterIdle", cfg.Hooks.AfterIdle)
	e.quit, e.end = context.WithCancel(context.Background())
	return e, nil
}

func (e *engines) hook(name string, command []string) proc.Hook {
	log := e.log.Named(name)
	return proc.Hook{Command: command, Journal: e.journal, OnLine: func(line string) { log.Info("says", "line", line) }}
}

// hookGrace is how long hooks may go on when everything else has ended.
const hookGrace = 5 * time.Second

// close ends downloads, gives hooks their grace, and waits for everything that
// accompanies an engine, but not beyond ctx: there are processes that nobody can
// end.
func (e *engines) close(ctx context.Context) error {
	e.library.Close()
	grace := time.AfterFunc(hookGrace, e.end)
	defer grace.Stop()
	defer e.end()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		e.running.Wait()
	}()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for engines: %w", context.Cause(ctx))
	}
}

// launcher starts the engine of one model; own says that the sidecar's own file
// declares it.
func (e *engines) launcher(m wire.Model, own bool) slot.Launcher {
	l := launcher{engines: e, model: m, own: own}
	if library.IsHub(m.Model) {
		return fetcher{l}
	}
	return l
}

// refuses is route.Check by the configuration's rules.
func (e *engines) refuses(m wire.Model) (*wire.Failure, string) {
	r := e.rules.Check(m)
	if r == nil {
		return nil, ""
	}
	f := r.Failure()
	return &f, r.Why()
}

// find finds a model's file.
func (e *engines) find(model string, own bool) (string, error) {
	if library.IsHub(model) {
		return e.library.Path(model)
	}
	return e.rules.Resolve(model, own)
}

// target says under which path and name a model's engine serves an endpoint.
func (e *engines) target(m wire.Model, at wire.Endpoint) (path, model string) {
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
