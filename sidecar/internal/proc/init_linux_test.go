package proc_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/hal0-dev/hal0/sidecar/internal/proc"
)

// childVar tells the child of the process that plays number 1.
const childVar = "HAL0_TEST_CHILD"

// The whole duty of process 1: waits for orphans, hands signals on, ends as its
// child does. A subreaper gets orphans, too, wherever its number.
func TestInit(t *testing.T) {
	if _, isInit := proc.Init(); isInit {
		t.Fatal("takes itself for process 1")
	}
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), behaviourVar+"=init")
	c.Stderr = os.Stderr
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || line != "collected\n" {
		t.Error(line, err)
	}
	if err := c.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	_ = c.Wait() // "exit status 42"
	if code := c.ProcessState.ExitCode(); code != 42 {
		t.Errorf("exit code %d", code)
	}
}

// initial plays process 1 first, and its child then. The child leaves an orphan
// behind and waits until somebody has waited for it.
func initial() int {
	if os.Getenv(childVar) == "" {
		if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
			fmt.Println(err)
			return 96
		}
		os.Setenv(childVar, "1")
		return proc.RunInit()
	}
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), behaviourVar+"=orphaner")
	out, err := c.Output()
	if err != nil {
		fmt.Println(err)
		return 95
	}
	orphan, err := strconv.Atoi(strings.TrimSpace(string(out)))
	if err != nil {
		return 94
	}
	for syscall.Kill(orphan, 0) == nil { // a zombie still has its number
		runtime.Gosched()
	}
	heard := make(chan os.Signal, 1)
	signal.Notify(heard, syscall.SIGTERM)
	fmt.Println("collected")
	<-heard
	return 42
}
