package check

import (
	"strings"
)

// labelKeys: Traefik passes over labels that it does not know.
func labelKeys(s *setup) []Finding {
	var out []Finding
	for _, c := range s.containers {
		spelling := map[string]string{} // lower-case ─► as written
		for _, key := range sortedKeys(c.labels) {
			at := c.places[strings.ToLower(key)]
			at.Key = key
			if what := mistaken(key); what != "" {
				out = append(out, failure(at, "unknown-label", "%s", what))
			}
			low := strings.ToLower(key)
			if other, twice := spelling[low]; twice && strings.HasPrefix(low, "traefik.") {
				out = append(out, failure(at, "duplicate", "this is %s in other letters; Traefik keeps one of them", other))
			}
			spelling[low] = key
		}
	}
	return out
}

// mistaken says what is wrong with the beginning of a label, "" = nothing.
func mistaken(key string) string {
	parts := strings.Split(key, ".")
	if len(parts) < 2 {
		return ""
	}
	if !strings.EqualFold(parts[0], "traefik") {
		if near := nearest(parts[0], []string{"traefik"}); near != "" && edits(strings.ToLower(parts[0]), near) <= 2 && contains([]string{"http", "tcp", "enable"}, strings.ToLower(parts[1])) {
			return "Traefik reads labels that begin with traefik, not " + parts[0]
		}
		return ""
	}
	if parts[0] != "traefik" && len(parts) > 2 {
		return "Traefik refuses this container's labels: write traefik in lower case"
	}
	levels := [][]string{{"http", "tcp", "udp", "tls", "enable", "docker", "swarm", "constraint-label", "tags", "nomad", "consulcatalog", "ecs"}}
	switch strings.ToLower(parts[1]) {
	case "http":
		levels = append(levels, []string{"routers", "services", "middlewares"})
	case "tcp":
		levels = append(levels, []string{"routers", "services", "middlewares"})
	case "udp":
		levels = append(levels, []string{"routers", "services"})
	}
	for i, known := range levels {
		if i+1 >= len(parts) || contains(known, strings.ToLower(parts[i+1])) {
			continue
		}
		if near := nearest(parts[i+1], known); near != "" {
			known, effect := strings.Join(parts[:i+1], "."), "it passes over this label"
			if i > 0 {
				effect = "it would ignore all labels of this service"
			}
			return "Traefik knows no " + known + "." + parts[i+1] + ", did you mean " + known + "." + near + "? As it is, " + effect
		}
	}
	return ""
}

// labelContainers: a container that is not running, or not healthy, has no routes;
// and one that is not enabled has none at all.
func labelContainers(s *setup) []Finding {
	var out []Finding
	inFile := false // Traefik itself
	for _, c := range s.containers {
		inFile = inFile || repository(c.image) == "traefik"
	}
	seen := map[*container]bool{}
	note := func(p *part) {
		c := p.container
		if c == nil || seen[c] {
			return
		}
		seen[c] = true
		out = append(out, s.enabled(c, p)...)
		if c.isTraefik() {
			return
		}
		if inFile {
			out = append(out, failure(p.at, "label-container",
				"Traefik drops this route (404) whenever %s restarts or is not healthy: move the hal0 labels to Traefik's own service, with loadbalancer.server.url", c.name))
			return
		}
		out = append(out, warning(p.at, "label-container",
			"Traefik drops this route (404) whenever %s restarts or is not healthy: the labels are better on Traefik's own service, or in a file", c.name))
	}
	for _, r := range s.routers {
		if r.ours >= 0 {
			note(r.part)
		}
	}
	for _, i := range s.instances {
		note(i.part)
	}
	return out
}

// enabled looks at traefik.enable and exposedByDefault.
func (s *setup) enabled(c *container, p *part) []Finding {
	for key, value := range c.labels {
		if !strings.EqualFold(key, "traefik.enable") {
			continue
		}
		if strings.EqualFold(value, "false") {
			at := c.places[strings.ToLower(key)]
			at.Key = key
			return []Finding{failure(at, "not-enabled", "Traefik reads no label of %s: set traefik.enable to true", c.name)}
		}
		return nil
	}
	exposed := s.setting("providers", "docker", "exposedByDefault")
	if exposed != nil && !exposed.on() {
		return []Finding{failure(p.at, "not-enabled", "exposedByDefault is false, so Traefik reads no label of %s: add traefik.enable=true", c.name)}
	}
	return nil
}
