package engine

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"sort"
	"strings"
)

// Config describes an engine that is not built in: engines.<name> of hal0.yml.
// Placeholders may stand in Command and in the values of Env.
type Config struct {
	Command   []string            // program and arguments
	Env       map[string]string   // beside what the engine inherits
	Ready     string              // path that answers 200 when the engine is ready; default /health
	Identity  string              // path that demands the key; default /v1/models, where {key} is used
	Loading   []int               // statuses that mean "not yet"; default 503
	Listening string              // regular expression of the line that says it listens
	Classes   map[string][]string // regular expressions of log lines, per class of ending
	Paths     map[string]string   // where it serves an endpoint of ours under another path
}

// New makes a template of a configuration. The error names every problem.
func New(name string, c Config) (Template, error) {
	t := Template{
		Name:       name,
		NeedsModel: uses("model", c.Command),
		listening:  commonListening,
		paths:      c.Paths,
		ready:      orElse(c.Ready, "/health"),
		identity:   c.Identity,
		loading:    c.Loading,
	}
	if t.loading == nil {
		t.loading = []int{http.StatusServiceUnavailable}
	}
	if t.identity == "" && uses("key", append(c.envList(), c.Command...)) {
		t.identity = "/v1/models"
	}
	var problems []error
	if len(c.Command) == 0 {
		problems = append(problems, errors.New("command is empty"))
	}
	if !uses("port", append(c.envList(), c.Command...)) {
		problems = append(problems, errors.New("neither command nor env uses {port}: each launch gets a port of its own"))
	}
	if c.Listening != "" {
		re, err := regexp.Compile(c.Listening)
		if err != nil {
			problems = append(problems, fmt.Errorf("listening: %w", err))
		}
		t.listening = re
	}
	rules, err := c.rules()
	problems = append(problems, err)
	t.rules = rules
	if _, err := c.invocation(Plan{}); err != nil && len(c.Command) > 0 {
		problems = append(problems, err)
	}
	t.command = c.invocation
	t.program = func() string { return programOf(c.Command) }
	if err := errors.Join(problems...); err != nil {
		return Template{}, fmt.Errorf("engine %s: %w", name, err)
	}
	return t, nil
}

func (c Config) envList() []string {
	var out []string
	for k, v := range c.Env {
		out = append(out, k+"="+v)
	}
	sort.Strings(out)
	return out
}

func (c Config) invocation(p Plan) (invocation, error) {
	args, err := expandArgs(c.Command, p)
	if err != nil {
		return invocation{}, fmt.Errorf("command: %w", err)
	}
	if len(args) == 0 {
		return invocation{}, errors.New("command is empty")
	}
	inv := invocation{path: args[0], args: args[1:]}
	for _, kv := range c.envList() {
		s, _, err := expand(kv, p.values())
		if err != nil {
			return invocation{}, fmt.Errorf("env: %w", err)
		}
		inv.env = append(inv.env, s)
	}
	return inv, nil
}

func (c Config) rules() ([]rule, error) {
	known := []string{ClassOOM, ClassBadModel, ClassBadArgument, ClassPort, ClassGPU, ClassStateUnwritable, ClassCrash}
	var rules []rule
	var problems []error
	for _, class := range known {
		r := rule{class: class}
		for _, p := range c.Classes[class] {
			re, err := regexp.Compile(p)
			if err != nil {
				problems = append(problems, fmt.Errorf("classes.%s: %w", class, err))
				continue
			}
			r.patterns = append(r.patterns, re)
		}
		if len(r.patterns) > 0 {
			rules = append(rules, r)
		}
	}
	for class := range c.Classes {
		if !slices.Contains(known, class) {
			problems = append(problems, fmt.Errorf("classes: unknown class %q (%s)", class, strings.Join(known, ", ")))
		}
	}
	return rules, errors.Join(problems...)
}

func programOf(command []string) string {
	if len(command) == 0 {
		return ""
	}
	return command[0]
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}
