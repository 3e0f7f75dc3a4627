package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/hal0-dev/hal0/sidecar/internal/engine"
	"github.com/hal0-dev/hal0/sidecar/internal/proc"
	"github.com/hal0-dev/hal0/sidecar/internal/slot"
	"github.com/hashicorp/go-hclog"
)

// launched is one engine as its slot sees it. It may be the second process: one
// whose port was taken between choice and use is started once more.
type launched struct {
	launcher launcher
	template engine.Template
	plan     engine.Plan // but for port and key, which are the process's
	log      hclog.Logger

	once      sync.Once
	listening chan struct{}

	done chan struct{}
	exit slot.Exit // written before done is closed

	mu        sync.Mutex // guards what follows
	current   *process
	ending    bool       // it was told to end: no second process
	condemned *slot.Exit // why it was ended although it lived
}

var (
	_ slot.Process = (*launched)(nil)
	_ slot.Warmer  = (*launched)(nil)
)

// process is one attempt.
type process struct {
	*proc.Process
	endpoint slot.Endpoint
	checker  *engine.Checker
}

// start makes a process with a port and a key of its own.
func (p *launched) start() (*process, error) {
	plan := p.plan
	plan.Key = engine.NewKey()
	port, err := engine.FreePort(engineHost)
	if err != nil {
		return nil, launchError(slot.ClassPort, err)
	}
	plan.Port = port
	path, args, env, err := p.template.Command(plan)
	if err != nil {
		return nil, launchError(classOfStart(err), err)
	}
	url := "http://" + net.JoinHostPort(engineHost, strconv.Itoa(port))
	a := &process{endpoint: slot.Endpoint{URL: url, Key: plan.Key}, checker: p.template.NewChecker(plan, url)}
	a.Process, err = proc.Start(proc.Spec{
		Path: path, Args: args, Env: append(engine.Environ(os.Environ()), env...),
		OnLine: p.hear, Journal: p.launcher.engines.journal,
	})
	if err != nil {
		return nil, launchError(classOfStart(err), err)
	}
	p.log.Info("launched", "pid", a.PID(), "engine", p.template.Name, "url", url)
	return a, nil
}

// hear takes a line of the engine's log.
func (p *launched) hear(line string) {
	p.log.Debug("says", "line", line)
	p.launcher.engines.lines.Add(p.launcher.model.Slot, line)
	if p.template.Listening(line) {
		p.once.Do(func() { close(p.listening) })
	}
}

// await sees the processes to their end, and closes done.
func (p *launched) await(a *process) {
	<-a.Done()
	exit := p.exitOf(a)
	if exit.Class == slot.ClassPort && !p.isEnding() {
		p.log.Info("the engine's port was taken, it gets another", "line", exit.Detail)
		second, err := p.start()
		if err != nil {
			exit.Detail += "; " + err.Error()
		} else {
			p.replace(second)
			<-second.Done()
			exit = p.exitOf(second)
		}
	}
	p.exit = exit
	close(p.done)
	if p.isEnding() {
		p.afterwards()
	}
}

// replace makes the second process the current one. If the slot was told to end
// meanwhile, the process is told, too.
func (p *launched) replace(second *process) {
	p.mu.Lock()
	p.current = second
	ending := p.ending
	p.mu.Unlock()
	if ending {
		if err := second.Kill(); err != nil {
			p.log.Warn("kill engine", "pid", second.PID(), "error", err)
		}
	}
}

// afterwards runs the operator's hook after a slot was unloaded.
func (p *launched) afterwards() {
	if err := p.launcher.engines.after.Run(p.launcher.engines.quit, p.launcher.hookEnv()); err != nil {
		p.log.Warn("hook after unloading", "error", err)
	}
}

// exitOf classifies the end of a process.
func (p *launched) exitOf(a *process) slot.Exit {
	e, tail := a.Process.Exit(), a.Tail()
	class, line := p.template.Classify(engine.Ending{OOM: e.OOM, Tail: tail})
	exit := slot.Exit{Code: e.Code, Signal: e.Signal, Class: slot.Class(class), Detail: line}
	if reason := proc.DiagnoseExit(e, tail); reason != "" {
		exit.Detail = reason
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.condemned != nil {
		exit.Class, exit.Detail = p.condemned.Class, p.condemned.Detail
	}
	return exit
}

func (p *launched) process() *process {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.current
}

func (p *launched) isEnding() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ending
}

// PID is the process's number.
func (p *launched) PID() int { return p.process().PID() }

// Endpoint is where the engine is reached.
func (p *launched) Endpoint() slot.Endpoint { return p.process().endpoint }

// Listening is closed at the engine's own line.
func (p *launched) Listening() <-chan struct{} { return p.listening }

// Life is the last sign of life: a line, memory that grows, a disk that is read.
func (p *launched) Life() time.Time { return p.process().Life() }

// Probe asks the engine whether it is ready. An engine that never will be,
// because it does not run as planned, is ended: waiting would not help.
func (p *launched) Probe(ctx context.Context) error {
	a := p.process()
	err := a.checker.Ready(ctx)
	var mismatch *engine.MismatchError
	switch {
	case errors.Is(err, engine.ErrLoading):
		return slot.ErrLoading
	case errors.As(err, &mismatch):
		p.condemn(a, err)
	case errors.Is(err, engine.ErrStranger) && p.heardListening():
		p.condemn(a, fmt.Errorf("%w, or the engine does not demand its key", err))
	}
	return err
}

func (p *launched) heardListening() bool {
	select {
	case <-p.listening:
		return true
	default:
		return false
	}
}

// condemn ends an engine for a reason that its log does not tell.
func (p *launched) condemn(a *process, why error) {
	p.mu.Lock()
	if p.condemned == nil {
		p.condemned = &slot.Exit{Class: slot.ClassBadArgument, Detail: why.Error()}
	}
	p.mu.Unlock()
	p.log.Error("the engine does not run as planned, it is ended", "error", why)
	if err := a.Kill(); err != nil {
		p.log.Warn("kill engine", "pid", a.PID(), "error", err)
	}
}

// Warm makes the engine produce one token: it is a slot.Warmer.
func (p *launched) Warm(ctx context.Context) error { return p.process().checker.Warm(ctx) }

// Terminate asks the engine to end, and once more if it has to be asked twice.
func (p *launched) Terminate() error {
	a := p.end()
	if p.template.Insist > 0 {
		p.launcher.engines.running.Go(func() { a.insist(p.template.Insist, p.log) })
	}
	return a.Terminate()
}

func (a *process) insist(after time.Duration, log hclog.Logger) {
	t := time.NewTimer(after)
	defer t.Stop()
	select {
	case <-a.Done():
	case <-t.C:
		if err := a.Terminate(); err != nil {
			log.Warn("terminate engine again", "pid", a.PID(), "error", err)
		}
	}
}

// Kill ends the engine.
func (p *launched) Kill() error { return p.end().Kill() }

func (p *launched) end() *process {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ending = true
	return p.current
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
