package check

import (
	"strconv"
	"time"
)

// chainOrder: what must not stand before, or after, the plugin.
func chainOrder(s *setup) []Finding {
	var out []Finding
	for _, r := range s.routers {
		if r.ours < 0 {
			continue
		}
		chain := r.chain
		if to := s.service(r); to != nil { // a service's own come last
			chain = unfold(chain[:len(chain):len(chain)], s.parts("http", "middlewares"), to.child("middlewares"), to.provider, 0)
		}
		for i, l := range chain {
			out = append(out, misplaced(l, i < r.ours)...)
			if i > r.ours && l.part != nil && s.instanceOf(l.part) {
				out = append(out, failure(l.at, "chain-order", "the plugin is in this chain twice (%s)", l.reference))
			}
		}
		inside := &router{part: r.part, chain: chain}
		if l, moved := inside.moved(r.ours+1, len(chain)); moved {
			out = append(out, failure(l.at, "chain-order", "%s changes the path after hal0 has signed it, so the sidecar would refuse it (route.untrusted): put it before hal0", l.reference))
		}
	}
	return out
}

func (s *setup) instanceOf(p *part) bool {
	for _, i := range s.instances {
		if i.node == p.node {
			return true
		}
	}
	return false
}

func misplaced(l link, before bool) []Finding {
	var out []Finding
	if l.kind("buffering") != nil {
		out = append(out, failure(l.at, "buffering", "%s keeps answers until they are whole, so nothing streams: take it out", l.reference))
	}
	if n := l.kind("compress"); n != nil {
		switch {
		case !before:
			out = append(out, failure(l.at, "compress", "%s compresses between hal0 and the sidecar, which breaks streams: take it out, or put it before hal0 with excludedContentTypes: text/event-stream", l.reference))
		case !sparesStreams(n):
			out = append(out, failure(l.at, "compress", "%s holds back a stream's headers and first events: set its excludedContentTypes to text/event-stream", l.reference))
		}
	}
	if n := l.kind("retry"); n != nil {
		out = append(out, retryProblems(l, n, before)...)
	}
	return out
}

func sparesStreams(compress *node) bool {
	if included := lower(compress.child("includedContentTypes").list()); len(included) > 0 {
		return !contains(included, "text/event-stream")
	}
	return contains(lower(compress.child("excludedContentTypes").list()), "text/event-stream")
}

func retryProblems(l link, n *node, before bool) []Finding {
	if before {
		return []Finding{failure(l.at, "chain-order", "%s stands before hal0, where a second try has lost the request's body: put it after hal0", l.reference)}
	}
	if status := n.child("status"); status != nil {
		return []Finding{failure(status.at, "retry", "with status, whole answers of the sidecar are asked for again: remove it")}
	}
	if off := n.child("disableRetryOnNetworkError"); off != nil && off.on() {
		return []Finding{failure(off.at, "retry", "this stops the retry that bridges a restart of the sidecar: remove it")}
	}
	attempts, err := strconv.Atoi(n.child("attempts").text())
	if err != nil || attempts <= 0 {
		return []Finding{failure(n.at, "retry", "attempts is missing, so Traefik refuses this middleware: set it to 40")}
	}
	interval := n.child("initialInterval")
	if interval == nil {
		return []Finding{warning(n.at, "retry", "without initialInterval all tries are over at once: set it to 250ms")}
	}
	if d, ok := duration(interval.text()); ok && time.Duration(attempts)*d < 3*time.Second {
		return []Finding{warning(n.at, "retry", "%d tries from %s on do not bridge a restart of the sidecar: set attempts to 40 and initialInterval to 250ms", attempts, d)}
	}
	return nil
}

// duration reads Traefik's: a number without a unit is in seconds.
func duration(text string) (time.Duration, bool) {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return time.Duration(n) * time.Second, true
	}
	d, err := time.ParseDuration(text)
	return d, err == nil
}

// retryMissing: without it a restart of the sidecar is seen by clients.
func retryMissing(s *setup) []Finding {
	var out []Finding
	for _, r := range s.routers {
		if r.ours < 0 {
			continue
		}
		found := false
		for _, l := range r.chain {
			found = found || l.part == nil || l.kind("retry") != nil
		}
		if !found {
			at := r.at
			if n := r.child("middlewares"); n != nil {
				at = n.at
			}
			out = append(out, warning(at, "no-retry",
				"no retry follows hal0, so clients see a restart of the sidecar: add a middleware with retry.attempts 40 and retry.initialInterval 250ms after it"))
		}
	}
	return out
}

// unused: the plugin is configured and no router has it.
func unused(s *setup) []Finding {
	var out []Finding
	for _, i := range s.instances {
		used := false
		for _, r := range s.routers {
			for _, l := range r.chain {
				used = used || l.part != nil && l.part.node == i.node
			}
		}
		if !used {
			out = append(out, failure(i.at, "unused", "no router uses this middleware: add %s to a router's middlewares", i.name))
		}
	}
	return out
}
