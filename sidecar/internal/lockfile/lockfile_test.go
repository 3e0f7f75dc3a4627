package lockfile

import (
	"bufio"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// holdVar makes the test binary take a lock and hold it until it is killed.
const holdVar = "HAL0_TEST_HOLD"

func TestMain(m *testing.M) {
	if path := os.Getenv(holdVar); path != "" {
		if _, err := Try(path, "the other process"); err != nil {
			os.Exit(1)
		}
		os.Stdout.WriteString("held\n")
		select {}
	}
	os.Exit(m.Run())
}

func TestOneAtATime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	l, err := Try(path, "first\nof all")
	if err != nil {
		t.Fatal(err)
	}
	_, err = Try(path, "second")
	var held *HeldError
	if !errors.As(err, &held) || held.Holder != "first of all" {
		t.Errorf("%v", err)
	}
	l.Release()
	l.Release()
	second, err := Try(path, "2")
	if err != nil {
		t.Fatal(err)
	}
	defer second.Release()
	if _, err := Try(path, ""); !errors.As(err, &held) || held.Holder != "2" {
		t.Error(err)
	}
}

func TestWait(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	l, err := Try(path, "first")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var held *HeldError
	if _, err := Wait(ctx, path, "second"); !errors.Is(err, context.Canceled) || !errors.As(err, &held) {
		t.Error(err)
	}
	got := make(chan error, 1)
	go func() {
		second, err := Wait(t.Context(), path, "second")
		if err == nil {
			second.Release()
		}
		got <- err
	}()
	l.Release()
	if err := <-got; err != nil {
		t.Error(err)
	}
}

func TestDeathUnlocks(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), holdVar+"="+path)
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	var held *HeldError
	if _, err := Try(path, ""); !errors.As(err, &held) || held.Holder != "the other process" {
		t.Error(err)
	}
	if err := c.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = c.Wait() // "signal: killed"
	l, err := Try(path, "")
	if err != nil {
		t.Fatal(err)
	}
	l.Release()
}

func TestUnusable(t *testing.T) {
	if _, err := Try(filepath.Join(t.TempDir(), "no", "lock"), ""); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}
