package engine

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"time"
)

// The built-in templates.
const (
	LlamaCPP = "llama.cpp"
	Demo     = "demo"
)

// Template knows one kind of engine. Its zero value starts nothing.
type Template struct {
	Name string
	// NeedsModel says that a plan must have a file.
	NeedsModel bool
	// Insist is how long after a TERM another one is sent, 0 = never.
	Insist time.Duration

	program   func() string // the executable, "" = there is none
	command   func(Plan) (invocation, error)
	listening *regexp.Regexp
	rules     []rule            // before the common ones
	paths     map[string]string // of an endpoint, where the engine has another than we
	ready     string            // path that answers 200 when the engine is ready
	identity  string            // path that demands the key, "" = none is known
	props     bool              // identity answers llama.cpp's /props
	warmsUp   bool              // it produces a token by itself while it loads
	loading   []int             // statuses of ready that mean: alive, not yet ready
}

// invocation is how a program is called.
type invocation struct {
	path string
	args []string
	env  []string // beside what the sidecar's own environment gives
}

// Command is how the engine is started. env comes on top of Environ.
func (t Template) Command(p Plan) (path string, args, env []string, err error) {
	c, err := t.command(p)
	if err != nil {
		return "", nil, nil, err
	}
	return c.path, c.args, append(c.env, p.Place.Env...), nil
}

// Stamp changes when the engine's program does: when it is installed, say.
func (t Template) Stamp() string {
	path := t.program()
	if path == "" {
		return "none"
	}
	if found, err := exec.LookPath(path); err == nil {
		path = found
	}
	info, err := os.Stat(path)
	if err != nil {
		return "none"
	}
	return fmt.Sprintf("%s %d %d", path, info.Size(), info.ModTime().UnixNano())
}

// Listening reports whether a log line says that the engine has begun to serve.
func (t Template) Listening(line string) bool {
	return t.listening != nil && t.listening.MatchString(line)
}

// Upstream is the path under which the engine serves an endpoint of ours.
func (t Template) Upstream(path string) string {
	if p, ok := t.paths[path]; ok {
		return p
	}
	return path
}

// commonListening is what servers say in the usual frameworks.
var commonListening = regexp.MustCompile(`(?i)\blistening (on|at)\b|Uvicorn running on|Application startup complete`)

// Builtin returns the templates that need no configuration. self is this
// program's own executable; llamaServer may be "" where there is none: the
// template then says so when it is used.
func Builtin(self, llamaServer string) map[string]Template {
	return map[string]Template{
		LlamaCPP: llamaCPP(llamaServer),
		Demo:     demo(self),
	}
}

// demo is the scripted engine in this same program.
func demo(self string) Template {
	return Template{
		Name:      Demo,
		listening: commonListening,
		ready:     "/health",
		identity:  "/v1/models",
		loading:   []int{http.StatusServiceUnavailable},
		program:   func() string { return self },
		command: func(p Plan) (invocation, error) {
			args := []string{"demo-engine"}
			args = append(args, p.Model.Args...)
			args = append(args, "--host", p.Host, "--port", decimal(int64(p.Port)), "--name", p.Model.Slot)
			return invocation{path: self, args: args, env: []string{DemoKeyVar + "=" + p.Key}}, nil
		},
	}
}

// DemoKeyVar is the environment variable in which the demo engine is told the
// key that it must demand.
const DemoKeyVar = "HAL0_ENGINE_KEY"
