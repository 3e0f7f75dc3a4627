package bed

import (
	"net"
	"net/http"
	"sync"
	"testing"
)

// handed are the ports that Port has given out: two programs that are started
// at once must not be told the same one.
var handed struct {
	sync.Mutex
	ports map[int]bool
}

// Port is a port on the loopback address that was free a moment ago.
func Port(t testing.TB) int {
	t.Helper()
	handed.Lock()
	defer handed.Unlock()
	if handed.ports == nil {
		handed.ports = map[int]bool{}
	}
	for {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		port := l.Addr().(*net.TCPAddr).Port
		l.Close()
		if !handed.ports[port] {
			handed.ports[port] = true
			return port
		}
	}
}

// plain is an HTTP client without a proxy and without connections kept.
var plain = &http.Client{Transport: &http.Transport{DisableKeepAlives: true, Proxy: nil}}

// Get asks for a URL and returns status and body; 0 when nobody answers.
func Get(t testing.TB, url string) (int, string) {
	t.Helper()
	resp, err := plain.Get(url)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	return resp.StatusCode, readAll(resp.Body)
}
