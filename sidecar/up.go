package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/hal0-dev/hal0/sidecar/internal/config"
	"github.com/hal0-dev/hal0/sidecar/internal/engine"
	"github.com/spf13/cobra"
)

// upAddress is where `hal0 up` serves everything.
const upAddress = "127.0.0.1:8080"

// upCommand runs all of hal0 on one port, without Traefik.
func upCommand(stdout io.Writer) *cobra.Command {
	return &cobra.Command{
		Use:                "up [--model=FILE] [--config=FILE] [--KEY=VALUE …]",
		Short:              "Run everything on one port, without Traefik",
		Long:               "Run everything on one port (" + upAddress + "), without Traefik. With --model and llama.cpp's\nllama-server at hand, the slot named primary runs that model; otherwise the built-in\ndemo engine, which is not a model and says so." + configHelp,
		DisableFlagParsing: true, // the flags are the configuration's keys
		RunE: func(c *cobra.Command, args []string) error {
			if wantsHelp(args) {
				return helpWithKeys(c, upDefaults())
			}
			model, args, err := takeFlag(args, "model")
			if err != nil {
				return usageError{err}
			}
			file, err := config.Path(args, os.Environ())
			if err != nil {
				return usageError{err}
			}
			var note string
			return run(c.Context(), c.ErrOrStderr(), func(s *sidecar) { greet(stdout, s, note) }, source{file, func() (*config.Config, error) {
				cfg := upDefaults()
				if err := config.Load(cfg, args, os.Environ()); err != nil {
					return nil, err
				}
				var err error
				note, err = chooseRoute(cfg, model)
				return cfg, err
			}})
		},
	}
}

func upDefaults() *config.Config {
	cfg := config.Default()
	cfg.Listen = config.Listen{Data: upAddress, Control: upAddress}
	cfg.Log.Level = "warn"
	return cfg
}

// takeFlag takes --name=value or --name value out of the arguments.
func takeFlag(args []string, name string) (value string, rest []string, err error) {
	for i := 0; i < len(args); i++ {
		flag, v, has := strings.Cut(args[i], "=")
		if flag != "--"+name && flag != "-"+name {
			rest = append(rest, args[i])
			continue
		}
		if !has {
			if i++; i == len(args) {
				return "", nil, fmt.Errorf("read flags: --%s needs a value", name)
			}
			v = args[i]
		}
		value = v
	}
	return value, rest, nil
}

// chooseRoute gives a configuration without a route the one slot that people try
// first, and says in a line what that is.
func chooseRoute(cfg *config.Config, model string) (note string, err error) {
	server := engine.FindLlamaServer(cfg.LlamaServer, os.Getenv)
	primary := map[string]any{"capabilities": "chat,completion"}
	switch {
	case cfg.Route != nil && model != "":
		return "", fmt.Errorf("--model and a route in the configuration exclude each other: name the model in route.models")
	case cfg.Route != nil:
		return "the models of the configuration's route", nil
	case model != "" && server == "":
		return "", fmt.Errorf("--model needs llama.cpp's llama-server, which is neither in LLAMA_SERVER nor on the PATH; install llama.cpp, or leave --model out to try the demo engine")
	case model != "":
		primary["model"], primary["engine"] = absoluteModel(model), "llama.cpp"
		note = model + " on " + server
	default:
		primary["engine"] = "demo"
		note = "the built-in demo engine: not a model, it counts and explains"
	}
	cfg.Route = map[string]any{"default": "primary", "models": map[string]any{"primary": primary}}
	return note, nil
}

// greet says what runs and what to do with it.
func greet(out io.Writer, s *sidecar, note string) {
	host := s.cfg.Listen.Data
	if rest, ok := strings.CutPrefix(host, "127.0.0.1:"); ok {
		host = "localhost:" + rest
	}
	fmt.Fprintf(out, `hal0 %s is up.

  API      http://%s/v1
  Pages    http://%s/
  primary  %s

Try it:

  curl http://%s/v1/chat/completions -H "Content-Type: application/json" -d '{"model":"primary","stream":true,"messages":[{"role":"user","content":"Count to five."}]}'

A model of your own:  hal0 up --model=/path/to/model.gguf  (needs llama.cpp's llama-server)
All that can be set:  hal0 up --help
Stop:                 Ctrl-C

`, version(), host, host, note, host)
}

// absoluteModel makes a file that was named from the working directory one that
// is found from anywhere; a model to fetch keeps its name.
func absoluteModel(name string) string {
	if strings.HasPrefix(name, "hf:") {
		return name
	}
	if path, err := filepath.Abs(name); err == nil {
		return path
	}
	return name
}
