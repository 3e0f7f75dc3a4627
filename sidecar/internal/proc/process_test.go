//go:build unix

package proc_test

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hal0-dev/hal0/sidecar/internal/proc"
)

func TestExitCode(t *testing.T) {
	for arg, want := range map[string]int{"0": 0, "1": 1, "143": 143} {
		p, _ := process(t, "exit", arg)
		<-p.Done()
		if e := p.Exit(); e.Code != want || e.Signal != "" || e.OOM {
			t.Errorf("exit %s: %+v", arg, e)
		}
	}
}

func TestExitBySignal(t *testing.T) {
	p, _ := process(t, "crash")
	<-p.Done()
	if e := p.Exit(); e.Code != -1 || e.Signal != "killed" || e.OOM {
		t.Errorf("%+v", e)
	}
}

func TestLines(t *testing.T) {
	began := time.Now()
	p, lines := process(t, "talk")
	<-p.Done()
	want := []string{"out one", "err two", "red", "50%", "100%", "unfinished"}
	if got := p.Tail(); !reflect.DeepEqual(got, want) {
		t.Errorf("tail %q, want %q", got, want)
	}
	for _, w := range want {
		if got := <-lines; got != w {
			t.Errorf("heard %q, want %q", got, w)
		}
	}
	if p.LastLine().Before(began) {
		t.Error("the last line is older than the process")
	}
}

func TestTailIsBounded(t *testing.T) {
	p, lines := process(t, "spam")
	<-p.Done()
	tail := p.Tail()
	if len(tail) != 200 || !strings.HasPrefix(tail[199], "line 19999 ") {
		t.Errorf("%d lines, the last %q", len(tail), tail[len(tail)-1])
	}
	if len(lines) != 20000 {
		t.Errorf("heard %d lines", len(lines))
	}
	if p.Exit().Code != 3 {
		t.Errorf("%+v", p.Exit())
	}
}

func TestLongLineIsCut(t *testing.T) {
	p, _ := process(t, "long-line")
	<-p.Done()
	tail := p.Tail()
	if len(tail) != 1 || len(tail[0]) > 5000 || !strings.HasSuffix(tail[0], "y …") {
		t.Errorf("%d lines, the first of %d bytes", len(tail), len(tail[0]))
	}
}

func TestTerminate(t *testing.T) {
	p, lines := process(t, "polite")
	<-lines
	for range 3 {
		if err := p.Terminate(); err != nil {
			t.Fatal(err)
		}
	}
	<-p.Done()
	if e := p.Exit(); e.Code != 7 {
		t.Errorf("%+v", e)
	}
	if err := errors.Join(p.Terminate(), p.Kill()); err != nil {
		t.Errorf("after the end: %v", err)
	}
}

func TestStoppedProcess(t *testing.T) {
	stop := func(p *proc.Process) {
		if err := syscall.Kill(p.PID(), syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
	}
	polite, lines := process(t, "polite")
	<-lines
	stop(polite)
	if err := polite.Terminate(); err != nil {
		t.Fatal(err)
	}
	<-polite.Done()
	if e := polite.Exit(); e.Code != 7 {
		t.Errorf("terminated while stopped: %+v", e)
	}
	deaf, lines := process(t, "ignore-term")
	<-lines
	stop(deaf)
	if err := errors.Join(deaf.Terminate(), deaf.Kill()); err != nil {
		t.Fatal(err)
	}
	<-deaf.Done()
	if e := deaf.Exit(); e.Signal != "killed" || e.OOM {
		t.Errorf("killed while stopped: %+v", e)
	}
}

// The leader's end takes its group along, and is noticed although a grandchild
// holds the output.
func TestGroupEndsWithLeader(t *testing.T) {
	p, lines := process(t, "fork")
	child := number(t, said(lines, "grandchild "))
	<-p.Done()
	if e := p.Exit(); e.Code != 5 {
		t.Errorf("%+v", e)
	}
	awaitGone(t, child)
}

func TestExitIsNoticedWhileAStrangerHoldsTheOutput(t *testing.T) {
	p, lines := process(t, "fork-away")
	child := number(t, said(lines, "grandchild "))
	defer func() {
		if err := syscall.Kill(child, syscall.SIGKILL); err != nil {
			t.Error("the stranger was killed:", err)
		}
	}()
	<-p.Done()
	if e := p.Exit(); e.Code != 5 {
		t.Errorf("%+v", e)
	}
}

func TestStartFails(t *testing.T) {
	dir := t.TempDir()
	plain := dir + "/plain"
	if err := os.WriteFile(plain, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]error{
		"no-such-program-anywhere": exec.ErrNotFound,
		dir + "/none":              fs.ErrNotExist,
		plain:                      fs.ErrPermission,
	} {
		if _, err := proc.Start(proc.Spec{Path: path}); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", path, err, want)
		}
	}
}

func TestKillRace(t *testing.T) {
	for range 20 {
		p, _ := process(t, "exit", "0")
		killed := make(chan error, 4)
		for range cap(killed) {
			go func() { killed <- errors.Join(p.Terminate(), p.Kill()) }()
		}
		for range cap(killed) {
			if err := <-killed; err != nil {
				t.Error(err)
			}
		}
		<-p.Done()
	}
}
