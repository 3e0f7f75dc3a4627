package edge

import (
	"crypto/tls"
	"net/http"
	"slices"
	"testing"

	"github.com/hal0-dev/hal0/integration/bed"
	"github.com/hal0-dev/hal0/plugin/casetest"
)

// endings are the cases that are about how an answer ends, but for those that a
// way cannot pass.
func endings(t *testing.T, without ...string) []casetest.Case {
	t.Helper()
	bed.Tool(t, "traefik")
	cases, err := casetest.Load("../../plugin/testdata/cases/endings.json")
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(cases, func(c casetest.Case) bool { return slices.Contains(without, c.Name) })
}

// spoken is a client of one protocol.
func spoken(t *testing.T, set func(*http.Protocols)) *http.Client {
	t.Helper()
	p := new(http.Protocols)
	set(p)
	transport := &http.Transport{Protocols: p, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableCompression: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// Endings are right over HTTP/2 with TLS.
func TestEndingsOverHTTP2(t *testing.T) {
	t.Parallel()
	client := spoken(t, func(p *http.Protocols) { p.SetHTTP2(true) })
	casetest.Run(t, endings(t), real{flags: []string{"--entrypoints.web.http.tls=true"}, client: client, secure: true})
}

// Endings are right over HTTP/2 without TLS.
func TestEndingsOverH2C(t *testing.T) {
	t.Parallel()
	client := spoken(t, func(p *http.Protocols) { p.SetUnencryptedHTTP2(true) })
	casetest.Run(t, endings(t), real{client: client})
}

// Endings are right under FastProxy, but for two things that it gives a plugin no
// means for: it does not notice that a client leaves, and it may wait for ever
// for a server that has closed the connection before it answered.
func TestEndingsUnderFastProxy(t *testing.T) {
	t.Parallel()
	cases := endings(t, "the client leaves a stream", "closed before an answer")
	casetest.Run(t, cases, real{flags: []string{"--experimental.fastproxy=true"}})
}
