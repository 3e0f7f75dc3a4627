package main

import (
	"io"
	"os"
	"regexp"
	"testing"

	"github.com/hal0-dev/hal0/plugin/wire"
)

// What troubleshooting.md names is there: codes and commands.
func TestTroubleshooting(t *testing.T) {
	b, err := os.ReadFile("troubleshooting.md")
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for _, c := range wire.Codes() {
		known[c.Name] = true
	}
	codes := regexp.MustCompile("`((?:request|route|slot|device|stream|sidecar|edge|wire|engine)\\.[a-z_]+)`").FindAllSubmatch(b, -1)
	for _, m := range codes {
		if !known[string(m[1])] {
			t.Errorf("there is no code %s", m[1])
		}
	}
	commands := map[string]bool{}
	for _, c := range rootCommand(io.Discard).Commands() {
		commands[c.Name()] = true
	}
	named := regexp.MustCompile("`hal0 ([a-z-]+)").FindAllSubmatch(b, -1)
	for _, m := range named {
		if !commands[string(m[1])] {
			t.Errorf("there is no command %s", m[1])
		}
	}
	if len(codes) < 20 || len(named) < 10 {
		t.Errorf("%d codes and %d commands found", len(codes), len(named))
	}
}
