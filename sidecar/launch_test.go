//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/hal0-dev/hal0/plugin/wire"
	"github.com/hal0-dev/hal0/sidecar/internal/config"
	"github.com/hal0-dev/hal0/sidecar/internal/demo"
	"github.com/hal0-dev/hal0/sidecar/internal/engine"
	"github.com/hal0-dev/hal0/sidecar/internal/proc"
	"github.com/hal0-dev/hal0/sidecar/internal/slot"
	"github.com/hal0-dev/hal0/sidecar/internal/tail"
	"github.com/hashicorp/go-hclog"
)

// The test binary is the demo engine, too, as the program itself is; and the
// whole program, for tests that kill it.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "hal0-under-test" {
		os.Exit(execute(os.Args[2:], os.Stdout, os.Stderr))
	}
	if len(os.Args) > 1 && os.Args[1] == "demo-engine" {
		os.Exit(demo.Main(os.Args[2:], os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// box is engines with a journal, and a models directory.
type box struct {
	*engines
	journal string
	models  string
}

func newBox(t testing.TB, change func(*config.Config)) box {
	t.Helper()
	b := box{journal: filepath.Join(t.TempDir(), "journal"), models: t.TempDir()}
	cfg := config.Default()
	cfg.Models = b.models
	if change != nil {
		change(cfg)
	}
	journal, err := proc.OpenJournal(b.journal)
	if err != nil {
		t.Fatal(err)
	}
	b.engines, err = newEngines(cfg, journal, &tail.Book{}, hclog.NewNullLogger())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.close(context.Background()); err != nil {
			t.Error(err)
		}
		if left, _ := filepath.Glob(b.journal + "/*.launch.json"); len(left) > 0 {
			t.Errorf("%d launches are left in the journal", len(left))
		}
	})
	return b
}

func (b box) of(m wire.Model) launcher {
	m.Slot = "primary"
	return launcher{engines: b.engines, model: m}
}

// launch starts an engine that is ended with the test.
func (b box) launch(t *testing.T, m wire.Model) slot.Process {
	t.Helper()
	p, err := b.of(m).Launch(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Kill(); err != nil {
			t.Error(err)
		}
		<-p.Done()
	})
	return p
}

func demoModel(args string) wire.Model {
	return wire.Model{Engine: engine.Demo, Args: strings.Fields(args), Capabilities: []string{wire.CapChat, wire.CapCompletion}}
}

