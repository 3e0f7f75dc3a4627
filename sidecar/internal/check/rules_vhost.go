package check

import (
	"strings"

	"github.com/hal0-dev/hal0/plugin/wire"
)

// vhosts: requests for the API that do not meet the plugin.
func vhosts(s *setup) []Finding {
	var out []Finding
	var ours, others []*router
	known := true // every rule of ours can be read
	for _, r := range s.routers {
		known = known && (r.ours < 0 || r.rule != nil)
		switch {
		case r.rule == nil || len(r.child("parentRefs").list()) > 0:
		case r.ours >= 0:
			ours = append(ours, r)
		case !r.redirects():
			others = append(others, r)
		}
	}
	for _, r := range ours {
		if _, moved := r.moved(0, r.ours); !moved && !answers(r) {
			out = append(out, warning(r.child("rule").at, "vhost", "no path of the API matches this rule: it should have PathPrefix(`/v1/`)"))
		}
	}
	for _, other := range others {
		if f := shadows(other, ours); f != nil {
			out = append(out, f...)
		} else if known {
			out = append(out, s.around(other, ours)...)
		}
	}
	return out
}

// answers says whether a router may get any request of the API.
func answers(r *router) bool {
	for _, host := range hostsOf(r) {
		for _, e := range wire.Endpoints() {
			if r.rule.matches(sample{host, e.Path, e.Method}) != no {
				return true
			}
		}
	}
	return false
}

func hostsOf(r *router) []string {
	if hosts := r.rule.hosts(); len(hosts) > 0 {
		return hosts
	}
	return []string{anyHost}
}

const anyHost = "some.host.invalid"

func chat(host string) sample { return sample{host, "/v1/chat/completions", "POST"} }

// shadows: a router without the plugin takes the requests of one that has it.
func shadows(other *router, ours []*router) []Finding {
	for _, r := range ours {
		for _, host := range hostsOf(r) {
			if share(other, r) && other.priority > r.priority && other.rule.matches(chat(host)) == yes && r.rule.matches(chat(host)) == yes {
				return []Finding{failure(other.child("rule").at, "router-without-middleware",
					"this takes /v1 of %s away from router %s, and has no hal0 middleware: add it, or set a priority below %d", host, r.name, r.priority)}
			}
		}
	}
	return nil
}

// around: a router without the plugin leads to the service of one that has it. A
// fallback, of the same rule or less, is meant to.
func (s *setup) around(other *router, ours []*router) []Finding {
	to := s.service(other)
	if to == nil || !s.leadsToSidecar(to) {
		return nil
	}
	for _, r := range ours {
		if r.child("rule").text() == other.child("rule").text() && other.priority < r.priority {
			return nil
		}
	}
	for _, host := range hostsOf(other) {
		if other.rule.matches(chat(host)) != yes {
			continue
		}
		covered := false
		for _, r := range ours {
			covered = covered || coversPoints(r, other) && r.priority > other.priority && r.rule.matches(chat(host)) != no
		}
		if !covered {
			return []Finding{failure(other.child("rule").at, "router-without-middleware",
				"requests for %s get to %s without hal0: add the middleware to this router", strings.Replace(host, anyHost, "any host", 1), to.name)}
		}
	}
	return nil
}

// coversPoints says whether a router listens wherever another one does.
func coversPoints(r, other *router) bool {
	if len(r.points) == 0 {
		return true
	}
	for _, p := range other.points {
		if !contains(lower(r.points), strings.ToLower(p)) {
			return false
		}
	}
	return true
}
