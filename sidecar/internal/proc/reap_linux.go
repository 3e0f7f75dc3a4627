package proc

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// reapWait is how long a killed process may take to be gone.
const reapWait = 10 * time.Second

// Reap ends what the journal's earlier users left behind, and nothing else. It
// must run before the journal's owner launches anything.
//
// A process is ended if it is a launch's leader (number and start time agree),
// if it is in such a leader's group, or if its environment carries the launch's
// mark. Entries of another boot or of another namespace of process ids name
// nobody who could still be there, and are dropped.
func (j *Journal) Reap(ctx context.Context) ([]Left, error) {
	entries, err := j.entries()
	if err != nil || len(entries) == 0 {
		return nil, err
	}
	var all []Left
	var problems []error
	for _, e := range entries {
		left, err := j.reap(ctx, e)
		all = append(all, left...)
		if err != nil {
			problems = append(problems, err)
			continue // the entry stays for the next start
		}
		j.end(e)
	}
	return all, errors.Join(problems...)
}

// rounds bounds how often what is left is looked for: a process may have forked
// while its group was being ended.
const rounds = 10

func (j *Journal) reap(ctx context.Context, e *entry) (left []Left, err error) {
	if e.Home != j.home {
		return nil, nil
	}
	for range rounds {
		rows, err := processes()
		if err != nil {
			return left, fmt.Errorf("list processes: %w", err)
		}
		victims := e.victims(rows)
		if len(victims) == 0 {
			return left, nil
		}
		for _, r := range victims {
			err := end(ctx, r)
			if errors.Is(err, errNotThere) {
				continue
			}
			left = append(left, Left{PID: r.pid, Executable: e.Executable, Launched: e.Launched, Gone: err == nil})
			if err != nil {
				return left, fmt.Errorf("end process %d of %s: %w", r.pid, e.Executable, err)
			}
		}
	}
	return left, fmt.Errorf("end processes of %s: %w", e.Executable, errBreeds)
}

var errBreeds = errors.New("there are always new ones")

// victims chooses whom the entry means.
func (e *entry) victims(rows []row) []row {
	leader, taken := false, false // the leader lives; another process has its number
	for _, r := range rows {
		if e.PID != 0 && r.pid == e.PID {
			leader, taken = r.start == e.StartTicks, r.start != e.StartTicks
		}
	}
	var out []row
	for _, r := range rows {
		if r.pid == os.Getpid() || r.state == 'Z' {
			continue
		}
		switch {
		case leader && (r.pid == e.PID || r.group == e.PID), marks(r.pid) == e.ID:
			out = append(out, r)
		case e.PID != 0 && r.group == e.PID && !taken && r.start >= e.StartTicks && executable(r.pid) == e.Executable:
			// The leader has gone and its group has not. A group of the same
			// number that is not ours would have to have lost its leader, too;
			// so the program must agree.
			out = append(out, r)
		}
	}
	return out
}

var errNotThere = errors.New("process has gone")

// end kills one process and waits for its end. The process is held by a pidfd
// before it is looked at again, so that the number cannot change hands between.
func end(ctx context.Context, r row) error {
	fd, err := unix.PidfdOpen(r.pid, 0)
	if errors.Is(err, unix.ESRCH) {
		return errNotThere
	}
	if err != nil {
		return fmt.Errorf("hold process: %w", err)
	}
	defer unix.Close(fd)
	now, err := readRow(r.pid)
	if err != nil || now.start != r.start {
		return errNotThere
	}
	if err := unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("kill process: %w", err)
	}
	return awaitPidfd(ctx, fd, reapWait)
}

var errSurvives = errors.New("process survives KILL")

// awaitPidfd waits for the end of a process.
func awaitPidfd(ctx context.Context, fd int, limit time.Duration) error {
	deadline := time.Now().Add(limit)
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	for {
		rest := time.Until(deadline)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case rest <= 0:
			return errSurvives
		}
		n, err := unix.Poll(fds, int(min(rest, 100*time.Millisecond).Milliseconds())+1)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return fmt.Errorf("wait for process: %w", err)
		}
		if n > 0 {
			return nil
		}
	}
}
