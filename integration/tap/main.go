// Command tap stands between the sidecar and an engine: it is started in the
// engine's place, starts the real one on a port of its own, and passes every
// byte of every connection on while it records them with their times.
//
//	tap -engine /path/llama-server -dir DIR -- --host H --port N …
//
// The record of one launch is a folder DIR/<pid>: engine.json, log.jsonl and,
// per connection, N.request (towards the engine) and N.response. log.jsonl also
// says when the engine said that it listens. Package bed reads it.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

func main() {
	// The engine dies with the thread that started it (parent-death signal).
	runtime.LockOSThread()
	engine := flag.String("engine", "", "the engine to start")
	dir := flag.String("dir", "", "folder for the records")
	flag.Parse()
	code, err := run(*engine, *dir, flag.Args())
	if err != nil {
		fmt.Fprintln(os.Stderr, "tap:", err)
	}
	os.Exit(code)
}

func run(engine, dir string, args []string) (int, error) {
	host, port, args, err := replacePort(args)
	if err != nil {
		// Nothing to record: --version, --help, --list-devices …
		return 1, syscall.Exec(engine, append([]string{engine}, args...), os.Environ())
	}
	rec, err := newRecorder(filepath.Join(dir, strconv.Itoa(os.Getpid())))
	if err != nil {
		return 1, err
	}
	// The sidecar signals the whole group: the engine hears it by itself, and
	// the tap ends when the engine has.
	signal.Ignore(syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	cmd := exec.Command(engine, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, &said{rec: rec, to: os.Stdout}, &said{rec: rec, to: os.Stderr}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return 1, fmt.Errorf("start engine: %w", err)
	}
	inner := net.JoinHostPort(host, strconv.Itoa(port.inner))
	rec.engine(cmd.Process.Pid, inner)
	go serve(net.JoinHostPort(host, strconv.Itoa(port.outer)), inner, rec)
	err = cmd.Wait()
	rec.wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		if ws, ok := exit.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL) // our end looks like the engine's
			select {}
		}
		return exit.ExitCode(), nil
	}
	return 0, err
}

type ports struct{ outer, inner int }

// replacePort finds --host and --port among the engine's arguments and gives
// the engine a free port instead.
func replacePort(args []string) (host string, p ports, out []string, err error) {
	host, out = "127.0.0.1", append([]string(nil), args...)
	at := -1
	for i := 0; i+1 < len(out); i++ {
		switch out[i] {
		case "--host":
			host = out[i+1]
		case "--port":
			at = i + 1
		}
	}
	if at < 0 {
		return "", p, args, errors.New("no --port among the arguments")
	}
	if p.outer, err = strconv.Atoi(out[at]); err != nil {
		return "", p, args, fmt.Errorf("read port: %w", err)
	}
	l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		return "", p, args, fmt.Errorf("find port: %w", err)
	}
	defer l.Close()
	p.inner = l.Addr().(*net.TCPAddr).Port
	out[at] = strconv.Itoa(p.inner)
	return host, p, out, nil
}

// serve listens as soon as the engine does, so that a connection is refused
// for as long as the engine itself would refuse it.
func serve(outer, inner string, rec *recorder) {
	for {
		c, err := net.Dial("tcp", inner)
		if err == nil {
			c.Close()
			break
		}
		time.Sleep(2 * time.Millisecond)
	}
	l, err := net.Listen("tcp", outer)
	if err != nil {
		fmt.Fprintln(os.Stderr, "tap: couldn't bind HTTP server socket:", err)
		_ = syscall.Kill(rec.pid, syscall.SIGKILL)
		return
	}
	for n := 1; ; n++ {
		c, err := l.Accept()
		if err != nil {
			return
		}
		rec.open.Add(1)
		go func() {
			defer rec.open.Done()
			pass(n, c.(*net.TCPConn), inner, rec)
		}()
	}
}

func pass(n int, near *net.TCPConn, inner string, rec *recorder) {
	defer near.Close()
	c, err := net.Dial("tcp", inner)
	if err != nil {
		_ = near.SetLinger(0) // refused, as far as one can say that after accept
		return
	}
	far := c.(*net.TCPConn)
	defer far.Close()
	rec.log(n, "open", 0)
	var both sync.WaitGroup
	both.Add(2)
	go func() {
		defer both.Done()
		err := rec.copy(n, "request", far, near)
		rec.log(n, "request-end", 0)
		end(far, near, err)
	}()
	go func() {
		defer both.Done()
		err := rec.copy(n, "response", near, far)
		rec.log(n, "response-end", 0)
		end(near, far, err)
	}()
	both.Wait()
}

// end passes the end of one side's sending on to the other: a reset as a
// reset, an end as an end. A client that has closed sends nothing more, and
// HTTP/1 clients never close by half, so both sides go.
func end(to, from *net.TCPConn, err error) {
	if err != nil {
		_ = to.SetLinger(0)
	}
	to.Close()
	from.Close()
}

// said passes on what the engine says, and notes when it says that it listens:
// before anybody else can have read it.
type said struct {
	rec  *recorder
	to   io.Writer
	rest []byte // of a line that has not ended
}

func (s *said) Write(p []byte) (int, error) {
	s.rest = append(s.rest, p...)
	for {
		line, rest, whole := bytes.Cut(s.rest, []byte("\n"))
		if !whole {
			break
		}
		if bytes.Contains(line, []byte("listening on http")) {
			s.rec.log(0, "listening", 0)
		}
		s.rest = rest
	}
	return s.to.Write(p)
}

// recorder writes one launch's record.
type recorder struct {
	dir  string
	pid  int            // of the engine
	open sync.WaitGroup // connections

	mu  sync.Mutex // lines
	out *os.File
}

func newRecorder(dir string) (*recorder, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	f, err := os.Create(filepath.Join(dir, "log.jsonl"))
	return &recorder{dir: dir, out: f}, err
}

func (r *recorder) engine(pid int, addr string) {
	r.pid = pid
	b, _ := json.Marshal(map[string]any{"pid": pid, "addr": addr, "key": os.Getenv("LLAMA_API_KEY"), "args": strings.Join(os.Args, " ")})
	tmp := filepath.Join(r.dir, "engine.tmp")
	if os.WriteFile(tmp, b, 0o644) == nil {
		_ = os.Rename(tmp, filepath.Join(r.dir, "engine.json"))
	}
}

func (r *recorder) log(conn int, what string, n int) {
	b, _ := json.Marshal(map[string]any{"at": time.Now().UnixNano(), "conn": conn, "what": what, "n": n})
	r.mu.Lock()
	defer r.mu.Unlock()
	_, _ = r.out.Write(append(b, '\n'))
}

// copy passes bytes on, recording them before they leave.
func (r *recorder) copy(conn int, what string, to io.Writer, from io.Reader) error {
	f, err := os.Create(filepath.Join(r.dir, fmt.Sprintf("%d.%s", conn, what)))
	if err != nil {
		return err
	}
	defer f.Close()
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			_, _ = f.Write(buf[:n])
			r.log(conn, what, n)
			if _, err := to.Write(buf[:n]); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// wait lets the last bytes of a dead engine reach the sidecar.
func (r *recorder) wait() {
	done := make(chan struct{})
	go func() { r.open.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(2 * time.Second):
	}
}
