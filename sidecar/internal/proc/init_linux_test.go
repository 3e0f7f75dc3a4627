package proc_test

import (
	"bufio"
	"os"
	"os/exec"
	"syscall"
	"testing"
)

// The whole duty of process 1: waits for orphans, hands signals on, ends as its
// child does.
func TestInit(t *testing.T) {
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), behaviourVar+"=init")
	c.Stderr = os.Stderr
	c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID}
	if os.Geteuid() != 0 {
		c.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Skip("no namespace of process ids can be made here:", err)
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
