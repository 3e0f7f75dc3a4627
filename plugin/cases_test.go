package plugin_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/hal0-dev/hal0/plugin"
	"github.com/hal0-dev/hal0/plugin/casetest"
	"github.com/hal0-dev/hal0/plugin/decode"
	"github.com/hal0-dev/hal0/plugin/wire"
)

// compiled runs the plugin in this process.
type compiled struct{}

func (compiled) Name() string { return "compiled" }

func (compiled) Open(t *testing.T, setups []*casetest.Setup) {
	for _, s := range setups {
		h, err := makeHandler(t, s)
		if err != nil {
			s.Problem = err.Error()
			continue
		}
		server := httptest.NewServer(h)
		t.Cleanup(server.Close)
		s.Provider = "test"
		s.Address = server.Listener.Addr().String()
	}
}

func makeHandler(t *testing.T, s *casetest.Setup) (http.Handler, error) {
	raw, err := s.Config.Raw()
	if err != nil {
		return nil, err
	}
	cfg, err := decode.Config(raw)
	if err != nil {
		return nil, fmt.Errorf("decode configuration: %w", err)
	}
	return plugin.New(t.Context(), casetest.Proxy(s.Upstream), cfg, s.ID+"@test")
}

func TestCases(t *testing.T) {
	cases, err := casetest.Load("testdata/cases/*.json")
	if err != nil {
		t.Fatal(err)
	}
	casetest.Run(t, cases, compiled{})
}

// TestCoverage asserts that the cases use every key in every form, and meet
// every code that the plugin can answer with.
func TestCoverage(t *testing.T) {
	cases, err := casetest.Load("testdata/cases/*.json")
	if err != nil {
		t.Fatal(err)
	}
	if len(cases) < 150 {
		t.Errorf("%d cases", len(cases))
	}
	used := map[string]bool{}
	codes := map[string]bool{}
	for _, c := range cases {
		for _, form := range c.UsedForms() {
			for _, key := range c.Keys() {
				used[form+" "+key] = true
			}
		}
		for _, e := range c.Exchanges {
			codes[e.Want.Code] = true
		}
	}
	for _, form := range casetest.Forms {
		for _, key := range plugin.Keys() {
			if !used[form+" "+key] {
				t.Errorf("no case has %s in form %s", key, form)
			}
		}
	}
	for _, code := range edgeCodes {
		if !codes[code] {
			t.Errorf("no case ends with %s", code)
		}
	}
}

// edgeCodes are the codes that the plugin itself gives; edge.shutdown takes a
// signal and has a test of its own.
var edgeCodes = []string{
	wire.CodeInvalidJSON, wire.CodeTooLarge, wire.CodeMethod, wire.CodePath, wire.CodeHost, wire.CodeOrigin, wire.CodeCapability,
	wire.CodeModelRequired, wire.CodeRejected, wire.CodeRateLimited, wire.CodeIncomplete, wire.CodeForbidden, wire.CodeInvalidAPIKey,
	wire.CodeModelNotFound, wire.CodeRouteUnknown, wire.CodeUnreachable, wire.CodeTruncated, wire.CodeLost, wire.CodeInternal,
}
