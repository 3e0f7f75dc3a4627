package bed

import (
	"bufio"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// CurlStream is curl at work: its standard output, frame by frame.
type CurlStream struct {
	*Stream
	p *Process
}

// RunCurl starts curl with the given arguments and reads what it prints. The
// stream's Status and Header stay empty.
func RunCurl(t testing.TB, args ...string) *CurlStream {
	t.Helper()
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	// The version is for the log: what was spoken is part of the test.
	args = append([]string{"-sSN", "--write-out", "%{stderr}HTTP/%{http_version} %{http_code}"}, args...)
	cmd := exec.Command(Curl(t), args...)
	cmd.Env = Environment()
	c := &CurlStream{Stream: &Stream{t: t, Opened: time.Now(), in: bufio.NewReader(read)}}
	c.p = startPiped(t, "curl", cmd, write)
	write.Close()
	c.close = func() { c.p.Kill(); read.Close() }
	t.Cleanup(func() { read.Close() })
	return c
}

// Told is what curl said of the exchange at its end ("HTTP/2 200"), and its
// exit code.
func (c *CurlStream) Told() (string, int) {
	c.t.Helper()
	c.Rest()
	code := c.p.Wait(10 * time.Second)
	return strings.TrimSpace(c.p.Log()), code
}
