//go:build unix

package proc_test

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/hal0-dev/hal0/sidecar/internal/proc"
)

func TestHook(t *testing.T) {
	env := func(behaviour string) []string { return append(os.Environ(), behaviourVar+"="+behaviour) }
	if err := (proc.Hook{}).Run(t.Context(), nil); err != nil {
		t.Error(err)
	}
	var heard []string
	talk := proc.Hook{Command: []string{os.Args[0]}, OnLine: func(l string) { heard = append(heard, l) }}
	if err := talk.Run(t.Context(), env("talk")); err != nil || len(heard) == 0 || heard[0] != "out one" {
		t.Error(heard, err)
	}
	fails := proc.Hook{Command: []string{os.Args[0], "3"}}
	if err := fails.Run(t.Context(), env("exit")); err == nil || !strings.Contains(err.Error(), "exit code 3") {
		t.Error(err)
	}
	slow := proc.Hook{Command: []string{os.Args[0]}, Timeout: 50 * time.Millisecond}
	if err := slow.Run(t.Context(), env("ignore-term")); err == nil || !strings.Contains(err.Error(), "too long") {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := (proc.Hook{Command: []string{os.Args[0]}}).Run(ctx, env("wait")); err == nil || !strings.Contains(err.Error(), "canceled") {
		t.Error(err)
	}
	if err := (proc.Hook{Command: []string{"/no/such/hook"}}).Run(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "does not exist") {
		t.Error(err)
	}
}
