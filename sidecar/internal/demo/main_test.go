//go:build unix

package demo

import (
	"bufio"
	"bytes"
	"flag"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// argsVar makes the test binary be the engine itself.
const argsVar = "HAL0_TEST_DEMO_ARGS"

func TestMain(m *testing.M) {
	if args, ok := os.LookupEnv(argsVar); ok {
		os.Exit(Main(strings.Fields(args), os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// engine is a demo engine in a process of its own.
type engine struct {
	*exec.Cmd
	lines *bufio.Scanner
}

func start(t *testing.T, args string) engine {
	t.Helper()
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), argsVar+"="+args)
	out, err := c.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Process.Kill() // it may have ended
		_ = c.Wait()
	})
	return engine{c, bufio.NewScanner(out)}
}

// url is where it says that it listens.
func (e engine) url(t *testing.T) string {
	t.Helper()
	for e.lines.Scan() {
		if _, url, ok := strings.Cut(e.lines.Text(), "listening on "); ok {
			return url
		}
	}
	t.Fatal("it does not listen")
	return ""
}

func TestProcess(t *testing.T) {
	e := start(t, "--load 10ms")
	resp, body, err := post(t, e.url(t), "/v1/completions", `{"prompt":"count to 3","hal0_demo":{"tokens_per_second":0}}`)
	if err != nil || resp.StatusCode != 200 || !strings.Contains(body, " one two three") {
		t.Error(resp, body, err)
	}
	if err := e.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := e.Wait(); err != nil {
		t.Error("after TERM:", err)
	}
}

func TestCrash(t *testing.T) {
	e := start(t, "--tokens-per-second 0 --fault crash --at 3")
	_, body, err := post(t, e.url(t), "/v1/completions", `{"stream":true,"prompt":"count to 5"}`)
	if err == nil || !strings.Contains(body, " two") || strings.Contains(body, " three") {
		t.Error(body, err)
	}
	if err := e.Wait(); err == nil || e.ProcessState.ExitCode() != 1 {
		t.Error(err)
	}
}

func TestLoadFails(t *testing.T) {
	var out bytes.Buffer
	if code := run(Launch{Host: "127.0.0.1", LoadFails: "out of memory", Knobs: defaultKnobs()}, &out); code == nil || code.Error() != "out of memory" {
		t.Error(code)
	}
}

func TestIgnoreTerm(t *testing.T) {
	e := start(t, "--ignore-term")
	url := e.url(t)
	if err := e.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	resp, err := http.Get(url + "/health")
	if err != nil || resp.StatusCode != 200 {
		t.Error(resp, err)
	}
}

func TestParseLaunch(t *testing.T) {
	parse := func(env map[string]string, args ...string) (Launch, error) {
		f := flag.NewFlagSet("x", flag.ContinueOnError)
		f.SetOutput(io.Discard)
		return parseLaunch(f, args, func(k string) string { return env[k] })
	}
	l, err := parse(map[string]string{"HAL0_DEMO_TOKENS_PER_SECOND": "7", "HAL0_DEMO_FAULT": "hang", KeyVar: "k"}, "--fault", "eof", "--at", "2", "--memory", "5")
	if err != nil || l.Knobs.Rate != 7 || l.Knobs.Fault != FaultEOF || l.Knobs.At != 2 || l.Memory != 5 || l.Key != "k" {
		t.Errorf("%+v %v", l, err)
	}
	for _, args := range [][]string{{"--fault", "flood"}, {"--bogus"}, {"extra"}, {"--tokens-per-second", "-1"}} {
		if _, err := parse(nil, args...); err == nil {
			t.Errorf("%q was accepted", args)
		}
	}
	if _, err := parse(map[string]string{"HAL0_DEMO_PORT": "x"}); err == nil || !strings.Contains(err.Error(), "HAL0_DEMO_PORT") {
		t.Error(err)
	}
}
