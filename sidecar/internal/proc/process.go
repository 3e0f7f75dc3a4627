package proc

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"sync"
	"time"
)

// pipeDelay is how long the output may stay open after the leader's end. By
// then its group is dead, so whoever still holds it has left the group.
const pipeDelay = 250 * time.Millisecond

// Spec says what to run.
type Spec struct {
	Path string   // executable; without a slash it is looked up in PATH
	Args []string // without the program's name
	Env  []string // the whole environment, KEY=value; nil = this process's own
	Dir  string   // working directory, "" = this process's own

	// OnLine hears each line of output, in order, from one goroutine. A slow
	// OnLine slows the process down.
	OnLine func(line string)

	// Journal, if set, notes the process before it exists and until it has
	// ended. If it cannot be written, nothing is started.
	Journal *Journal
}

// Process is a running leader and its group.
type Process struct {
	cmd    *exec.Cmd
	output *output
	start  oomCount // before the start
	done   chan struct{}

	journal *Journal // nil = none
	entry   *entry   // in the journal
	pulse   pulse

	mu     sync.Mutex // guards what follows
	gone   bool       // the leader ended: its number may soon be another's
	ending bool       // Terminate or Kill was called before it was gone
	exit   Exit       // valid once done is closed
}

// Start runs the process.
func Start(s Spec) (*Process, error) {
	cmd := exec.Command(s.Path, s.Args...)
	if cmd.Err != nil {
		return nil, newStartError(s.Path, cmd.Err)
	}
	p := &Process{cmd: cmd, output: newOutput(s.OnLine), start: readOOMCount(), done: make(chan struct{}), journal: s.Journal}
	cmd.Env, cmd.Dir = s.Env, s.Dir
	cmd.Stdout, cmd.Stderr = p.output, p.output // equal, so that exec makes one pipe and lines keep their order
	cmd.WaitDelay = pipeDelay
	cmd.SysProcAttr = groupAttr()
	if err := p.note(); err != nil {
		return nil, fmt.Errorf("start %s: %w", s.Path, err)
	}
	started := make(chan error, 1)
	go p.run(started)
	if err := <-started; err != nil {
		return nil, err
	}
	return p, nil
}

// run owns the process from fork to the end. Its thread must stay until the
// leader has ended: the kernel sends the parent-death signal when the thread
// that forked ends.
func (p *Process) run(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := p.cmd.Start(); err != nil {
		p.unnote()
		started <- newStartError(p.cmd.Path, err)
		return
	}
	offerToOOMKiller(p.PID())
	if err := p.noteStarted(); err != nil {
		_ = killGroup(p.cmd.Process) // it cannot have been waited for yet
		_ = p.cmd.Wait()             // "killed"
		started <- fmt.Errorf("start %s: %w", p.cmd.Path, err)
		return
	}
	started <- nil
	awaitEnd(p.PID())
	p.retire()
	err := p.cmd.Wait()
	p.output.flush()
	p.conclude(err)
	p.unnote()
	close(p.done)
}

// note puts the launch into the journal.
func (p *Process) note() error {
	if p.journal == nil {
		return nil
	}
	e, err := p.journal.begin(p.cmd.Path)
	if err != nil {
		return err
	}
	p.entry = e
	if p.cmd.Env == nil {
		p.cmd.Env = os.Environ()
	}
	p.cmd.Env = append(slices.Clone(p.cmd.Env), markVar+"="+e.ID)
	return nil
}

func (p *Process) noteStarted() error {
	if p.journal == nil {
		return nil
	}
	return p.journal.started(p.entry, p.PID())
}

func (p *Process) unnote() {
	if p.journal != nil {
		p.journal.end(p.entry)
	}
}

// retire kills what is left of the group. On linux the leader is a zombie here
// and holds the number, so that it cannot be another group's.
func (p *Process) retire() {
	if !endIsSeenBeforeWait {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.gone = true
	_ = killGroup(p.cmd.Process) // nobody left is the normal case
}

func (p *Process) conclude(err error) {
	after := readOOMCount()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.gone = true
	p.exit = exitOf(p.cmd.ProcessState)
	p.exit.OOM = killedByOOM(p.exit, p.ending, p.start, after)
	var failed *exec.ExitError
	if err != nil && !errors.As(err, &failed) && !errors.Is(err, exec.ErrWaitDelay) {
		p.output.add("output lost: " + err.Error())
	}
}

// PID is the leader's number.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Terminate asks the group to end. A stopped process is continued, so that it
// can hear it.
func (p *Process) Terminate() error { return p.signal("terminate", terminateGroup) }

// Kill ends the group.
func (p *Process) Kill() error { return p.signal("kill", killGroup) }

func (p *Process) signal(verb string, send func(*os.Process) error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.gone {
		return nil
	}
	p.ending = true
	if err := send(p.cmd.Process); err != nil && !isGone(err) {
		return fmt.Errorf("%s process %d: %w", verb, p.PID(), err)
	}
	return nil
}

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Exit says how the leader ended; it is zero until Done is closed.
func (p *Process) Exit() Exit {
	select {
	case <-p.done:
		return p.exit
	default:
		return Exit{}
	}
}

// Tail is a copy of the last lines of output, oldest first.
func (p *Process) Tail() []string { return p.output.lines() }

// LastLine is when there was output last, or when the process was started.
func (p *Process) LastLine() time.Time { return p.output.lastTime() }
