package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// markVar is in the environment of everything that a sidecar under test starts.
const markVar = "CHAOS_MARK"

// A sidecar that is killed at any moment leaves nothing that its next start does
// not end, wherever an engine's own children went; and nobody else is touched.
func TestKilledSidecarLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	bystander := exec.Command("sleep", "1000")
	if err := bystander.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := bystander.Process.Kill(); err != nil {
			t.Error("the bystander was ended:", err)
		}
		_ = bystander.Wait() // "killed"
	}()
	settings := `
state: ` + dir + `/state
models: ` + dir + `/models
engines:
  family:
    command: [/bin/sh, -c, 'sleep 1000 & setsid sleep 1000 & exec "$SELF" demo-engine --tokens-per-second 50 --port {port}']
    env: {SELF: "` + os.Args[0] + `", HAL0_ENGINE_KEY: "{key}"}
route:
  default: primary
  models:
    primary: {engine: family, capabilities: "chat,completion"}
`
	file := filepath.Join(dir, "hal0.yml")
	if err := os.WriteFile(file, []byte(settings), 0o600); err != nil {
		t.Fatal(err)
	}
	for i := range 6 {
		s := startSidecar(t, file, dir)
		s.ask(t)
		select { // at another moment each time: before, during and after the boot
		case <-s.ended:
		case <-time.After(time.Duration(i) * 40 * time.Millisecond):
		}
		if err := s.cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		<-s.ended
	}
	last := startSidecar(t, file, dir)
	if left := marked(t, dir, last.cmd.Process.Pid); len(left) > 0 {
		t.Errorf("processes %v are left after the next start", left)
	}
	if err := last.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	<-last.ended
	if left := marked(t, dir, 0); len(left) > 0 {
		t.Errorf("processes %v are left after a polite end", left)
	}
}

// under is a sidecar in a process of its own.
type under struct {
	cmd   *exec.Cmd
	addr  string
	ended chan struct{}
}

// startSidecar returns when the sidecar serves: what was left has been ended.
func startSidecar(t *testing.T, file, mark string) under {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	s := under{addr: addr, ended: make(chan struct{})}
	s.cmd = exec.Command(os.Args[0], "hal0-under-test", "serve", "--config="+file, "--listen.data="+addr, "--listen.control="+addr)
	s.cmd.Env = append(os.Environ(), markVar+"="+mark)
	logs, serves := io.Pipe()
	s.cmd.Stderr = serves
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(s.ended)
		_ = s.cmd.Wait() // killed, mostly
		_ = serves.Close()
	}()
	t.Cleanup(func() {
		_ = s.cmd.Process.Kill() // it may have ended
		<-s.ended
	})
	awaitText(t, logs, "listening:")
	return s
}

// awaitText reads until a text has come, and goes on reading for nobody.
func awaitText(t *testing.T, r io.Reader, text string) {
	t.Helper()
	var seen bytes.Buffer
	b := make([]byte, 4096)
	for !strings.Contains(seen.String(), text) {
		n, err := r.Read(b)
		seen.Write(b[:n])
		if err != nil {
			t.Fatalf("%q did not come: %v\n%s", text, err, seen.String())
		}
	}
	go func() { _, _ = io.Copy(io.Discard, r) }()
}

// ask causes a boot, and waits for no answer.
func (s under) ask(t *testing.T) {
	body := `{"model":"primary","stream":true,"messages":[{"role":"user","content":"count to 500"}]}`
	go func() {
		resp, err := http.Post("http://"+s.addr+"/v1/chat/completions", "application/json", strings.NewReader(body))
		if err != nil {
			return // the sidecar was killed before it answered
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
	}()
}

// marked lists the processes that carry the mark and have not ended.
func marked(t *testing.T, mark string, but int) []string {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, f := range files {
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(f)))
		if err != nil || pid == but {
			continue
		}
		env, err := os.ReadFile(f)
		if err != nil || !bytes.Contains(env, []byte(markVar+"="+mark+"\x00")) || ended(pid) {
			continue
		}
		name, _ := os.ReadFile(filepath.Join(filepath.Dir(f), "comm"))
		out = append(out, fmt.Sprintf("%d %s", pid, bytes.TrimSpace(name)))
	}
	return out
}

// ended reports whether a process has ended, waited for or not.
func ended(pid int) bool {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return true
	}
	defer unix.Close(fd)
	n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0)
	return err == nil && n > 0
}
