package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"testing"
)

// program is a testing.TB for what bed starts outside of a test: it keeps the
// clean-ups, and turns a fatal failure into an error.
type program struct {
	testing.TB // only for the method that cannot be implemented

	mu       sync.Mutex
	cleanups []func()
	failure  error
}

func newProgram() *program { return &program{} }

// run runs f, which may end by Fatal.
func (p *program) run(f func() error) error {
	ended := make(chan error, 1)
	go func() {
		err := errors.New("ended early")
		defer func() { ended <- err }()
		err = f()
	}()
	err := <-ended
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.failure != nil {
		return p.failure
	}
	return err
}

// end undoes what was started, the last first. It is idempotent.
func (p *program) end() {
	for {
		p.mu.Lock()
		if len(p.cleanups) == 0 {
			p.mu.Unlock()
			return
		}
		last := p.cleanups[len(p.cleanups)-1]
		p.cleanups = p.cleanups[:len(p.cleanups)-1]
		p.mu.Unlock()
		last()
	}
}

func (p *program) Cleanup(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cleanups = append(p.cleanups, f)
}

func (p *program) fail(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.failure == nil {
		p.failure = errors.New(text)
	}
}

func (p *program) Failed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.failure != nil
}

func (p *program) Helper()                   {}
func (p *program) Name() string              { return "bench" }
func (p *program) Log(args ...any)           { fmt.Fprintln(os.Stderr, args...) }
func (p *program) Logf(f string, a ...any)   { fmt.Fprintf(os.Stderr, f+"\n", a...) }
func (p *program) Error(args ...any)         { p.fail(fmt.Sprint(args...)) }
func (p *program) Errorf(f string, a ...any) { p.fail(fmt.Sprintf(f, a...)) }
func (p *program) Fatal(args ...any)         { p.fail(fmt.Sprint(args...)); runtime.Goexit() }
func (p *program) Fatalf(f string, a ...any) { p.fail(fmt.Sprintf(f, a...)); runtime.Goexit() }

// Skip is for a tool that is missing: nothing can be measured without it.
func (p *program) Skip(args ...any) { p.Fatal(append(args, "; run integration/install")...) }

func (p *program) TempDir() string {
	dir, err := os.MkdirTemp("", "hal0-bench-")
	if err != nil {
		p.Fatal(err)
	}
	p.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}
