package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/hal0-dev/hal0/plugin"
)

func TestKey(t *testing.T) {
	var out strings.Builder
	c := keyCommand(&out)
	c.SetArgs([]string{"laptop"})
	if err := c.Execute(); err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`(sk-hal0-[A-Za-z0-9_-]{43})\n.*keys\[N\]: (laptop:sha256:([0-9a-f]{64}))\n`).FindStringSubmatch(out.String())
	if m == nil {
		t.Fatalf("no key and label in %q", out.String())
	}
	if sum := sha256.Sum256([]byte(m[1])); hex.EncodeToString(sum[:]) != m[3] {
		t.Errorf("the label's hash %s is not that of the key", m[3])
	}
	config := plugin.CreateConfig()
	config.Keys = []string{m[2]}
	for _, p := range plugin.Problems(config) {
		if strings.HasPrefix(p, "keys") {
			t.Errorf("the plugin refuses what key made: %s", p)
		}
	}
	first := out.String()
	out.Reset()
	if err := c.Execute(); err != nil || out.String() == first {
		t.Errorf("the same key twice (%v)", err)
	}
}

func TestKeyRefusesNames(t *testing.T) {
	for _, args := range [][]string{{"a b"}, {"a:b"}, {""}, {strings.Repeat("a", 65)}, {"ä"}, {}, {"a", "b"}} {
		var out strings.Builder
		c := keyCommand(&out)
		c.SetArgs(args)
		c.SilenceUsage, c.SilenceErrors = true, true
		var usage usageError
		if err := c.Execute(); !errors.As(err, &usage) {
			t.Errorf("%q: error %v, want a usage error", args, err)
		}
		if strings.Contains(out.String(), "sk-hal0") {
			t.Errorf("%q: a key was made", args)
		}
	}
}
