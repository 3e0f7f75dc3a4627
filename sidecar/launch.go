package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/hal0-dev/hal0/plugin/wire"
	"github.com/hal0-dev/hal0/sidecar/internal/allow"
	"github.com/hal0-dev/hal0/sidecar/internal/device"
	"github.com/hal0-dev/hal0/sidecar/internal/engine"
	"github.com/hal0-dev/hal0/sidecar/internal/gguf"
	"github.com/hal0-dev/hal0/sidecar/internal/library"
	"github.com/hal0-dev/hal0/sidecar/internal/pool"
	"github.com/hal0-dev/hal0/sidecar/internal/proc"
	"github.com/hal0-dev/hal0/sidecar/internal/slot"
)

// engineHost is where engines listen: nobody but this box reaches them.
const engineHost = "127.0.0.1"

// launcher adapts engine and proc to a slot. It is a value; what it starts is a
// launched.
type launcher struct {
	engines *engines
	model   wire.Model
	own     bool // the sidecar's own file declares it
	place   engine.Place
}

var (
	_ slot.Launcher = launcher{}
	_ slot.Fetcher  = fetcher{}
	_ slot.Stamper  = launcher{}
	_ pool.Placer   = launcher{}
)

// On binds the launcher to devices: it is a pool.Placer.
func (l launcher) On(p device.Placement) slot.Launcher {
	l.place = place(p)
	return l
}

// Stamp changes when the model's file or the engine's program does: it is a
// slot.Stamper.
func (l launcher) Stamp(context.Context) string {
	t, known := l.engines.templates[l.model.Engine]
	if !known {
		return "unknown engine"
	}
	if !t.NeedsModel {
		return t.Stamp()
	}
	path, err := l.engines.find(l.model.Model, l.own)
	if err != nil {
		return t.Stamp() + " no model"
	}
	info, err := os.Stat(path)
	if err != nil {
		return t.Stamp() + " no model"
	}
	return fmt.Sprint(t.Stamp(), " ", path, info.Size(), info.ModTime().UnixNano())
}

// Launch starts one process, on a port and with a key of its own.
func (l launcher) Launch(ctx context.Context, incarnation uint64) (slot.Process, error) {
	t, known := l.engines.templates[l.model.Engine]
	if !known {
		return nil, launchError(slot.ClassBadArgument, fmt.Errorf("there is no engine named %q", l.model.Engine))
	}
	plan := engine.Plan{Model: l.model, Host: engineHost, Place: l.place}
	if t.NeedsModel {
		path, err := l.file()
		if err != nil {
			return nil, err
		}
		plan.Path, plan.Trained = path, trained(path)
	}
	log := l.engines.log.With("slot", l.model.Slot, "incarnation", incarnation)
	if err := l.engines.before.Run(ctx, l.hookEnv()); err != nil {
		return nil, launchError(slot.ClassCrash, err)
	}
	p := &launched{
		launcher: l, template: t, plan: plan, log: log,
		listening: make(chan struct{}), done: make(chan struct{}),
	}
	if err := ctx.Err(); err != nil {
		return nil, launchError(slot.ClassCrash, context.Cause(ctx))
	}
	first, err := p.start()
	if err != nil {
		return nil, err
	}
	p.current = first
	l.engines.running.Go(func() { p.await(first) })
	return p, nil
}

// hookEnv is what the operator's hooks are told.
func (l launcher) hookEnv() []string {
	return append(engine.Environ(os.Environ()), "HAL0_SLOT="+l.model.Slot, "HAL0_MODEL="+l.model.Model, "HAL0_ENGINE="+l.model.Engine)
}

// file finds the model's file.
func (l launcher) file() (string, error) {
	if l.model.Model == "" {
		return "", launchError(slot.ClassBadModel, fmt.Errorf("slot %s names no model", l.model.Slot))
	}
	path, err := l.engines.find(l.model.Model, l.own)
	return path, unfound(err)
}

// unfound says of an error of find what it means for a launch.
func unfound(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, allow.ErrOutside):
		return launchError(slot.ClassNotAllowed, err)
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, library.ErrAbsent):
		return launchError(slot.ClassBadModel, err)
	}
	return launchError(slot.ClassCrash, err)
}

// trained is the context that a model was trained for, 0 if its file does not
// say: whether it can be loaded at all is for the engine to find out.
func trained(path string) int64 {
	m, err := gguf.Open(path)
	if err != nil {
		return 0
	}
	return m.Context
}

// fetcher is a launcher whose model comes from a hub: a slot.Fetcher.
type fetcher struct{ launcher }

// Fetch returns when the model's files are here.
func (f fetcher) Fetch(ctx context.Context, progress func(slot.Progress)) error {
	start := int64(-1)
	err := f.engines.library.Fetch(ctx, f.model.Model, func(p library.Progress) {
		if start < 0 {
			start = p.Done
		}
		progress(slot.Progress{Start: start, Done: p.Done, Total: p.Total})
	})
	switch {
	case err == nil:
		return nil
	case errors.Is(err, library.ErrNoDisk):
		return launchError(slot.ClassNoDisk, err)
	case errors.Is(err, library.ErrNotFound), errors.Is(err, library.ErrGated):
		return launchError(slot.ClassBadModel, err)
	}
	return launchError(slot.ClassFetch, err)
}

// launchError says why nothing was started.
func launchError(class slot.Class, err error) error {
	return &slot.LaunchError{Class: class, Err: fmt.Errorf("launch engine: %w", err)}
}

// classOfStart finds the class of a command or a process that could not be made.
func classOfStart(err error) slot.Class {
	switch {
	case errors.Is(err, proc.ErrJournal):
		return slot.ClassStateUnwritable
	case errors.Is(err, engine.ErrNoDevice):
		return slot.ClassGPU
	}
	return slot.ClassBadArgument
}
