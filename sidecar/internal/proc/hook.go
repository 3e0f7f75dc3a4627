package proc

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// hookTimeout is how long a hook may run where nothing else is said.
const hookTimeout = 30 * time.Second

// Hook is a command of the operator's that accompanies an event: it wakes
// another machine, say, or lets this one sleep. Its zero value does nothing.
type Hook struct {
	Command []string // program and arguments
	Timeout time.Duration
	Journal *Journal
	OnLine  func(line string)
}

// Run runs the command to its end; env is the whole environment. When ctx or
// the timeout ends it, its group is killed.
func (h Hook) Run(ctx context.Context, env []string) error {
	if len(h.Command) == 0 {
		return nil
	}
	limit := h.Timeout
	if limit <= 0 {
		limit = hookTimeout
	}
	ctx, cancel := context.WithTimeoutCause(ctx, limit, errHookSlow)
	defer cancel()
	p, err := Start(Spec{Path: h.Command[0], Args: h.Command[1:], Env: env, OnLine: h.OnLine, Journal: h.Journal})
	if err != nil {
		return fmt.Errorf("run hook: %w", err)
	}
	select {
	case <-p.Done():
	case <-ctx.Done():
		killed := p.Kill()
		<-p.Done()
		return fmt.Errorf("run hook %s: %w", h.Command[0], errors.Join(context.Cause(ctx), killed))
	}
	if e := p.Exit(); e != (Exit{}) {
		return fmt.Errorf("run hook %s: %s", h.Command[0], e)
	}
	return nil
}

var errHookSlow = errors.New("it took too long")
