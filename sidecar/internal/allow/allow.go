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

// Check says why a declared model may not run, nil where it may. It looks at
// words alone: that a file lies below the directory also when links are followed
// is for Resolve, when the file is there.
func (r Rules) Check(m wire.Model) *wire.Failure {
	refuse := func(what, value, key string) *wire.Failure {
		f := wire.NewFailure(wire.CodeNotAllowed, fmt.Sprintf("slot %s: %s %q is not allowed here; the sidecar's configuration can allow it under %s", m.Slot, what, value, key))
		return &f
	}
	if !matchesAny(r.Engines, m.Engine) {
		return refuse("engine", m.Engine, "allow.engines")
	}
	if m.Model != "" && !matchesAny(r.Models, m.Model) && !r.below(m.Model) {
		return refuse("model", m.Model, "allow.models")
	}
	for _, a := range m.Args {
		flag, _, _ := strings.Cut(a, "=")
		if strings.HasPrefix(flag, "-") && !matchesAny(r.Args, flag) {
			return refuse("flag", flag, "allow.args")
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