func TestLaunch(t *testing.T) {
	b := newBox(t, nil)
	p := b.launch(t, demoModel("--tokens-per-second 0"))
	<-p.Listening()
	for range 2 { // proves to be ours, and lives on
		if err := p.Probe(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.(slot.Warmer).Warm(t.Context()); err != nil {
		t.Error(err)
	}
	if status := get(t, p.Endpoint().URL+"/v1/models", "another key"); status != http.StatusUnauthorized {
		t.Errorf("status %d to another key", status)
	}
	if status := get(t, p.Endpoint().URL+"/v1/models", p.Endpoint().Key); status != http.StatusOK {
		t.Errorf("status %d to its key", status)
	}
	if p.Life().IsZero() || syscall.Kill(p.PID(), 0) != nil {
		t.Error("it does not live")
	}
	if err := p.Terminate(); err != nil {
		t.Fatal(err)
	}
	<-p.Done()
	if e := p.Exit(); e.Code != 0 || e.Signal != "" {
		t.Errorf("%+v", e)
	}
	if err := p.Probe(t.Context()); err == nil {
		t.Error("answers after its end")
	}
}

func get(t *testing.T, url, key string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+key)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode
}

func TestLoadingIsASignOfLife(t *testing.T) {
	p := newBox(t, nil).launch(t, demoModel("--load 1h"))
	for {
		err := p.Probe(t.Context())
		if errors.Is(err, slot.ErrLoading) {
			return
		}
		if !errors.Is(err, syscall.ECONNREFUSED) {
			t.Fatal(err)
		}
	}
}

func TestEndings(t *testing.T) {
	b := newBox(t, func(c *config.Config) {
		c.Engines = map[string]*config.Engine{
			"missing": {Command: []string{"/bin/sh", "-c", "echo 'x: error while loading shared libraries: libfoo.so.1: cannot open shared object file' >&2; exit 127 # {port}"}},
			"own":     {Command: []string{"/bin/sh", "-c", "echo 'gremlins!'; exit 3 # {port}"}, Classes: map[string][]string{"gpu": {"gremlins"}}},
		}
	})
	for _, c := range []struct {
		model  wire.Model
		class  slot.Class
		detail string
	}{
		{wire.Model{Engine: engine.Demo, Args: []string{"--load-fails", "CUDA out of memory"}}, slot.ClassOOM, "out of memory"},
		{demoModel("--bogus"), slot.ClassBadArgument, "bogus"},
		{wire.Model{Engine: "missing"}, slot.ClassCrash, "libfoo.so.1 that it needs"},
		{wire.Model{Engine: "own"}, slot.ClassGPU, "gremlins!"},
	} {
		p := b.launch(t, c.model)
		<-p.Done()
		if e := p.Exit(); e.Class != c.class || !strings.Contains(e.Detail, c.detail) {
			t.Errorf("%v: %+v", c.model, e)
		}
	}
}

func TestKilledFromOutside(t *testing.T) {
	p := newBox(t, nil).launch(t, demoModel(""))
	<-p.Listening()
	if err := syscall.Kill(p.PID(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-p.Done()
	if e := p.Exit(); e.Class != slot.ClassCrash || e.Signal != "killed" {
		t.Errorf("%+v", e)
	}
}

// An engine whose port was taken gets another, once.
func TestPortTaken(t *testing.T) {
	marks := t.TempDir()
	thief := func(times string) *config.Engine {
		return &config.Engine{
			Command: []string{"/bin/sh", "-c", "echo x >> $MARKS/" + times + "; if [ $(wc -l < $MARKS/" + times + ") -le " + times + ` ]; then echo 'bind: address already in use'; exit 1; fi; exec "$SELF" demo-engine --port {port}`},
			Env:     map[string]string{"MARKS": marks, "SELF": os.Args[0], engine.DemoKeyVar: "{key}"},
		}
	}
	b := newBox(t, func(c *config.Config) {
		c.Engines = map[string]*config.Engine{"once": thief("1"), "always": thief("99")}
	})
	p := b.launch(t, wire.Model{Engine: "once"})
	<-p.Listening()
	if err := p.Probe(t.Context()); err != nil {
		t.Error(err)
	}
	p = b.launch(t, wire.Model{Engine: "always"})
	<-p.Done()
	if e := p.Exit(); e.Class != slot.ClassPort {
		t.Errorf("%+v", e)
	}
	if n, err := os.ReadFile(marks + "/99"); err != nil || len(n) != 4 {
		t.Errorf("%d attempts, %v", len(n)/2, err)
	}
}

// An engine that opens to any key proves nothing; once it says that it serves,
// there is nothing to wait for.
func TestEngineWithoutKeyIsEnded(t *testing.T) {
	b := newBox(t, func(c *config.Config) {
		c.Engines = map[string]*config.Engine{"open": {
			Command: []string{os.Args[0], "demo-engine", "--port", "{port}"}, Env: map[string]string{"UNUSED": "{key}"},
		}}
	})
	p := b.launch(t, wire.Model{Engine: "open"})
	<-p.Listening()
	if err := p.Probe(t.Context()); !errors.Is(err, engine.ErrStranger) {
		t.Error(err)
	}
	<-p.Done()
	if e := p.Exit(); e.Class != slot.ClassBadArgument || !strings.Contains(e.Detail, "key") {
		t.Errorf("%+v", e)
	}
}

func TestNothingIsLaunched(t *testing.T) {
	b := newBox(t, func(c *config.Config) {
		c.LlamaServer = "/no/such/llama-server"
		c.Engines = map[string]*config.Engine{"file": {Command: []string{"/bin/true", "{model}", "{port}"}}, "none": {Command: []string{"/no/such/engine", "{port}"}}}
	})
	outside := filepath.Join(t.TempDir(), "m.gguf")
	for _, path := range []string{outside, b.models + "/m.gguf"} {
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(outside, b.models+"/link.gguf"); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		model wire.Model
		class slot.Class
	}{
		"unknown engine":  {wire.Model{Engine: "x"}, slot.ClassBadArgument},
		"no such program": {wire.Model{Engine: "none"}, slot.ClassBadArgument},
		"no llama-server": {wire.Model{Engine: engine.LlamaCPP, Model: "m.gguf"}, slot.ClassBadArgument},
		"no model named":  {wire.Model{Engine: "file"}, slot.ClassBadModel},
		"no such file":    {wire.Model{Engine: "file", Model: "none.gguf"}, slot.ClassBadModel},
		"outside":         {wire.Model{Engine: "file", Model: "link.gguf"}, slot.ClassNotAllowed},
	} {
		_, err := b.of(c.model).Launch(t.Context(), 1)
		var failed *slot.LaunchError
		if !errors.As(err, &failed) || failed.Class != c.class {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := os.RemoveAll(b.journal); err != nil {
		t.Fatal(err)
	}
	_, err := b.of(demoModel("")).Launch(t.Context(), 1)
	var failed *slot.LaunchError
	if !errors.As(err, &failed) || failed.Class != slot.ClassStateUnwritable {
		t.Errorf("without a journal: %v", err)
	}
}

// What a failed launch depends on changes the stamp.
func TestStampChanges(t *testing.T) {
	b := newBox(t, func(c *config.Config) { c.LlamaServer = "/no/such/llama-server" })
	l := b.of(wire.Model{Engine: engine.LlamaCPP, Model: "m.gguf"})
	before := l.Stamp(t.Context())
	if before == "" || before != l.Stamp(t.Context()) {
		t.Error("no stamp of what is not there")
	}
	if err := os.WriteFile(b.models+"/m.gguf", []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if l.Stamp(t.Context()) == before {
		t.Error("the file appeared, and the stamp is the same")
	}
}

func TestHooks(t *testing.T) {
	dir := t.TempDir()
	b := newBox(t, func(c *config.Config) {
		c.Hooks.BeforeBoot = []string{"/bin/sh", "-c", "echo $HAL0_SLOT >> " + dir + "/before"}
		c.Hooks.AfterIdle = []string{"/bin/sh", "-c", "echo $HAL0_ENGINE >> " + dir + "/after"}
	})
	p := b.launch(t, demoModel(""))
	if s, err := os.ReadFile(dir + "/before"); err != nil || string(s) != "primary\n" {
		t.Errorf("%q %v", s, err)
	}
	if err := p.Terminate(); err != nil {
		t.Fatal(err)
	}
	<-p.Done()
	b.running.Wait()
	if s, err := os.ReadFile(dir + "/after"); err != nil || string(s) != "demo\n" {
		t.Errorf("%q %v", s, err)
	}
	b = newBox(t, func(c *config.Config) { c.Hooks.BeforeBoot = []string{"/bin/false"} })
	if _, err := b.of(demoModel("")).Launch(t.Context(), 1); err == nil || !strings.Contains(err.Error(), "/bin/false") {
		t.Error(err)
	}
}

// The second owner of a state directory is told who the first is.
func TestStateHasOneOwner(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	s, err := openState(dir, hclog.NewNullLogger())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := openState(dir, hclog.NewNullLogger()); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("process %d", os.Getpid())) {
		t.Error(err)
	}
	s.close()
	s, err = openState(dir, hclog.NewNullLogger())
	if err != nil {
		t.Fatal(err)
	}
	s.close()
}

// A real llama-server, with a model whose weights are all zero.
func TestLaunchLlamaServer(t *testing.T) {
	server := os.Getenv("LLAMA_SERVER")
	if server == "" {
		server = filepath.Join(os.Getenv("HAL0_CACHE"), "llama-server") // where integration/install puts it
	}
	if _, err := exec.LookPath(server); err != nil {
		t.Skip("no llama-server in LLAMA_SERVER or HAL0_CACHE")
	}
	b := newBox(t, func(c *config.Config) { c.LlamaServer = server })
	head, err := os.ReadFile("internal/gguf/testdata/mid.head")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(b.models+"/mid.gguf", head, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(b.models+"/mid.gguf", 253132512); err != nil {
		t.Fatal(err)
	}
	m := wire.Model{Engine: engine.LlamaCPP, Model: "mid.gguf", Context: 512, Parallel: 2, Capabilities: []string{wire.CapChat, wire.CapCompletion}}
	l := b.of(m)
	l.place = engine.Place{CPU: true}
	started, err := l.Launch(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := started.Kill(); err != nil {
			t.Error(err)
		}
		<-started.Done()
	}()
	select {
	case <-started.Listening():
	case <-started.Done():
		t.Fatalf("%+v", started.Exit())
	}
	if err := started.Probe(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 2 { // it has warmed up by itself; the second time it must work
		if err := started.(slot.Warmer).Warm(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if status := get(t, started.Endpoint().URL+"/props", "another key"); status != http.StatusUnauthorized {
		t.Errorf("status %d to another key", status)
	}
	m.Context = 8192 // it was trained for 4096
	p := b.launch(t, m)
	<-p.Listening()
	var mismatch *engine.MismatchError
	if err := p.Probe(t.Context()); !errors.As(err, &mismatch) {
		t.Error(err)
	}
	<-p.Done()
	if e := p.Exit(); e.Class != slot.ClassBadArgument || !strings.Contains(e.Detail, "8192") {
		t.Errorf("%+v", e)
	}
}
