package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strconv"
	"sync"

	"github.com/hal0-dev/hal0/plugin/wire"
	"github.com/hal0-dev/hal0/sidecar/internal/allow"
	"github.com/hal0-dev/hal0/sidecar/internal/device"
	"github.com/hal0-dev/hal0/sidecar/internal/engine"
	"github.com/hal0-dev/hal0/sidecar/internal/library"
	"github.com/hal0-dev/hal0/sidecar/internal/proc"
	"github.com/hal0-dev/hal0/sidecar/internal/slot"
)

// engineHost is where engines listen: nobody but this box reaches them.
const engineHost = "127.0.0.1"

// launcher adapts engine and proc to a slot. It is a value; what it starts is a
// launched.
type launcher struct {
	engines engines
	model   wire.Model
	own     bool
	place   engine.Place
}

// On binds the launcher to devices: it is a pool.Placer.
func (l launcher) On(p device.Placement) slot.Launcher {
	l.place = place(p)
	return l
}

// Stamp changes when the model's file does: it is a slot.Stamper.
func (l launcher) Stamp(context.Context) string {
	path, err := l.engines.find(l.model.Model, l.own)
	if err != nil {
		return ""
	}
	info, err := os.Stat(path)
	if err != nil {
		return ""
	}
	return fmt.Sprint(path, info.Size(), info.ModTime().UnixNano())
}

// Launch starts one process, on a port and with a key of its own.
func (l launcher) Launch(_ context.Context, incarnation uint64) (slot.Process, error) {
	t, known := l.engines.templates[l.model.Engine]
	if !known {
		return nil, &slot.LaunchError{Class: slot.ClassBadArgument, Err: fmt.Errorf("launch engine: there is no engine named %q", l.model.Engine)}
	}
	plan := engine.Plan{Model: l.model, Host: engineHost, Key: engine.NewKey(), Place: l.place}
	var err error
	if t.NeedsModel {
		if plan.Path, err = l.file(); err != nil {
			return nil, err
		}
	}
	if plan.Port, err = engine.FreePort(engineHost); err != nil {
		return nil, err
	}
	path, args, env, err := t.Command(plan)
	if err != nil {
		return nil, &slot.LaunchError{Class: slot.ClassBadArgument, Err: fmt.Errorf("launch engine: %w", err)}
	}
	p := &launched{template: t, listening: make(chan struct{}), done: make(chan struct{})}
	p.endpoint = slot.Endpoint{URL: "http://" + net.JoinHostPort(engineHost, strconv.Itoa(plan.Port)), Key: plan.Key}
	p.checker = t.NewChecker(plan, p.endpoint.URL)
	log := l.engines.log.With("slot", l.model.Slot, "incarnation", incarnation)
	p.Process, err = proc.Start(proc.Spec{
		Path: path, Args: args, Env: append(engine.Environ(os.Environ()), env...), Journal: l.engines.journal,
		OnLine: func(line string) {
			log.Debug("says", "line", line)
			l.engines.lines.Add(l.model.Slot, line)
			p.hear(line)
		},
	})
	if err != nil {
		return nil, &slot.LaunchError{Class: startClass(err), Err: err}
	}
	log.Info("launched", "pid", p.PID(), "engine", t.Name, "url", p.endpoint.URL)
	go p.await()
	return p, nil
}

// startClass tells a program that cannot be run from a journal that cannot be
// written.
func startClass(err error) slot.Class {
	var program *proc.StartError
	if errors.As(err, &program) {
		return slot.ClassBadArgument
	}
	return slot.ClassStateUnwritable
}

// file finds the model's file.
func (l launcher) file() (string, error) {
	if l.model.Model == "" {
		return "", &slot.LaunchError{Class: slot.ClassBadModel, Err: fmt.Errorf("launch engine: slot %s names no model", l.model.Slot)}
	}
	path, err := l.engines.find(l.model.Model, l.own)
	switch {
	case errors.Is(err, allow.ErrOutside):
		return "", &slot.LaunchError{Class: slot.ClassNotAllowed, Err: err}
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, library.ErrAbsent):
		return "", &slot.LaunchError{Class: slot.ClassBadModel, Err: err}
	case err != nil:
		return "", err
	}
	return path, nil
}

// fetcher is a launcher whose model comes from a hub: a slot.Fetcher.
type fetcher struct{ launcher }

// Fetch returns when the model's files are here.
func (f fetcher) Fetch(ctx context.Context, progress func(slot.Progress)) error {
	err := f.engines.library.Fetch(ctx, f.model.Model, func(p library.Progress) {
		progress(slot.Progress{Done: p.Done, Total: p.Total})
	})
	switch {
	case errors.Is(err, library.ErrNoDisk):
		return &slot.LaunchError{Class: slot.ClassNoDisk, Err: err}
	case errors.Is(err, library.ErrNotFound), errors.Is(err, library.ErrGated):
		return &slot.LaunchError{Class: slot.ClassBadModel, Err: err}
	}
	return err
}

// launched is one engine process as its slot sees it.
type launched struct {
	*proc.Process
	template engine.Template
	endpoint slot.Endpoint
	checker  *engine.Checker

	once      sync.Once
	listening chan struct{}

	done chan struct{}
	exit slot.Exit // written before done is closed
}

// hear takes a line of the engine's log.
func (p *launched) hear(line string) {
	if p.template.Listening(line) {
		p.once.Do(func() { close(p.listening) })
	}
}

// await classifies the end of the process.
func (p *launched) await() {
	<-p.Process.Done()
	e := p.Process.Exit()
	class, line := p.template.Classify(engine.Ending{OOM: e.OOM, Tail: p.Tail()})
	p.exit = slot.Exit{Code: e.Code, Signal: e.Signal, Class: slot.Class(class), Detail: line}
	close(p.done)
}

// Endpoint is where the engine is reached.
func (p *launched) Endpoint() slot.Endpoint { return p.endpoint }

// Listening is closed at the engine's own line.
func (p *launched) Listening() <-chan struct{} { return p.listening }

// Probe asks the engine whether it is ready.
func (p *launched) Probe(ctx context.Context) error {
	err := p.checker.Ready(ctx)
	if errors.Is(err, engine.ErrLoading) {
		return slot.ErrLoading
	}
	return err
}

// Done is closed when the process is gone and Exit is known.
func (p *launched) Done() <-chan struct{} { return p.done }

// Exit is how it ended.
func (p *launched) Exit() slot.Exit {
	select {
	case <-p.done:
		return p.exit
	default:
		return slot.Exit{}
	}
}
