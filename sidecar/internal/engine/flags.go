package engine

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"time"
)

// helpTimeout bounds the question; a build with many GPU libraries takes a while.
const helpTimeout = 20 * time.Second

// flagSet holds the long flags that an executable knows, with their dashes.
type flagSet map[string]bool

// flagCache remembers the flags of executables as long as their files do not
// change.
type flagCache struct {
	mu    sync.Mutex // guards known, and lets one question run at a time
	known map[string]knownFlags
}

type knownFlags struct {
	size  int64
	time  time.Time
	flags flagSet
}

func newFlagCache() *flagCache { return &flagCache{known: map[string]knownFlags{}} }

// of returns the flags of an executable. Asking is the one thing here that is
// done under a lock: whoever asks at the same time wants the same answer.
func (c *flagCache) of(path string) (flagSet, error) {
	file, err := exec.LookPath(path)
	if err != nil {
		return nil, fmt.Errorf("find llama-server: %w", err)
	}
	info, err := os.Stat(file)
	if err != nil {
		return nil, fmt.Errorf("find llama-server: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if k, ok := c.known[file]; ok && k.size == info.Size() && k.time.Equal(info.ModTime()) {
		return k.flags, nil
	}
	flags, err := askFlags(file)
	if err != nil {
		return nil, err
	}
	c.known[file] = knownFlags{info.Size(), info.ModTime(), flags}
	return flags, nil
}

func askFlags(path string) (flagSet, error) {
	ctx, cancel := context.WithTimeout(context.Background(), helpTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, "--help")
	cmd.Env = Environ(os.Environ())
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	flags := parseHelp(string(out))
	if !flags["--model"] { // some versions print the help and exit with 1
		return nil, fmt.Errorf("ask %s for its flags: %w", path, unhelpful(err, out))
	}
	return flags, nil
}

func unhelpful(err error, out []byte) error {
	text := strings.TrimSpace(string(out))
	if len(text) > 300 {
		text = text[:300] + " …"
	}
	if err == nil {
		return fmt.Errorf("its help does not name --model: %q", text)
	}
	return fmt.Errorf("%w: %q", err, text)
}

var longFlag = regexp.MustCompile(`(?:^|[ ,])(--[a-z][a-z0-9-]*)`)

// parseHelp finds the flags in llama-server's help: lines that begin with a
// dash, up to the description. A flag that a description merely mentions does
// not count.
func parseHelp(help string) flagSet {
	flags := flagSet{}
	for line := range strings.Lines(help) {
		if !strings.HasPrefix(line, "-") {
			continue
		}
		line, _, _ = strings.Cut(collapseComma(line), "  ")
		for _, m := range longFlag.FindAllStringSubmatch(line, -1) {
			flags[m[1]] = true
		}
	}
	return flags
}

var commaSpaces = regexp.MustCompile(`, +`)

// collapseComma joins "-c,    --ctx-size N", so that two spaces always begin the
// description.
func collapseComma(line string) string { return commaSpaces.ReplaceAllString(line, ", ") }
