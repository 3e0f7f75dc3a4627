package plugin_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/hal0-dev/hal0/plugin"
	"github.com/hal0-dev/hal0/plugin/casetest"
	"github.com/hal0-dev/hal0/plugin/decode"
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
	cases, err := casetest.Load("testdata/cases")
	if err != nil {
		t.Fatal(err)
	}
	casetest.Run(t, cases, compiled{})
}
