package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"
)

// ErrNoDevice is an engine that cannot see the GPUs it was given: it was built
// for others, or the driver does not work.
var ErrNoDevice = errors.New("llama-server cannot use the GPU")

// askTimeout bounds one question; a build with many GPU libraries takes a while.
const askTimeout = 20 * time.Second

// cache remembers what executables say of themselves as long as their files do
// not change.
type cache struct {
	mu    sync.Mutex // guards known, and lets one question run at a time
	known map[question]said
}

type question struct {
	path, flag, env string
	size            int64
	changed         time.Time
}

type said struct {
	flags   flagSet
	devices string
}

func newCache() *cache { return &cache{known: map[question]said{}} }

// flags returns the flags that the executable knows.
func (c *cache) flags(path string) (flagSet, error) {
	s, err := c.ask(path, "--help", nil, func(out string) (said, error) {
		flags := parseHelp(out)
		if !flags["--model"] {
			return said{}, fmt.Errorf("its help does not name --model: %q", shorten(out))
		}
		return said{flags: flags}, nil
	})
	return s.flags, err
}

// devices names what the executable calls the devices of the place; "" leaves
// the choice to it.
func (c *cache) devices(path string, p Place) (string, error) {
	switch {
	case p.CPU:
		return "none", nil
	case len(p.IDs) == 0:
		return "", nil
	}
	s, err := c.ask(path, "--list-devices", p.Env, func(out string) (said, error) {
		names, err := pickDevices(out, len(p.IDs))
		return said{devices: names}, err
	})
	return s.devices, err
}

// ask runs the executable with one flag. Asking is the one thing here that is
// done under a lock: whoever asks at the same time wants the same answer. Only
// good answers are remembered.
func (c *cache) ask(path, flag string, env []string, read func(string) (said, error)) (said, error) {
	file, err := exec.LookPath(path)
	if err != nil {
		return said{}, fmt.Errorf("find llama-server: %w", err)
	}
	info, err := os.Stat(file)
	if err != nil {
		return said{}, fmt.Errorf("find llama-server: %w", err)
	}
	q := question{file, flag, strings.Join(env, "\n"), info.Size(), info.ModTime()}
	c.mu.Lock()
	defer c.mu.Unlock()
	if s, ok := c.known[q]; ok {
		return s, nil
	}
	out, err := output(file, flag, env)
	s, readErr := read(out)
	if readErr != nil { // an exit code alone says nothing: some versions print their help and exit with 1
		return said{}, fmt.Errorf("ask %s %s: %w", file, flag, errors.Join(readErr, err))
	}
	c.known[q] = s
	return s, nil
}

func output(file, flag string, env []string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), askTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, file, flag)
	cmd.Env = append(Environ(os.Environ()), env...)
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func shorten(s string) string {
	if s = strings.TrimSpace(s); len(s) > 300 {
		return s[:300] + " …"
	}
	return s
}
