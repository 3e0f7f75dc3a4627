package check

import (
	"regexp"
	"strings"

	"github.com/hal0-dev/hal0/plugin"
	"github.com/hal0-dev/hal0/plugin/decode"
	"github.com/hal0-dev/hal0/sidecar/internal/allow"
	"github.com/hal0-dev/hal0/sidecar/internal/config"
)

// sidecar is the sidecar's own file, as the sidecar would load it.
type sidecar struct {
	*document
	config *config.Config
	err    error
}

// sidecarConfig says what the sidecar would say at its start, and what the
// plugin would of its own route.
func sidecarConfig(s *setup) []Finding {
	var out []Finding
	for _, own := range s.sidecars {
		for _, problem := range split(own.err) {
			key, what, _ := strings.Cut(problem, ": ")
			n := own.root.deepest(key)
			if m := noSuchField.FindStringSubmatch(problem); m != nil {
				n, what = own.root.named(m[1]), "there is no such key"
			} else if n == own.root {
				what = problem
			}
			at := n.at
			if at.Key == "" && n != own.root {
				at.Key = key
			}
			out = append(out, failure(at, "sidecar-config", "%s", flat(what)))
		}
		if route := own.root.child("route"); route != nil && own.err == nil {
			out = append(out, ownRoute(route, own.config.Route)...)
		}
	}
	return out
}

// noSuchField is how paerser says it.
var noSuchField = regexp.MustCompile(`field not found, node: (\S+)$`)

func ownRoute(n *node, raw map[string]any) []Finding {
	decoded, err := decode.Config(raw)
	if err != nil {
		return []Finding{failure(n.at, "bad-value", "the sidecar cannot decode this: %s", flat(err.Error()))}
	}
	var out []Finding
	for _, problem := range plugin.Problems(decoded) {
		out = append(out, pluginProblem(n, problem))
	}
	return out
}

// split takes joined errors apart, without what says where they came from.
func split(err error) []string {
	if err == nil {
		return nil
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var out []string
		for _, e := range joined.Unwrap() {
			out = append(out, split(e)...)
		}
		return out
	}
	text := err.Error()
	if rest, ok := strings.CutPrefix(text, "read configuration "); ok {
		_, text, _ = strings.Cut(rest, ": ")
	}
	return []string{text}
}

// notAllowed: what a route declares, held against what the sidecar's file allows.
func notAllowed(s *setup) []Finding {
	var out []Finding
	for _, own := range s.sidecars {
		if own.err != nil {
			continue
		}
		rules := allow.Of(own.config)
		for _, i := range s.instances {
			for _, m := range i.route.Models {
				if m.Node != "" || !contains([]string{"demo", "llama.cpp"}, m.Engine) && !s.engines[m.Engine] {
					continue // another box's, or no engine at all
				}
				if f := rules.Check(m); f != nil {
					out = append(out, failure(i.config.deepest("models."+m.Slot).at, "not-allowed", "%s", f.Why()))
				}
			}
		}
	}
	return out
}
