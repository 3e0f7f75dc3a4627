package check

import (
	"os"
	"strings"
	"testing"
)

// TestRulesLikeTraefik holds our verdicts against those that integration gets from
// Traefik's own parser.
func TestRulesLikeTraefik(t *testing.T) {
	text, err := os.ReadFile("testdata/rules.txt")
	if err != nil {
		t.Fatal(err)
	}
	matchers := map[string]map[string]matcher{"http": httpMatchers(), "tcp": tcpMatchers()}
	for _, line := range strings.Split(strings.TrimSpace(string(text)), "\n") {
		if strings.HasPrefix(line, "#") {
			continue
		}
		fields := strings.SplitN(line+" ", " ", 3)
		rule := strings.TrimSuffix(fields[2], " ")
		_, err := parseRule(rule, matchers[fields[0]])
		if verdict := map[bool]string{true: "ok", false: "bad"}[err == nil]; verdict != fields[1] {
			t.Errorf("%s rule %s is %s, want %s (%v)", fields[0], rule, verdict, fields[1], err)
		}
	}
}

func TestMatches(t *testing.T) {
	for rule, want := range map[string]map[string]answer{
		"Host(`hal0.lan`) && PathPrefix(`/v1/`)":    {"hal0.lan /v1/models": yes, "HAL0.lan /v1/x": yes, "hal0.lan /": no, "a.lan /v1/": no},
		"Host(`*.lan`)":                             {"a.lan /": yes, "a.b.lan /": no, "lan /": no},
		"Host(`*`)":                                 {"a /": yes},
		"!Host(`a`) || Path(`/`)":                   {"a /": yes, "a /b": no, "b /b": yes},
		"Host(`a`) && ClientIP(`10.0.0.1`)":         {"a /": maybe, "b /": no},
		"!(Host(`a`) && Header(`x`, `y`))":          {"a /": maybe, "b /": yes},
		"Host(`a`) || Header(`x`, `y`)":             {"a /": yes, "b /": maybe},
		"PathRegexp(`^/v1`) && HostRegexp(`^hal0`)": {"hal0 /v1": yes, "hal0 /v2": no},
		"Method(`post`) && Method(`POST`)":          {"a /": yes},
	} {
		e, err := parseRule(rule, httpMatchers())
		if err != nil {
			t.Errorf("%s: %v", rule, err)
			continue
		}
		for request, answer := range want {
			host, path, _ := strings.Cut(request, " ")
			if got := e.matches(sample{host, path, "POST"}); got != answer {
				t.Errorf("%s on %s is %d, want %d", rule, request, got, answer)
			}
		}
	}
}
