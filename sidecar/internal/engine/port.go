package engine

import (
	"crypto/rand"
	"fmt"
	"net"
)

// FreePort asks the kernel for a port that nobody listens on. It may be taken
// before the engine binds it; the launch then ends with ClassPort.
func FreePort(host string) (int, error) {
	l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// NewKey makes the key of one launch.
func NewKey() string { return rand.Text() }
