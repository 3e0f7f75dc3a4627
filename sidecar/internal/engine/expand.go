package engine

import (
	"fmt"
	"slices"
	"strings"
)

// Placeholders returns the names that a command template may use, in braces.
// model is the file that the sidecar has fetched and checked; name is what the
// model declares, for an engine that fetches by itself.
func Placeholders() []string {
	return []string{"args", "context", "device", "host", "key", "model", "name", "parallel", "port", "slot", "threads", "total_context"}
}

// values are the placeholders' values for one plan; "" = the plan says nothing.
func (p Plan) values() map[string]string {
	positive := func(n int64) string {
		if n <= 0 {
			return ""
		}
		return decimal(n)
	}
	return map[string]string{
		"model":         p.Path,
		"name":          strings.TrimPrefix(p.Model.Model, "hf:"),
		"slot":          p.Model.Slot,
		"host":          p.Host,
		"port":          decimal(int64(p.Port)),
		"key":           p.Key,
		"context":       positive(p.Model.Context),
		"total_context": positive(p.Model.Context * p.Parallel()),
		"parallel":      decimal(p.Parallel()),
		"threads":       positive(int64(p.Threads)),
		"device":        strings.Join(p.Place.IDs, ","),
	}
}

// expandArgs fills a command's arguments in. {args} alone becomes what the model
// declares. An argument whose placeholder has no value is dropped, so that
// --max-model-len={context} vanishes where no context is declared.
func expandArgs(args []string, p Plan) ([]string, error) {
	var out []string
	for _, a := range args {
		if a == "{args}" {
			out = append(out, p.Model.Args...)
			continue
		}
		s, empty, err := expand(a, p.values())
		if err != nil {
			return nil, err
		}
		if !empty {
			out = append(out, s)
		}
	}
	return out, nil
}

// expand fills in one template. {{ and }} stand for braces. empty says that a
// placeholder had no value.
func expand(s string, values map[string]string) (out string, empty bool, err error) {
	var b strings.Builder
	for len(s) > 0 {
		i := strings.IndexAny(s, "{}")
		if i < 0 {
			b.WriteString(s)
			break
		}
		b.WriteString(s[:i])
		s = s[i:]
		if len(s) > 1 && s[1] == s[0] {
			b.WriteByte(s[0])
			s = s[2:]
			continue
		}
		name, rest, closed := strings.Cut(s[1:], "}")
		if s[0] == '}' || !closed {
			return "", false, fmt.Errorf("a brace stands alone in %q; a literal one is written twice", s)
		}
		v, ok := values[name]
		if !ok {
			return "", false, unknownPlaceholder(name)
		}
		empty = empty || v == ""
		b.WriteString(v)
		s = rest
	}
	return b.String(), empty, nil
}

func unknownPlaceholder(name string) error {
	if name == "args" {
		return fmt.Errorf("{args} must be an argument of its own")
	}
	return fmt.Errorf("unknown placeholder {%s}; there are {%s}", name, strings.Join(Placeholders(), "} {"))
}

// uses reports whether any of the templates has the placeholder.
func uses(name string, templates []string) bool {
	return slices.ContainsFunc(templates, func(t string) bool { return strings.Contains(t, "{"+name+"}") })
}
