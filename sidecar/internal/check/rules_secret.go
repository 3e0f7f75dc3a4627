package check

import (
	"bytes"
	"regexp"
	"strings"
)

// Forms of the shared token and of API keys. What is found is never repeated.
var (
	tokenForm  = regexp.MustCompile(`\bhal0_[A-Za-z0-9_-]{43}`)
	apiKeyForm = regexp.MustCompile(`\bsk-hal0-[A-Za-z0-9_-]{20,}`)
)

// secrets: the token in a label, and what looks like a token anywhere. Traefik's
// API shows the configuration of plugins to whoever asks.
func secrets(s *setup) []Finding {
	var out []Finding
	for _, i := range s.instances {
		if n := i.config.child("token"); n != nil {
			out = append(out, failure(n.at, "secret", "the token is a secret, and Traefik shows this to others: remove it, and name its file with tokenFile"))
		}
		i.config.walk(func(n *node) {
			if apiKeyForm.MatchString(n.value) {
				out = append(out, failure(n.at, "secret", "this holds an API key in plain: put its hash there (hal0 key NAME makes a key and its hash)"))
			}
		})
	}
	reported := map[Place]bool{}
	for _, f := range out {
		reported[Place{File: f.File, Line: f.Line}] = true
	}
	for _, d := range s.documents {
		for i, line := range bytes.Split(d.text, []byte("\n")) {
			if tokenForm.Match(line) && !reported[Place{File: d.path, Line: i + 1}] {
				key := ""
				if fields := strings.Fields(string(line)); len(fields) > 0 {
					key = strings.TrimRight(strings.SplitN(strings.TrimLeft(fields[0], "-"), "=", 2)[0], ":")
				}
				if tokenForm.MatchString(key) {
					key = ""
				}
				out = append(out, failure(Place{File: d.path, Line: i + 1, Key: key}, "secret",
					"this looks like the token that Traefik and the sidecar share: remove it, have a new one made, and let both read it from a file"))
			}
		}
	}
	return out
}
