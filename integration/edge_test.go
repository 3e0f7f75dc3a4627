package integration

import (
	"bufio"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/hal0-dev/hal0/integration/bed"
)

// The token is replaced while requests come: plugin and sidecar take the new one
// without a request being refused.
func TestTokenReplaced(t *testing.T) {
	t.Parallel()
	bed.Tool(t, "traefik")
	s := bed.NewSidecar(t, "").Start()
	e := bed.NewEdge(t, s, manyModels)
	for i := range 5 {
		secret := make([]byte, 32)
		if _, err := rand.Read(secret); err != nil {
			t.Fatal(err)
		}
		fresh := s.TokenFile() + ".new"
		if err := os.WriteFile(fresh, []byte("hal0_"+base64.RawURLEncoding.EncodeToString(secret)+"\n"), 0o640); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(fresh, s.TokenFile()); err != nil {
			t.Fatal(err)
		}
		for range 20 {
			if status, body := bed.Get(t, "http://"+e.Web("127.0.0.1")+"/v1/models"); status != http.StatusOK {
				t.Fatalf("after change %d: %d %s", i, status, body)
			}
		}
	}
}

// The sidecar is stopped (SIGSTOP) in the middle of a stream: nothing closes the
// connection, and the missing heartbeats tell. In the long form, a request that
// it holds is let go too.
func TestSidecarStopped(t *testing.T) {
	t.Parallel()
	bed.Tool(t, "traefik")
	s := bed.NewSidecar(t, "").Start()
	e := bed.NewEdge(t, s, "heartbeat: 1s"+manyModels)
	ask := bed.Request{Addr: e.Web("127.0.0.1"), Host: "hal0.lan", Path: chatPath, Body: counting(1000, 25)}
	stream := bed.Open(t, ask)
	frames(t, stream, 5)
	ask.Body = chat("demo", false, knobs(`"delay_ms":600000`))
	held, leave := bed.Opening(t, ask)
	defer leave()
	bed.Until(t, "the second request is there", 10*time.Second, func() bool { return s.Slot("demo").Leases == 2 })
	s.Signal(syscall.SIGSTOP)
	defer s.Signal(syscall.SIGCONT)
	began := time.Now()
	wantBroken(t, stream, "sidecar.lost")
	bed.Figure(t, "sidecar stopped: its stream ended after %v", time.Since(began).Round(100*time.Millisecond))
	if !bed.Long() {
		return
	}
	a := <-held
	if a == nil {
		t.Fatal("the held request got no answer")
	}
	wantRefused(t, a, http.StatusServiceUnavailable, "sidecar.unreachable")
	bed.Figure(t, "sidecar stopped: its held request was let go after %v", time.Since(began).Round(time.Second))
}

// What is none of the plugin's passes untouched, a WebSocket too.
func TestUpgradePasses(t *testing.T) {
	t.Parallel()
	bed.Tool(t, "traefik")
	echo := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "websocket" || r.Header.Get("X-Hal0-Slot") != "" {
			http.Error(w, "no upgrade", http.StatusBadRequest)
			return
		}
		conn, in, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Errorf("take connection: %v", err)
			return
		}
		defer conn.Close()
		fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
		_, _ = io.Copy(conn, in) // until the client leaves
	}))
	t.Cleanup(echo.Close)
	f := bed.NewTraefik(t)
	f.Write("hal0.yml", fmt.Sprintf(`
http:
  routers: {all: {rule: "PathPrefix(`+"`/`"+`)", middlewares: [hal0, retry], service: echo}}
  middlewares: {retry: {retry: {attempts: 3}}, hal0: {plugin: {hal0: {models: {primary: {engine: demo}}}}}}
  services: {echo: {loadBalancer: {servers: [{url: %q}]}}}
`, echo.URL))
	f.Start()
	f.Await("all")
	conn, err := net.Dial("tcp", f.Web("127.0.0.1"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(conn, "GET /ws/socket.io/ HTTP/1.1\r\nHost: chat.hal0.lan\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nX-Hal0-Slot: primary\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n")
	in := bufio.NewReader(conn)
	res, err := http.ReadResponse(in, nil)
	if err != nil || res.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("upgrade: %+v %v", res, err)
	}
	for _, said := range []string{"data: {\"torn", "\x00\xff", "[DONE]\n\n"} {
		got := make([]byte, len(said))
		if _, err := io.WriteString(conn, said); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(in, got); err != nil || string(got) != said {
			t.Fatalf("echo %q of %q: %v", got, said, err)
		}
	}
}
