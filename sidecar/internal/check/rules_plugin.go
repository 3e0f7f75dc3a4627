package check

import (
	"net/url"
	"path"
	"strings"

	"github.com/hal0-dev/hal0/plugin/wire"
)

// pluginConfig says what New would say.
func pluginConfig(s *setup) []Finding {
	var out []Finding
	for _, i := range s.instances {
		if i.err != nil {
			out = append(out, failure(i.config.at, "bad-value", "Traefik cannot decode this: %s", flat(i.err.Error())))
		}
		for _, problem := range i.problems {
			if strings.HasPrefix(strings.ToLower(problem), "token: ") {
				continue // a secret has a rule of its own
			}
			out = append(out, pluginProblem(i.config, problem))
		}
	}
	return out
}

// pluginProblem is a finding for what the plugin says of a configuration at a
// node.
func pluginProblem(config *node, problem string) Finding {
	key, what, _ := strings.Cut(problem, ": ")
	n := config.deepest(key)
	at := n.at
	if n == config || !strings.HasSuffix(strings.ToLower(at.Key), strings.ToLower("."+key)) {
		at.Key = config.at.Key + "." + key
	}
	return failure(at, pluginRule(what), "%s", what)
}

// pluginRule classes what the plugin says.
func pluginRule(what string) string {
	switch {
	case strings.HasPrefix(what, "unknown key"):
		return "unknown-key"
	case strings.Contains(what, "is taken by"), strings.HasSuffix(what, "comes twice"):
		return "duplicate"
	case strings.HasPrefix(what, "is missing"), strings.HasPrefix(what, "none is declared"):
		return "missing-key"
	}
	return "bad-value"
}

// flat makes one line of a decoder's list.
func flat(text string) string {
	return strings.Join(strings.Fields(strings.ReplaceAll(text, "\n\n* ", " ")), " ")
}

// engines: those that are built in, and those of the sidecar's own file.
func engines(s *setup) []Finding {
	known := []string{"demo", "llama.cpp"}
	known = append(known, sortedKeys(s.engines)...)
	var out []Finding
	for _, i := range s.instances {
		if i.decoded == nil {
			continue
		}
		for _, slot := range sortedKeys(i.decoded.Models) {
			engine := strings.TrimSpace(i.decoded.Models[slot].Engine)
			if engine == "" || contains(known, engine) {
				continue
			}
			at := i.config.deepest("models." + slot + ".engine").at
			near := nearest(strings.ReplaceAll(engine, "-", "."), known)
			switch {
			case near != "":
				out = append(out, failure(at, "unknown-engine", "there is no engine %q, did you mean %s?", engine, near))
			case s.engines != nil:
				out = append(out, failure(at, "unknown-engine", "there is no engine %q; there are %s", engine, strings.Join(known, ", ")))
			default:
				out = append(out, warning(at, "unknown-engine", "%q is not built in (%s); the sidecar's file must define it below engines", engine, strings.Join(known, ", ")))
			}
		}
	}
	return out
}

func contains(list []string, item string) bool {
	for _, l := range list {
		if l == item {
			return true
		}
	}
	return false
}

// slotConflicts: a slot is named once per box, unless what it says is the same.
func slotConflicts(s *setup) []Finding {
	type claim struct {
		by    *instance
		model wire.Model
	}
	first := map[string]claim{} // by sidecar and slot
	var out []Finding
	for _, i := range s.instances {
		for _, m := range i.route.Models {
			key := strings.TrimSpace(i.decoded.Sidecar) + "\x00" + m.Slot
			other, taken := first[key]
			if !taken {
				first[key] = claim{i, m}
				continue
			}
			if other.model.Fingerprint() != m.Fingerprint() {
				out = append(out, failure(i.config.deepest("models."+m.Slot).at, "slot-conflict",
					"%s declares slot %s in another way; the sidecar would answer slot.conflict: rename one, or make them equal", other.by.qualified(), m.Slot))
			}
		}
	}
	return out
}

// sidecarAddress: without it nothing is declared, and a name that no service has
// leads nowhere.
func sidecarAddress(s *setup) []Finding {
	var out []Finding
	for _, i := range s.instances {
		if i.decoded == nil {
			continue
		}
		if strings.TrimSpace(i.decoded.Sidecar) == "" {
			out = append(out, warning(i.config.at, "no-sidecar", "sidecar is missing, so this route is declared by its first request only: add sidecar, such as http://sidecar:8091"))
			continue
		}
		out = append(out, s.unknownHost(i.config.deepest("sidecar"), i.decoded.Sidecar)...)
	}
	for _, p := range s.parts("http", "services") {
		if p.container == nil || !s.leadsToSidecar(p) {
			continue
		}
		p.child("loadBalancer").walk(func(n *node) {
			if strings.EqualFold(n.name, "url") {
				out = append(out, s.unknownHost(n, n.text())...)
			}
		})
	}
	return out
}

// leadsToSidecar says whether a router with our middleware leads to a service.
func (s *setup) leadsToSidecar(p *part) bool {
	for _, r := range s.routers {
		if to := s.service(r); r.ours >= 0 && to != nil && to.node == p.node {
			return true
		}
	}
	return false
}

// unknownHost goes by near misses only: a name may be known elsewhere.
func (s *setup) unknownHost(n *node, address string) []Finding {
	u, err := url.Parse(strings.TrimSpace(address))
	if err != nil || u.Hostname() == "" || strings.Contains(u.Hostname(), ".") || strings.Contains(u.Hostname(), ":") {
		return nil
	}
	var known []string
	for _, c := range s.containers {
		known = append(known, c.hosts...)
	}
	if contains(known, u.Hostname()) {
		return nil
	}
	if near := nearest(u.Hostname(), known); near != "" && edits(near, u.Hostname()) <= 2 {
		return []Finding{failure(n.at, "unknown-host", "there is no service %q, did you mean %s?", u.Hostname(), near)}
	}
	return nil
}

// tokenFile must be on something that the sidecar shares with Traefik.
func tokenFile(s *setup) []Finding {
	var out []Finding
	for _, i := range s.instances {
		if i.decoded == nil {
			continue
		}
		file := strings.TrimSpace(i.decoded.TokenFile)
		for _, c := range s.containers {
			if !path.IsAbs(file) || repository(c.image) != "traefik" || c.mounted(file) {
				continue
			}
			at := i.config.at
			if n := i.config.child("tokenFile"); n != nil {
				at = n.at
			}
			out = append(out, failure(at, "token-file", "service %s mounts nothing at %s: share the sidecar's token folder with it", c.name, path.Dir(file)))
		}
	}
	return out
}
