package check

import (
	"regexp"
	"strings"
)

// answer to whether a rule matches, where not all of a request is known. The
// zero value is invalid.
type answer uint8

const (
	no answer = iota + 1
	maybe
	yes
)

// sample is as much of a request as routers of the API go by.
type sample struct{ host, path, method string }

// matches decides on what the sample says; what else a rule asks for is maybe.
func (e *expr) matches(s sample) answer {
	switch e.join {
	case and:
		return min(e.left.matches(s), e.right.matches(s))
	case or:
		return max(e.left.matches(s), e.right.matches(s))
	}
	a := e.leaf(s)
	if e.not {
		return yes + no - a
	}
	return a
}

func (e *expr) leaf(s sample) answer {
	arg := e.args[0]
	switch e.matcher {
	case "Host":
		return truth(arg == "*" || hostMatches(arg, s.host))
	case "Path":
		return truth(arg == s.path)
	case "PathPrefix":
		return truth(strings.HasPrefix(s.path, arg))
	case "Method":
		return truth(strings.EqualFold(arg, s.method))
	case "HostRegexp":
		return truth(expression(arg).MatchString(s.host))
	case "PathRegexp":
		return truth(expression(arg).MatchString(s.path))
	}
	return maybe
}

// expression was compiled before, when the rule was checked.
func expression(text string) *regexp.Regexp { return regexp.MustCompile(text) }

func truth(b bool) answer {
	if b {
		return yes
	}
	return no
}

// hostMatches knows Traefik's wildcard, which stands for one label.
func hostMatches(pattern, host string) bool {
	pattern, host = strings.TrimSuffix(pattern, "."), strings.TrimSuffix(host, ".")
	if rest, wild := strings.CutPrefix(pattern, "*"); wild {
		_, tail, ok := strings.Cut(host, ".")
		return ok && strings.EqualFold(rest, "."+tail)
	}
	return strings.EqualFold(pattern, host)
}

// hosts are the names that a rule asks for; none means that any will do.
func (e *expr) hosts() []string {
	if e.join != 0 {
		return append(e.left.hosts(), e.right.hosts()...)
	}
	if e.matcher == "Host" && !e.not {
		return []string{strings.Replace(e.args[0], "*", "any", 1)}
	}
	return nil
}
