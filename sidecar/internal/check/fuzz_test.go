package check

import (
	"os"
	"path/filepath"
	"testing"
)

// FuzzParseRule: a rule that is accepted can be asked about any request.
func FuzzParseRule(f *testing.F) {
	for _, rule := range []string{"Host(`a`) && PathPrefix(`/v1`)", "!(HOST(`a`) || Path(`/`)) && Query(`a`)", "HostRegexp(`^a$`)", "a[", "Host(1)", "Host", "Host(`*.a`)"} {
		f.Add(rule, "hal0.lan", "/v1/models")
	}
	f.Fuzz(func(t *testing.T, rule, host, path string) {
		e, err := parseRule(rule, httpMatchers())
		if err != nil {
			return
		}
		a := e.matches(sample{host, path, "GET"})
		if a < no || a > yes {
			t.Errorf("%s: %d is no answer", rule, a)
		}
		if opposite := e.invert().matches(sample{host, path, "GET"}); opposite != yes+no-a {
			t.Errorf("%s is %d, its opposite %d", rule, a, opposite)
		}
	})
}

// FuzzDocument: whatever a file holds, the rules look at it without a panic, and
// every finding has a place and a rule.
func FuzzDocument(f *testing.F) {
	for _, pattern := range []string{"testdata/*/*/*.yml", "testdata/*/*/*.toml", "testdata/unreadable/*"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(text, filepath.Ext(file) == ".toml")
		}
	}
	f.Fuzz(func(t *testing.T, text []byte, asTOML bool) {
		name := "a.yml"
		if asTOML {
			name = "a.toml"
		}
		d, err := parse(name, text)
		if err != nil {
			return
		}
		s := &setup{documents: []*document{d}}
		s.take(d, nil)
		for _, finding := range s.findings() {
			if finding.File == "" || finding.Rule == "" || finding.Severity == 0 || finding.Message == "" {
				t.Errorf("incomplete finding %+v", finding)
			}
		}
	})
}
