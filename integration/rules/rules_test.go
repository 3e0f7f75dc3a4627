package rules

import (
	"net/http"
	"os"
	"strings"
	"testing"

	httpmuxer "github.com/traefik/traefik/v3/pkg/muxer/http"
	tcpmuxer "github.com/traefik/traefik/v3/pkg/muxer/tcp"
)

// Bar 5: `hal0 check` takes a router's rule if and only if Traefik does. The list
// holds the verdict; the sidecar's own tests hold `hal0 check` against it.
func TestBar5RulesLikeTraefik(t *testing.T) {
	const list = "../../sidecar/internal/check/testdata/rules.txt"
	text, err := os.ReadFile(list)
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, line := range strings.Split(strings.TrimSpace(string(text)), "\n") {
		if strings.HasPrefix(line, "#") {
			continue
		}
		fields := strings.SplitN(line+" ", " ", 3)
		rule := strings.TrimSuffix(fields[2], " ")
		err := traefikTakes(t, fields[0], rule)
		if verdict := map[bool]string{true: "ok", false: "bad"}[err == nil]; verdict != fields[1] {
			t.Errorf("Traefik says %s of the %s rule %s, the list %s (%v)", verdict, fields[0], rule, fields[1], err)
		}
		seen++
	}
	if seen < 150 {
		t.Errorf("%d rules in %s, want 150", seen, list)
	}
}

func traefikTakes(t *testing.T, protocol, rule string) error {
	t.Helper()
	if protocol == "tcp" {
		muxer, err := tcpmuxer.NewMuxer(nil)
		if err != nil {
			t.Fatal(err)
		}
		return muxer.AddRoute(rule, "v3", 0, "", nil)
	}
	parser, err := httpmuxer.NewSyntaxParser()
	if err != nil {
		t.Fatal(err)
	}
	return httpmuxer.NewMuxer(parser, nil).AddRoute(rule, "v3", 0, "", http.NotFoundHandler())
}
