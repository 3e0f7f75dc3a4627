package docker

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/hal0-dev/hal0/integration/bed"
	"golang.org/x/sys/unix"
)

// Docker runs the engine's own command line and returns what it printed.
func (e *Engine) Docker(args ...string) string {
	e.t.Helper()
	return e.must(e.command(filepath.Join(e.prefix, "usr/bin/docker"), args...))
}

// Fed is Docker with something to read.
func (e *Engine) Fed(in io.Reader, args ...string) {
	e.t.Helper()
	cmd := e.command(filepath.Join(e.prefix, "usr/bin/docker"), args...)
	cmd.Stdin = in
	e.must(cmd)
}

// Inside runs a program of this machine in the engine's network, where 127.0.0.1
// has the ports that containers publish.
func (e *Engine) Inside(name string, args ...string) string {
	e.t.Helper()
	return e.must(e.command("nsenter", append([]string{"--net=" + e.network(), name}, args...)...))
}

// command is a program that talks to the engine.
func (e *Engine) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Env = append(bed.Environment(), "DOCKER_HOST=unix://"+filepath.Join(e.dir, "docker.sock"),
		"DOCKER_CONFIG="+filepath.Join(e.dir, "config"), "DOCKER_BUILDKIT=1")
	return cmd
}

func (e *Engine) must(cmd *exec.Cmd) string {
	e.t.Helper()
	out, err := output(cmd)
	if err != nil {
		e.t.Fatal(err)
	}
	return out
}

// output is what a program printed; its messages are in the error.
func output(cmd *exec.Cmd) (string, error) {
	var out, messages bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &messages
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s: %w\n%s%s", strings.Join(cmd.Args, " "), err, out.String(), messages.String())
	}
	return strings.TrimSpace(out.String()), nil
}

// network is the file of the engine's network namespace.
func (e *Engine) network() string { return fmt.Sprintf("/proc/%d/ns/net", e.PID()) }

// Dial connects from inside the engine's network.
func (e *Engine) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	var conn net.Conn
	done := make(chan error)
	go func() {
		// Never unlocked: the thread, which has changed its network, ends with this.
		runtime.LockOSThread()
		space, err := os.Open(e.network())
		if err == nil {
			err = unix.Setns(int(space.Fd()), unix.CLONE_NEWNET)
			space.Close()
		}
		if err == nil {
			conn, err = new(net.Dialer).DialContext(ctx, network, addr)
		}
		done <- err
	}()
	return conn, <-done
}
