package check

import (
	"sort"
	"strings"
)

// ruleSyntax: a router whose rule cannot be read answers nothing.
func ruleSyntax(s *setup) []Finding {
	var out []Finding
	for _, protocol := range []string{"http", "tcp"} {
		for _, p := range s.parts(protocol, "routers") {
			rule := p.child("rule")
			if rule == nil {
				if p.provider == byFile && len(p.child("parentRefs").list()) == 0 {
					out = append(out, failure(p.at, "router-rule", "rule is missing"))
				}
				continue
			}
			if strings.EqualFold(p.child("ruleSyntax").text(), "v2") || s.oldSyntax() {
				continue
			}
			matchers := httpMatchers()
			if protocol == "tcp" {
				matchers = tcpMatchers()
			}
			if _, err := parseRule(rule.text(), matchers); err != nil {
				out = append(out, failure(rule.at, "router-rule", "Traefik cannot read this rule: %s", flat(err.Error())))
			}
		}
	}
	return out
}

// routerKeys: an unknown key of a router makes Traefik refuse all labels of the
// container, or the whole file.
func routerKeys(s *setup) []Finding {
	fields := map[string][]string{
		"http": {"entryPoints", "middlewares", "service", "rule", "parentRefs", "ruleSyntax", "priority", "tls", "observability"},
		"tcp":  {"entryPoints", "middlewares", "service", "rule", "ruleSyntax", "priority", "tls"},
	}
	var out []Finding
	for _, protocol := range sortedKeys(fields) {
		for _, p := range s.parts(protocol, "routers") {
			for _, n := range p.children {
				if contains(lower(fields[protocol]), strings.ToLower(n.name)) {
					continue
				}
				out = append(out, failure(n.at, "unknown-key", "a router has no key %s%s; Traefik would ignore %s", n.name,
					meant(nearest(n.name, fields[protocol])), whole(p)))
			}
		}
	}
	for _, p := range s.parts("http", "middlewares") {
		for _, n := range p.children {
			if near := nearest(n.name, middlewareKinds()); !contains(lower(middlewareKinds()), strings.ToLower(n.name)) && near != "" {
				out = append(out, failure(n.at, "unknown-key", "there is no middleware %s, did you mean %s? Traefik would ignore %s", n.name, near, whole(p)))
			}
		}
	}
	return out
}

func meant(near string) string {
	if near == "" {
		return ""
	}
	return " (did you mean " + near + "?)"
}

// whole is what Traefik drops when it meets a key that it does not know.
func whole(p *part) string {
	if p.container != nil {
		return "all labels of " + p.container.name
	}
	return "the whole file"
}

func lower(list []string) []string {
	out := make([]string, len(list))
	for i, l := range list {
		out[i] = strings.ToLower(l)
	}
	return out
}

func middlewareKinds() []string {
	return []string{"addPrefix", "stripPrefix", "stripPrefixRegex", "replacePath", "replacePathRegex", "chain", "ipWhiteList", "ipAllowList",
		"headers", "encodedCharacters", "errors", "rateLimit", "redirectRegex", "redirectScheme", "basicAuth", "digestAuth", "forwardAuth",
		"inFlightReq", "buffering", "circuitBreaker", "compress", "passTLSClientCert", "retry", "contentType", "grpcWeb", "plugin"}
}

// routerTargets: with several services on a container, its routers must name
// theirs.
func routerTargets(s *setup) []Finding {
	var out []Finding
	services := s.parts("http", "services")
	for _, r := range s.routers {
		if r.container == nil || r.child("service") != nil {
			continue
		}
		var own []string
		for _, p := range services {
			if p.container == r.container {
				own = append(own, p.name)
			}
		}
		if len(own) > 1 {
			out = append(out, failure(r.at, "router-service", "%s has several services (%s), so this router must name its own with %s.service",
				r.container.name, strings.Join(own, ", "), r.name))
		}
	}
	return out
}

// references to middlewares and services that are not there. What was not given
// cannot be known, so only near misses and wrong providers are reported, and what a
// router of ours lacks.
func references(s *setup) []Finding {
	var out []Finding
	middlewares, services := s.parts("http", "middlewares"), s.parts("http", "services")
	for _, r := range s.routers {
		for _, l := range r.chain {
			if l.part == nil {
				out = append(out, missing(l.at, "middleware", l.reference, r, middlewares)...)
			}
		}
		if n := r.child("service"); n != nil && lookup(services, n.text(), r.provider) == nil && !strings.HasSuffix(n.text(), "@internal") {
			out = append(out, missing(n.at, "service", n.text(), r, services)...)
		}
	}
	return out
}

func missing(at Place, what, reference string, r *router, known []*part) []Finding {
	name, suffix, _ := strings.Cut(reference, "@")
	var near []string
	for _, p := range known {
		if strings.EqualFold(p.name, name) {
			return []Finding{failure(at, "unknown-reference", "%s %s is not of this provider: write %s", what, reference, p.qualified())}
		}
		near = append(near, p.name)
	}
	if suffix != "" && suffix != "docker" && suffix != "file" {
		return nil
	}
	sort.Strings(near)
	if n := nearest(name, near); n != "" && edits(strings.ToLower(n), strings.ToLower(name)) <= 2 {
		return []Finding{failure(at, "unknown-reference", "there is no %s %s, did you mean %s?", what, reference, n)}
	}
	if r.ours >= 0 && suffix == "" && what == "middleware" {
		return []Finding{failure(at, "unknown-reference", "there is no %s %s in what was given: define it, or give its file too", what, reference)}
	}
	return nil
}

// duplicates: of two routers or middlewares of one name that differ, Traefik keeps
// none (labels), or the first (files).
func duplicates(s *setup) []Finding {
	var out []Finding
	for _, section := range []string{"routers", "middlewares"} {
		first := map[string]*part{}
		for _, p := range s.parts("http", section) {
			other, seen := first[p.qualified()]
			if !seen {
				first[p.qualified()] = p
				continue
			}
			if !equal(other.node, p.node) {
				kept := "keeps neither"
				if p.provider == byFile {
					kept = "keeps only one"
				}
				out = append(out, failure(p.at, "duplicate", "%s is defined in another way at %s:%d; Traefik %s", p.qualified(), other.at.File, other.at.Line, kept))
			}
		}
	}
	return out
}

// equal compares values, without regard to places and the order of keys.
func equal(a, b *node) bool {
	if a.text() != b.text() || len(a.children) != len(b.children) || len(a.items) != len(b.items) {
		return false
	}
	for _, c := range a.children {
		other := b.child(c.name)
		if other == nil || !equal(c, other) {
			return false
		}
	}
	for i := range a.items {
		if !equal(a.items[i], b.items[i]) {
			return false
		}
	}
	return true
}
