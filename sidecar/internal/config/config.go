package config

import (
	"time"

	"github.com/traefik/paerser/types"
)

// Config is the whole of hal0.yml. The description tags are the reference.
type Config struct {
	Listen      Listen             `description:"Where the sidecar listens." json:"listen" yaml:"listen" export:"true"`
	Token       string             `description:"File with the token shared with the plugin; made at first start. Default: token, in the state directory." json:"token"`
	State       string             `description:"Directory for what must survive a restart." json:"state"`
	Models      string             `description:"Directory of model files." json:"models"`
	Log         Log                `description:"Logging." json:"log"`
	Devices     map[string]*Device `description:"Caps per device, by id (cpu included)." json:"devices"`
	Reserve     string             `description:"Memory to leave free on every device." json:"reserve"`
	Disk        Disk               `description:"Disk." json:"disk"`
	Engines     map[string]*Engine `description:"Engines beside the built-in llama.cpp and demo." json:"engines"`
	Allow       Allow              `description:"What a route declared from outside may name." json:"allow"`
	Route       map[string]any     `description:"A route of the sidecar's own, with the keys of the plugin, for requests that come without Traefik." json:"route"`
	Limits      Limits             `description:"Limits." json:"limits"`
	Hooks       Hooks              `description:"Commands that accompany engines." json:"hooks"`
	LlamaServer string             `description:"Path of llama-server. Default: LLAMA_SERVER, then the PATH." json:"llamaServer"`
}

// Listen names the two listeners; the same address twice means one for both.
type Listen struct {
	Data    string `description:"Address for /v1." json:"data"`
	Control string `description:"Address for the dashboard, /api and /metrics." json:"control"`
}

// Log is how much is logged and in which form.
type Log struct {
	Level  string `description:"trace, debug, info, warn or error." json:"level"`
	Format string `description:"text or json." json:"format"`
}

// Device caps what the sidecar uses of one device.
type Device struct {
	Memory string `description:"Most memory to use, such as 20GiB." json:"memory"`
}

// Disk bounds downloads.
type Disk struct {
	Reserve string `description:"Disk space to leave free." json:"reserve"`
}

// Engine is a command template: how to start an engine that is not built in.
type Engine struct {
	Command   []string            `description:"Program and arguments; {model} {slot} {host} {port} {key} {context} {parallel} are filled in." json:"command"`
	Env       map[string]string   `description:"Environment, with the same placeholders." json:"env"`
	Ready     string              `description:"Path that answers 200 when the engine is ready." json:"ready"`
	Identity  string              `description:"Path that demands the key. Default: /v1/models, where {key} is used." json:"identity"`
	Listening string              `description:"Regular expression of the log line that says the engine listens." json:"listening"`
	Classes   map[string][]string `description:"Regular expressions of log lines, per class of ending: oom, bad_model, bad_argument, port, gpu." json:"classes"`
	Paths     map[string]string   `description:"Where the engine serves an endpoint under another path than /v1/…." json:"paths"`
}

// Allow says what a declaration from outside may name. Patterns are globs,
// where * also matches a slash.
type Allow struct {
	Models  []string `description:"Models, such as hf:* or /srv/models/*. Files below the models directory are always allowed." json:"models"`
	Engines []string `description:"Engines." json:"engines"`
	Args    []string `description:"Flags in args, such as --temp." json:"args"`
}

// Hooks are commands of the operator's, program and arguments. They are told
// HAL0_SLOT, HAL0_MODEL and HAL0_ENGINE.
type Hooks struct {
	BeforeBoot []string `description:"Runs before an engine is started, which waits for it; if it fails, the engine is not started." json:"beforeBoot"`
	AfterIdle  []string `description:"Runs after an engine was unloaded." json:"afterIdle"`
}

// Limits bound what waits, what is kept and how long endings take.
type Limits struct {
	Queue       int            `description:"Waiting requests per slot." json:"queue"`
	Connections int            `description:"Connections to the data listener." json:"connections"`
	Replay      Replay         `description:"Memory for streams that others may still join." json:"replay"`
	Uploads     string         `description:"Disk space for uploads whose models are not ready." json:"uploads"`
	Starvation  types.Duration `description:"Longest wait of a slot's oldest request before another slot must make room, such as 30s." json:"starvation"`
	Drain       types.Duration `description:"How long a slot that is told to leave lets its streams run, such as 30s." json:"drain"`
	Grace       types.Duration `description:"How long an engine has between TERM and KILL, such as 30s." json:"grace"`
}

// Replay bounds what the hub keeps.
type Replay struct {
	Flight string `description:"Per stream." json:"flight"`
	Total  string `description:"In all." json:"total"`
}

// Default is the configuration of `hal0 serve` where nothing else is said.
func Default() *Config {
	return &Config{
		Listen:  Listen{Data: "127.0.0.1:8090", Control: "127.0.0.1:8091"},
		State:   defaultState(),
		Models:  defaultModels(),
		Log:     Log{Level: "info", Format: "text"},
		Reserve: "512MiB",
		Disk:    Disk{Reserve: "5GiB"},
		Allow:   Allow{Models: []string{"hf:*"}, Engines: []string{"llama.cpp", "demo"}},
		Limits: Limits{
			Queue:       256,
			Connections: 20000,
			Replay:      Replay{Flight: "4MiB", Total: "256MiB"},
			Uploads:     "4GiB",
			Starvation:  types.Duration(2 * time.Minute),
			Drain:       types.Duration(30 * time.Second),
			Grace:       types.Duration(5 * time.Second),
		},
	}
}
