package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hal0-dev/hal0/sidecar/internal/config"
)

func TestChooseRoute(t *testing.T) {
	dir := t.TempDir()
	server := filepath.Join(dir, "llama-server")
	if err := os.WriteFile(server, []byte("#!/bin/sh\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+"/empty")
	own := map[string]any{"default": "x"}
	for _, c := range []struct {
		name, server, model string
		route               map[string]any
		engine, want, err   string
	}{
		{"nothing at hand", "", "", nil, "demo", "", ""},
		{"llama-server but no model", server, "", nil, "demo", "", ""},
		{"llama-server and a model", server, "/m/a.gguf", nil, "llama.cpp", "/m/a.gguf", ""},
		{"a model to fetch", server, "hf:o/r:Q8_0", nil, "llama.cpp", "hf:o/r:Q8_0", ""},
		{"a model but no llama-server", "", "/m/a.gguf", nil, "", "", "needs llama.cpp's llama-server"},
		{"a route of one's own", server, "", own, "", "", ""},
		{"a route and a model", server, "/m/a.gguf", own, "", "", "exclude each other"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv("LLAMA_SERVER", c.server)
			cfg := config.Default()
			cfg.Route = c.route
			_, err := chooseRoute(cfg, c.model)
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Errorf("error = %v, want one that says %q", err, c.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if c.route != nil {
				if cfg.Route["default"] != "x" {
					t.Errorf("route = %v, want it as it was", cfg.Route)
				}
				return
			}
			primary := cfg.Route["models"].(map[string]any)["primary"].(map[string]any)
			if primary["engine"] != c.engine || (c.want != "" && primary["model"] != c.want) {
				t.Errorf("primary = %v, want engine %s, model %s", primary, c.engine, c.want)
			}
		})
	}
}

func TestTakeFlag(t *testing.T) {
	for _, c := range []struct {
		args        string
		value, rest string
	}{
		{"--model=a.gguf --log.level=debug", "a.gguf", "--log.level=debug"},
		{"--log.level=debug --model a.gguf", "a.gguf", "--log.level=debug"},
		{"--models=dir", "", "--models=dir"},
	} {
		v, rest, err := takeFlag(strings.Fields(c.args), "model")
		if err != nil || v != c.value || strings.Join(rest, " ") != c.rest {
			t.Errorf("takeFlag(%q) = %q, %q, %v", c.args, v, rest, err)
		}
	}
	if _, _, err := takeFlag([]string{"--model"}, "model"); err == nil {
		t.Error("a flag without its value is taken")
	}
}
