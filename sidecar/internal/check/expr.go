package check

import (
	"errors"
	"fmt"
	"net"
	"regexp"
	"strings"
	"unicode"

	"github.com/vulcand/predicate"
)

// expr is a router's rule: a matcher with its arguments, or two rules joined.
type expr struct {
	join        joint // 0 = a matcher
	left, right *expr

	matcher string
	args    []string
	not     bool
}

// joint of two rules. The zero value means that there is none.
type joint uint8

const (
	and joint = iota + 1
	or
)

// matcher says what arguments one takes.
type matcher struct {
	arity []int
	check func(args []string) error
}

// httpMatchers are those of Traefik's v3 syntax.
func httpMatchers() map[string]matcher {
	return map[string]matcher{
		"ClientIP":     {[]int{1}, checkIP},
		"Method":       {[]int{1}, nil},
		"Host":         {[]int{1}, checkASCII},
		"HostRegexp":   {[]int{1}, both(checkASCII, checkRegexp)},
		"Path":         {[]int{1}, checkPath},
		"PathRegexp":   {[]int{1}, checkRegexp},
		"PathPrefix":   {[]int{1}, checkPath},
		"Header":       {[]int{2}, nil},
		"HeaderRegexp": {[]int{2}, checkRegexp},
		"Query":        {[]int{1, 2}, nil},
		"QueryRegexp":  {[]int{1, 2}, checkQuery},
	}
}

// tcpMatchers are those of TCP routers.
func tcpMatchers() map[string]matcher {
	return map[string]matcher{
		"ALPN":          {[]int{1}, checkProtocol},
		"ClientIP":      {[]int{1}, checkIP},
		"HostSNI":       {[]int{1}, checkServerName},
		"HostSNIRegexp": {[]int{1}, both(checkASCII, checkRegexp)},
	}
}

// parseRule reads a rule as Traefik does. The verdict is Traefik's; the messages
// are ours where we can say more.
func parseRule(text string, matchers map[string]matcher) (*expr, error) {
	functions := map[string]any{}
	for _, name := range sortedKeys(matchers) {
		build := func(args ...string) *expr { return &expr{matcher: name, args: args} }
		low := strings.ToLower(name)
		for _, spelling := range []string{name, low, strings.ToUpper(name), strings.ToUpper(low[:1]) + low[1:]} {
			functions[spelling] = build
		}
	}
	parser, err := predicate.NewParser(predicate.Def{
		Operators: predicate.Operators{
			AND: func(l, r *expr) *expr { return &expr{join: and, left: l, right: r} },
			OR:  func(l, r *expr) *expr { return &expr{join: or, left: l, right: r} },
			NOT: func(e *expr) *expr { return e.invert() },
		},
		Functions: functions,
	})
	if err != nil {
		return nil, fmt.Errorf("make parser: %w", err)
	}
	parsed, err := parser.Parse(text)
	if err != nil {
		return nil, explain(text, err, matchers)
	}
	e, ok := parsed.(*expr)
	if !ok || e == nil {
		return nil, errors.New("it is not a rule")
	}
	return e, e.check(matchers)
}

// invert returns the opposite, and leaves e as it is.
func (e *expr) invert() *expr {
	opposite := *e
	switch e.join {
	case and, or:
		opposite.join = and + or - e.join
		opposite.left, opposite.right = e.left.invert(), e.right.invert()
	case 0:
		opposite.not = !e.not
	}
	return &opposite
}

func (e *expr) check(matchers map[string]matcher) error {
	if e.join != 0 {
		if err := e.left.check(matchers); err != nil {
			return err
		}
		return e.right.check(matchers)
	}
	if len(e.args) == 0 {
		return fmt.Errorf("%s needs an argument", e.matcher)
	}
	for _, arg := range e.args {
		if arg == "" {
			return fmt.Errorf("%s has an empty argument", e.matcher)
		}
	}
	m := matchers[e.matcher]
	fits := false
	for _, n := range m.arity {
		fits = fits || n == len(e.args)
	}
	if !fits {
		hint := ""
		if len(m.arity) == 1 && m.arity[0] == 1 {
			hint = fmt.Sprintf("; write %s(`%s`) || %s(`%s`)", e.matcher, e.args[0], e.matcher, e.args[1])
		}
		return fmt.Errorf("%s takes %s, not %d%s", e.matcher, arguments(m.arity), len(e.args), hint)
	}
	if m.check == nil {
		return nil
	}
	if err := m.check(e.args); err != nil {
		return fmt.Errorf("%s: %w", e.matcher, err)
	}
	return nil
}

func arguments(arity []int) string {
	switch {
	case len(arity) > 1:
		return "one or two arguments"
	case arity[0] == 1:
		return "one argument"
	}
	return "two arguments"
}

var unknownFunction = regexp.MustCompile(`unsupported function: (\w+)`)

// explain says in the parser's place what people get wrong most.
func explain(text string, err error, matchers map[string]matcher) error {
	if m := unknownFunction.FindStringSubmatch(err.Error()); m != nil {
		if near := nearest(m[1], sortedKeys(matchers)); near != "" {
			return fmt.Errorf("there is no matcher %s, did you mean %s?", m[1], near)
		}
		return fmt.Errorf("there is no matcher %s; there are %s", m[1], strings.Join(sortedKeys(matchers), ", "))
	}
	if strings.Contains(text, "'") {
		return fmt.Errorf("write arguments between backticks, not single quotes (%w)", err)
	}
	if strings.Contains(text, " and ") || strings.Contains(text, " or ") || strings.Contains(text, " AND ") || strings.Contains(text, " OR ") {
		return fmt.Errorf("rules are joined by && and || (%w)", err)
	}
	return err
}

func both(a, b func([]string) error) func([]string) error {
	return func(args []string) error {
		if err := a(args); err != nil {
			return err
		}
		return b(args)
	}
}

func checkASCII(args []string) error {
	for _, r := range args[0] {
		if r > unicode.MaxASCII {
			return fmt.Errorf("%q holds characters that are not ASCII; write it in punycode", args[0])
		}
	}
	return nil
}

func checkPath(args []string) error {
	if !strings.HasPrefix(args[0], "/") {
		return fmt.Errorf("%q does not begin with a slash", args[0])
	}
	return nil
}

func checkRegexp(args []string) error {
	_, err := regexp.Compile(args[len(args)-1])
	return err
}

// checkQuery: with one argument there is no expression.
func checkQuery(args []string) error {
	if len(args) == 1 {
		return nil
	}
	return checkRegexp(args)
}

func checkIP(args []string) error {
	if net.ParseIP(args[0]) != nil {
		return nil
	}
	if _, _, err := net.ParseCIDR(args[0]); err != nil {
		return fmt.Errorf("%q is neither an address nor a network such as 192.168.0.0/16", args[0])
	}
	return nil
}

func checkProtocol(args []string) error {
	if args[0] == "acme-tls/1" {
		return errors.New("acme-tls/1 is reserved")
	}
	return nil
}

var serverName = regexp.MustCompile(`^(\*\.)?[[:word:].\-:]+$`)

func checkServerName(args []string) error {
	if args[0] != "*" && !serverName.MatchString(args[0]) {
		return fmt.Errorf("%q is not a host's name", args[0])
	}
	return nil
}
