package check

import "strings"

// provider of what Traefik reads. The zero value is invalid.
type provider uint8

const (
	byLabels provider = iota + 1
	byFile
)

// suffix is how names of the provider are qualified.
func (p provider) suffix() string {
	if p == byLabels {
		return "docker"
	}
	return "file"
}

// part is a router, a middleware, a service or a transport: a named node of a
// dynamic configuration.
type part struct {
	*node
	provider  provider
	container *container // whose labels say it; nil for files
}

func (p *part) qualified() string { return p.name + "@" + p.provider.suffix() }

// source is one dynamic configuration: a container's labels, or a file.
type source struct {
	provider  provider
	container *container
	root      *node
	labels    map[string]string // of a container
	document  *document         // of a file
}

// static is one static configuration. Traefik takes one only: a file, or else
// flags, or else variables.
type static struct {
	root      *node
	container *container // nil for a file that was given by itself
}

// setup is everything that was given, as one Traefik would see it.
type setup struct {
	documents  []*document
	sources    []*source
	statics    []*static
	containers []*container

	// complete says that the static configuration is known: Traefik's container
	// and all that it reads, or a static file.
	complete bool
	sidecars []*sidecar
	// engines that the sidecar's own file adds; nil = no such file was given.
	engines map[string]bool

	found []Finding // what reading brought up

	// What follows from the rest, by resolve.
	instances []*instance
	routers   []*router
}

// resolve is called once, when everything has been read.
func (s *setup) resolve() {
	s.instances = s.findInstances()
	s.routers = s.findRouters()
}

// parts lists what is in a section ("routers") of http, or another protocol.
func (s *setup) parts(protocol, section string) []*part {
	var out []*part
	for _, src := range s.sources {
		for _, n := range src.root.child(protocol, section).all() {
			out = append(out, &part{node: n, provider: src.provider, container: src.container})
		}
	}
	return out
}

// lookup finds a part by a reference, which means the provider of the one who
// refers unless it is qualified.
func lookup(parts []*part, reference string, from provider) *part {
	name, suffix, qualified := strings.Cut(reference, "@")
	if !qualified {
		suffix = from.suffix()
	}
	for _, p := range parts {
		if strings.EqualFold(p.name, name) && p.provider.suffix() == suffix {
			return p
		}
	}
	return nil
}

// setting is the first node at a path of the static configurations, or nil.
func (s *setup) setting(path ...string) *node {
	for _, st := range s.statics {
		if n := st.root.child(path...); n != nil {
			return n
		}
	}
	return nil
}

// entryPoints are all that are known, by lower-case name.
func (s *setup) entryPoints() map[string]*node {
	out := map[string]*node{}
	for _, st := range s.statics {
		for _, n := range st.root.child("entryPoints").all() {
			out[strings.ToLower(n.name)] = n
		}
	}
	return out
}

// entryPointsOf are the names of those that a router listens on: its own, else
// the default ones.
func (s *setup) entryPointsOf(router *part) []string {
	if own := router.child("entryPoints").list(); len(own) > 0 {
		return own
	}
	var all, chosen []string
	points := s.entryPoints()
	for _, name := range sortedKeys(points) {
		if name == "traefik" {
			continue
		}
		all = append(all, name)
		if d := points[name].child("asDefault"); d != nil && d.on() {
			chosen = append(chosen, name)
		}
	}
	if len(chosen) > 0 {
		return chosen
	}
	return all
}
