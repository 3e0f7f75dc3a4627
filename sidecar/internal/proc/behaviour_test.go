//go:build unix

package proc_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/hal0-dev/hal0/sidecar/internal/proc"
)

// behaviourVar makes the test binary play a process of that behaviour.
const behaviourVar = "HAL0_TEST_BEHAVIOUR"

func TestMain(m *testing.M) {
	if b := os.Getenv(behaviourVar); b != "" {
		os.Exit(behave(b))
	}
	os.Exit(m.Run())
}

func behave(name string) int {
	switch name {
	case "exit":
		code, _ := strconv.Atoi(os.Args[1])
		return code
	case "talk":
		fmt.Println("out one")
		fmt.Fprintln(os.Stderr, "err two")
		fmt.Print("\x1b[31mred\x1b[0m\r50%\r100%\n\nunfinished")
		return 0
	case "spam":
		w := bufio.NewWriter(os.Stderr)
		defer w.Flush()
		for i := range 20000 {
			fmt.Fprintf(w, "line %d %s\n", i, strings.Repeat("x", 60))
		}
		return 3
	case "long-line":
		fmt.Println(strings.Repeat("y", 1<<20))
		return 0
	case "wait":
		fmt.Println("waiting")
		return forever()
	case "ignore-term":
		signal.Ignore(syscall.SIGTERM)
		fmt.Println("waiting")
		return forever()
	case "polite":
		heard := make(chan os.Signal, 1)
		signal.Notify(heard, syscall.SIGTERM)
		fmt.Println("waiting")
		<-heard
		return 7
	case "crash":
		signal.Reset(syscall.SIGABRT)
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		return forever()
	case "fork":
		return fork(false)
	case "fork-away":
		return fork(true)
	case "parent":
		return parent()
	case "family":
		return family()
	case "keeper":
		return keeper(os.Args[1])
	case "grow":
		return grow()
	case "orphaner":
		return orphaner()
	case "init":
		return initial()
	}
	fmt.Fprintln(os.Stderr, "unknown behaviour", name)
	return 99
}

// fork leaves a grandchild behind that holds the output open; away puts it into
// a session of its own.
func fork(away bool) int {
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), behaviourVar+"=wait")
	c.Stdout, c.Stderr = os.Stdout, os.Stderr
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: away}
	if err := c.Start(); err != nil {
		fmt.Println(err)
		return 98
	}
	fmt.Println("grandchild", c.Process.Pid)
	return 5
}

// parent starts a process as the sidecar does, says its number and waits to be
// killed.
func parent() int {
	p, err := proc.Start(proc.Spec{Path: os.Args[0], Env: append(os.Environ(), behaviourVar+"=ignore-term")})
	if err != nil {
		fmt.Println(err)
		return 97
	}
	fmt.Println("child", p.PID())
	<-p.Done()
	return 0
}

// process starts a behaviour; lines are sent to the channel, which is closed by
// nobody.
func process(t *testing.T, name string, args ...string) (*proc.Process, <-chan string) {
	t.Helper()
	lines := make(chan string, 1<<16)
	p, err := proc.Start(proc.Spec{
		Path:   os.Args[0],
		Args:   args,
		Env:    append(os.Environ(), behaviourVar+"="+name),
		OnLine: func(l string) { lines <- l },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Kill(); err != nil {
			t.Error(err)
		}
		<-p.Done()
	})
	return p, lines
}

// said waits for a line with the prefix: a child may speak before its parent
// names it.
func said(lines <-chan string, prefix string) string {
	for {
		if line := <-lines; strings.HasPrefix(line, prefix) {
			return line
		}
	}
}

// number is the pid in a line "<what> N".
func number(t *testing.T, line string) int {
	t.Helper()
	_, s, _ := strings.Cut(line, " ")
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatalf("no number in %q", line)
	}
	return n
}

// family has one child in its own group and one in a session of its own, and
// waits.
func family() int {
	for _, away := range []bool{false, true} {
		if code := fork(away); code != 5 {
			return code
		}
	}
	return forever()
}

// keeper launches a family with a journal, repeats what it says, and waits to
// be killed.
func keeper(dir string) int {
	j, err := proc.OpenJournal(dir)
	if err != nil {
		fmt.Println(err)
		return 96
	}
	p, err := proc.Start(proc.Spec{
		Path: os.Args[0], Env: append(os.Environ(), behaviourVar+"=family"), Journal: j,
		OnLine: func(l string) { fmt.Println(l) },
	})
	if err != nil {
		fmt.Println(err)
		return 97
	}
	fmt.Println("leader", p.PID())
	<-p.Done()
	return 0
}

// grow takes memory when it reads a line, without saying a word.
func grow() int {
	fmt.Println("waiting")
	heard := make(chan os.Signal, 1)
	signal.Notify(heard, syscall.SIGUSR1)
	<-heard
	held := make([]byte, 32<<20)
	for i := 0; i < len(held); i += 4096 {
		held[i] = 1
	}
	<-heard
	return int(held[0])
}

// orphaner leaves a child behind that ends.
func orphaner() int {
	c := exec.Command(os.Args[0], "0")
	c.Env = append(os.Environ(), behaviourVar+"=exit")
	if err := c.Start(); err != nil {
		return 93
	}
	fmt.Println(c.Process.Pid)
	return 0
}

// forever waits for what does not come. Whoever listens for signals is not taken
// for deadlocked by the runtime.
func forever() int {
	never := make(chan os.Signal, 1)
	signal.Notify(never, syscall.Signal(0x1f))
	<-never
	return 0
}
