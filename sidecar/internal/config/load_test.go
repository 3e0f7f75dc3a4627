package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func load(t *testing.T, file string, args, environ []string) (*Config, error) {
	t.Helper()
	c := Default()
	if file != "" {
		path := filepath.Join(t.TempDir(), "hal0.yml")
		if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append([]string{"--config=" + path}, args...)
	}
	return c, Load(c, args, environ)
}

func TestFlagsWinOverVariablesWinOverFile(t *testing.T) {
	c, err := load(t, `
listen: {data: "127.0.0.1:1", control: "127.0.0.1:2"}
state: /from/file
limits: {drain: 7s, queue: 9}
`, []string{"--listen.data=127.0.0.1:3", "--log.level", "debug"}, []string{"HAL0_LISTEN_DATA=127.0.0.1:4", "HAL0_LISTEN_CONTROL=127.0.0.1:5", "PATH=/bin", "HAL0_URL=http://x"})
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range []struct{ name, got, want string }{
		{"flag", c.Listen.Data, "127.0.0.1:3"},
		{"variable", c.Listen.Control, "127.0.0.1:5"},
		{"file", c.State, "/from/file"},
		{"default", c.Log.Format, "text"},
		{"flag with a blank", c.Log.Level, "debug"},
	} {
		if w.got != w.want {
			t.Errorf("%s: got %q, want %q", w.name, w.got, w.want)
		}
	}
	if time.Duration(c.Limits.Drain) != 7*time.Second || c.Limits.Queue != 9 || time.Duration(c.Limits.Grace) != 5*time.Second {
		t.Errorf("limits = %+v", c.Limits)
	}
}

func TestEnginesAndRoute(t *testing.T) {
	c, err := load(t, `
engines:
  tap:
    command: [/bin/tap, --model, "{model}"]
    env: {A: b}
    ready: /health
devices:
  cpu: {memory: 4GiB}
route:
  default: primary
  models:
    primary:
      model: a.gguf
      engine: tap
      context: 256
      aliases: [x, "y:z"]
`, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if e := c.Engines["tap"]; e == nil || len(e.Command) != 3 || e.Command[2] != "{model}" || e.Env["A"] != "b" {
		t.Errorf("engines.tap = %+v", e)
	}
	models, ok := c.Route["models"].(map[string]any)
	if !ok {
		t.Fatalf("route = %#v", c.Route)
	}
	primary := models["primary"].(map[string]any)
	if primary["model"] != "a.gguf" || primary["context"] != "256" {
		t.Errorf("route.models.primary = %#v", primary)
	}
}

func TestEveryProblemIsNamed(t *testing.T) {
	_, err := load(t, `
listen: {data: "nope", control: "127.0.0.1:x"}
log: {level: loud, format: xml}
reserve: 1GB
engines: {e: {ready: /x}, f: {command: [x], listening: "("}}
limits: {queue: 0, drain: 0s}
devices: {cpu: {memory: lots}}
`, nil, nil)
	if err == nil {
		t.Fatal("no error")
	}
	for _, key := range []string{"listen.data", "listen.control", "log.level", "log.format", "reserve", "engines.e.command", "engines.f.listening", "limits.queue", "limits.drain", "devices.cpu.memory"} {
		if !strings.Contains(err.Error(), key+": ") {
			t.Errorf("%s is not named in:\n%v", key, err)
		}
	}
}

func TestBadInput(t *testing.T) {
	for _, c := range []struct {
		name, file, want string
		args             []string
	}{
		{"unknown key", "lisen: {data: x}", "lisen", nil},
		{"unknown flag", "", "nope", []string{"--nope=1"}},
		{"stray word", "", `unexpected argument "serve"`, []string{"serve", "--log.level=debug"}},
		{"no such file", "", "read configuration", []string{"--config=/does/not/exist.yml"}},
		{"config without value", "", "--config needs a file", []string{"--config"}},
		{"not YAML", "a: [", "read configuration", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := load(t, c.file, c.args, nil)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error = %v, want one that says %q", err, c.want)
			}
		})
	}
}

// A file that says nothing, or only in comments, sets nothing.
func TestFileThatSaysNothing(t *testing.T) {
	for _, text := range []string{"\n", "# log: {level: debug}\n", "---\n"} {
		c, err := load(t, text, nil, nil)
		if err != nil || c.Log.Level != "info" {
			t.Errorf("%q: level %q, error %v", text, c.Log.Level, err)
		}
	}
}
