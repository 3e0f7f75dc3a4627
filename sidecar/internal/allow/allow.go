// Package allow decides what a route declared from outside may make this box
// run. Labels are written by whoever may edit a compose file; what runs here is
// the business of the sidecar's own file.
package allow

import (
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/hal0-dev/hal0/plugin/wire"
)

// Rules are the patterns of the configuration's allow section. In a pattern, *
// stands for any characters, a slash too.
type Rules struct {
	Dir     string   // of model files; those below it are always allowed
	Models  []string // patterns
	Engines []string // patterns
	Args    []string // patterns of flags, without their values
}

// Refusal is why a declared model may not run.
type Refusal struct {
	Slot  string
	What  string // engine, model or flag
	Value string // as declared
	Key   string // of the configuration, that can allow it
}

// Why is for the operator.
func (r Refusal) Why() string {
	return fmt.Sprintf("slot %s: %s %q is not allowed here; the sidecar's configuration can allow it under %s", r.Slot, r.What, r.Value, r.Key)
}

// Failure is for clients, who need not know what is declared.
func (r Refusal) Failure() wire.Failure {
	f := wire.NewFailure(wire.CodeNotAllowed, fmt.Sprintf("the %s that slot %s declares is not allowed on this box; the sidecar's log says more", r.What, r.Slot))
	f.Details.Slot = r.Slot
	return f
}

// Check says why a declared model may not run, nil where it may. It looks at
// words alone: that a file lies below the directory also when links are followed
// is for Resolve, when the file is there.
func (r Rules) Check(m wire.Model) *Refusal {
	if !matchesAny(r.Engines, m.Engine) {
		return &Refusal{m.Slot, "engine", m.Engine, "allow.engines"}
	}
	if m.Model != "" && !matchesAny(r.Models, m.Model) && !r.below(m.Model) {
		return &Refusal{m.Slot, "model", m.Model, "allow.models"}
	}
	for _, a := range m.Args {
		flag, _, _ := strings.Cut(a, "=")
		if strings.HasPrefix(flag, "-") && !matchesAny(r.Args, flag) {
			return &Refusal{m.Slot, "flag", flag, "allow.args"}
		}
	}
	return nil
}

// below reports whether a name is a file below the models directory, by its
// words.
func (r Rules) below(name string) bool {
	if strings.Contains(name, "://") || strings.HasPrefix(name, "hf:") {
		return false
	}
	if !filepath.IsAbs(name) {
		return filepath.IsLocal(name)
	}
	rel, err := filepath.Rel(r.Dir, name)
	return err == nil && filepath.IsLocal(rel)
}

// ErrOutside is a file that lies outside the models directory once its links are
// followed.
var ErrOutside = errors.New("the file lies outside the models directory")

// Resolve finds the file that a model's name means, with links followed. A file
// outside the models directory is ErrOutside, unless a pattern names it or the
// route is the sidecar's own.
func (r Rules) Resolve(name string, own bool) (string, error) {
	path := name
	if !filepath.IsAbs(path) {
		path = filepath.Join(r.Dir, path)
	}
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return "", fmt.Errorf("find model: %w", err)
	}
	if own || matchesAny(r.Models, name) {
		return real, nil
	}
	dir, err := filepath.EvalSymlinks(r.Dir)
	if err != nil {
		return "", fmt.Errorf("find models directory: %w", err)
	}
	if rel, err := filepath.Rel(dir, real); err != nil || !filepath.IsLocal(rel) {
		return "", fmt.Errorf("find model %s: %w", name, ErrOutside)
	}
	return real, nil
}

func matchesAny(patterns []string, s string) bool {
	for _, p := range patterns {
		if matches(p, s) {
			return true
		}
	}
	return false
}

func matches(pattern, s string) bool {
	quoted := strings.ReplaceAll(regexp.QuoteMeta(pattern), `\*`, `.*`)
	return regexp.MustCompile(`(?s)^` + quoted + `$`).MatchString(s)
}
