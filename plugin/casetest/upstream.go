package casetest

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// patience bounds every wait for something that must happen; nothing is
// measured by it.
const patience = 20 * time.Second

// arrival is one request as the upstream saw it.
type arrival struct {
	request *http.Request
	body    []byte
	left    chan struct{} // closed when the connection ended under a "wait"
}

// upstream answers by the script of the moment. One test at a time uses it.
type upstream struct {
	listener net.Listener
	arrivals chan arrival

	mu        sync.Mutex
	script    Script
	delivered chan struct{} // closed when the client has all whole events of the script
	done      sync.WaitGroup
}

func newUpstream(t testing.TB) *upstream {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	u := &upstream{listener: l, arrivals: make(chan arrival, 16)}
	u.done.Go(u.accept)
	t.Cleanup(func() {
		_ = l.Close()
		u.done.Wait()
	})
	return u
}

// play sets the script of the next request. The result is to be told all text
// that the client has got so far.
func (u *upstream) play(s Script) (got func(text string)) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.script = s
	delivered := make(chan struct{})
	u.delivered = delivered
	whole := strings.Join(s.Events, "")
	whole = whole[:strings.LastIndex(whole, "\n\n")+1]
	told := sync.OnceFunc(func() { close(delivered) })
	return func(text string) {
		if strings.HasPrefix(text, whole) {
			told()
		}
	}
}

func (u *upstream) accept() {
	for {
		conn, err := u.listener.Accept()
		if err != nil {
			return
		}
		u.done.Go(func() { u.serve(conn.(*net.TCPConn)) })
	}
}

// serve answers one request per connection, so that no script meets the
// connection of another.
func (u *upstream) serve(conn *net.TCPConn) {
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(2 * patience))
	u.mu.Lock()
	s, delivered := u.script, u.delivered
	u.mu.Unlock()
	if s.End == "refuse" {
		_ = conn.SetLinger(0)
		return
	}
	req, err := http.ReadRequest(bufio.NewReader(conn))
	if err != nil {
		return
	}
	body, err := io.ReadAll(req.Body)
	a := arrival{request: req, body: body, left: make(chan struct{})}
	u.arrivals <- a
	if err != nil || s.End == "close" {
		return
	}
	if _, err := conn.Write(s.head(body)); err != nil {
		return
	}
	for _, chunk := range s.chunks() {
		if !s.Plain {
			chunk = fmt.Sprintf("%x\r\n%s\r\n", len(chunk), chunk)
		}
		if _, err := io.WriteString(conn, chunk); err != nil {
			return
		}
	}
	switch s.End {
	case "":
		if !s.Plain {
			_, _ = io.WriteString(conn, "0\r\n\r\n")
		}
	case "reset":
		select { // a reset destroys what the proxy has not read yet
		case <-delivered:
		case <-time.After(patience):
		}
		_ = conn.SetLinger(0)
	case "wait":
		_, _ = io.Copy(io.Discard, conn)
		close(a.left)
	}
}

func (s Script) chunks() []string {
	if s.Events != nil {
		return s.Events
	}
	return s.Chunks
}

func (s Script) head(_ []byte) []byte {
	var b bytes.Buffer
	status := s.Status
	if status == 0 {
		status = 200
	}
	fmt.Fprintf(&b, "HTTP/1.1 %d %s\r\nConnection: close\r\n", status, http.StatusText(status))
	if s.Events != nil {
		b.WriteString("Content-Type: text/event-stream\r\n")
	}
	for _, h := range s.Headers {
		b.WriteString(h[0] + ": " + h[1] + "\r\n")
	}
	if s.Plain {
		length := 0
		for _, c := range s.chunks() {
			length += len(c)
		}
		if s.End != "" {
			length++ // something is missing
		}
		b.WriteString("Content-Length: " + strconv.Itoa(length) + "\r\n")
	} else {
		b.WriteString("Transfer-Encoding: chunked\r\n")
	}
	b.WriteString("\r\n")
	return b.Bytes()
}

// put is one declaration as the sidecar saw it.
type put struct {
	request *http.Request
	body    []byte
}

// newSidecar takes declarations and knows every request.
func newSidecar(t testing.TB) (address string, puts chan put) {
	t.Helper()
	puts = make(chan put, 64)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("read declaration: %v", err)
		}
		if r.Method == http.MethodPut {
			select {
			case puts <- put{r, body}:
			default: // enough of them
			}
		}
	}))
	t.Cleanup(s.Close)
	return s.URL, puts
}
