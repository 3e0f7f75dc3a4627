package check

import (
	"strconv"
	"strings"
)

// router is a part with what its rule says.
type router struct {
	*part
	rule     *expr // nil = none, or one that cannot be read
	priority int
	chain    []link
	ours     int // index of our middleware in the chain, -1 = none
	points   []string
}

// link is one middleware of a router's chain, chains unfolded and those of its
// entry points first.
type link struct {
	reference string
	part      *part // nil = not defined in what was given
	kinds     []*node
	at        Place
}

func (l link) kind(name string) *node {
	for _, k := range l.kinds {
		if strings.EqualFold(k.name, name) {
			return k
		}
	}
	return nil
}

// routers of http, with their chains.
func (s *setup) findRouters() []*router {
	middlewares := s.parts("http", "middlewares")
	var out []*router
	for _, p := range s.parts("http", "routers") {
		r := &router{part: p, ours: -1, points: s.entryPointsOf(p)}
		text := p.child("rule").text()
		if syntax := p.child("ruleSyntax").text(); text != "" && !strings.EqualFold(syntax, "v2") && !s.oldSyntax() {
			if e, err := parseRule(text, httpMatchers()); err == nil {
				r.rule = e
			}
		}
		r.priority = len(p.child("rule").text())
		if n, err := strconv.Atoi(p.child("priority").text()); err == nil && n != 0 {
			r.priority = n
		}
		points := s.entryPoints()
		for _, name := range r.points {
			list := points[strings.ToLower(name)].child("http", "middlewares")
			r.chain = unfold(r.chain, middlewares, list, byFile, 0)
		}
		r.chain = unfold(r.chain, middlewares, p.child("middlewares"), p.provider, 0)
		for i, l := range r.chain {
			for _, in := range s.instances {
				if l.part != nil && l.part.node == in.node && r.ours < 0 {
					r.ours = i
				}
			}
		}
		out = append(out, r)
	}
	return out
}

// oldSyntax says that rules are in v2 unless they say otherwise.
func (s *setup) oldSyntax() bool {
	return strings.EqualFold(s.setting("core", "defaultRuleSyntax").text(), "v2")
}

const deepestChain = 8

func unfold(chain []link, middlewares []*part, list *node, from provider, depth int) []link {
	if list == nil || depth > deepestChain {
		return chain
	}
	for _, reference := range list.list() {
		l := link{reference: reference, part: lookup(middlewares, reference, from), at: list.at}
		if l.part == nil {
			chain = append(chain, l)
			continue
		}
		if inner := l.part.child("chain", "middlewares"); inner != nil {
			chain = unfold(chain, middlewares, inner, l.part.provider, depth+1)
			continue
		}
		l.kinds = l.part.children
		chain = append(chain, l)
	}
	return chain
}

// service is the part that a router leads to, or nil. A container's only service
// is its routers' without being named.
func (s *setup) service(r *router) *part {
	services := s.parts("http", "services")
	if name := r.child("service").text(); name != "" {
		return lookup(services, name, r.provider)
	}
	var own []*part
	for _, p := range services {
		if r.container != nil && p.container == r.container {
			own = append(own, p)
		}
	}
	if len(own) == 1 {
		return own[0]
	}
	return nil
}

// redirects says that a request never gets to the service.
func (r *router) redirects() bool {
	for _, l := range r.chain {
		if l.kind("redirectScheme") != nil || l.kind("redirectRegex") != nil {
			return true
		}
	}
	return false
}

// moved says that a middleware from the first to before the last changes the
// path.
func (r *router) moved(first, last int) (link, bool) {
	for _, l := range r.chain[first:last] {
		for _, kind := range []string{"stripPrefix", "stripPrefixRegex", "replacePath", "replacePathRegex", "addPrefix"} {
			if l.kind(kind) != nil {
				return l, true
			}
		}
	}
	return link{}, false
}

// share says whether two routers listen on a common entry point. Not knowing any
// counts as common.
func share(a, b *router) bool {
	if len(a.points) == 0 || len(b.points) == 0 {
		return true
	}
	for _, x := range a.points {
		for _, y := range b.points {
			if strings.EqualFold(x, y) {
				return true
			}
		}
	}
	return false
}
