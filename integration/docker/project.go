package docker

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/hal0-dev/hal0/integration/bed"
)

// Project is a compose project on an engine.
type Project struct {
	e     *Engine
	files []string // below the repository's top, or absolute
	env   []string
}

// Project is one of these compose files together, with these variables set.
func (e *Engine) Project(env []string, files ...string) *Project {
	bed.Tool(e.t, "docker-compose")
	return &Project{e: e, env: env, files: files}
}

// Compose runs Compose and returns what it printed.
func (p *Project) Compose(args ...string) string {
	p.e.t.Helper()
	return p.Fed(nil, args...)
}

// Fed is Compose with something to read.
func (p *Project) Fed(in io.Reader, args ...string) string {
	p.e.t.Helper()
	all := []string{"--ansi=never", "--project-directory", bed.Root()}
	for _, f := range p.files {
		all = append(all, "--file", f)
	}
	cmd := p.e.command(bed.Tool(p.e.t, "docker-compose"), append(all, args...)...)
	cmd.Dir = bed.Root()
	cmd.Stdin, cmd.Env = in, append(cmd.Env, p.env...)
	return p.e.must(cmd)
}

// Kill is kill -9 of process 1 of a service's container, from outside: the engine
// takes it for a crash, as it does not its own "kill". It returns when all of the
// container's processes are gone.
func (p *Project) Kill(service string) {
	p.e.t.Helper()
	all := p.e.processes(p.Compose("ps", "--quiet", service))
	for pid, inside := range all {
		if inside != "1" {
			continue
		}
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			p.e.t.Fatalf("kill %s: %v", service, err)
		}
	}
	bed.Until(p.e.t, service+" is dead", time.Minute, func() bool {
		for pid := range all {
			if bed.Alive(pid) {
				return false
			}
		}
		return len(all) > 0
	})
}

// Running are the processes of all containers, by their ids here.
func (e *Engine) Running() map[int]string {
	e.t.Helper()
	return e.processes(group())
}

// processes are those whose control group has that in its name: their ids here,
// and in their container.
func (e *Engine) processes(of string) map[int]string {
	e.t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cgroup")
	if err != nil {
		e.t.Fatal(err)
	}
	found := map[int]string{}
	for _, file := range files {
		groups, err := os.ReadFile(file)
		if err != nil || of == "" || !strings.Contains(string(groups), of) {
			continue // it has ended meanwhile, or is none of them
		}
		status, _ := os.ReadFile(filepath.Join(filepath.Dir(file), "status"))
		_, rest, _ := strings.Cut(string(status), "\nNSpid:")
		line, _, _ := strings.Cut(rest, "\n")
		ids := strings.Fields(line)
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file))); err == nil && len(ids) > 0 {
			found[pid] = ids[len(ids)-1]
		}
	}
	return found
}

// Empty removes all files of a volume.
func (e *Engine) Empty(volume string) {
	e.t.Helper()
	files, err := filepath.Glob(filepath.Join(e.dir, "data/volumes", volume, "_data", "*"))
	for _, f := range files {
		err = errors.Join(err, os.RemoveAll(f))
	}
	if err != nil || len(files) == 0 {
		e.t.Fatalf("empty volume %s: %d files, %v", volume, len(files), err)
	}
}

// Volume is a file in a volume.
func (e *Engine) Volume(name, file string) []byte {
	e.t.Helper()
	b, err := os.ReadFile(filepath.Join(e.dir, "data/volumes", name, "_data", file))
	if err != nil {
		e.t.Fatal(err)
	}
	return b
}
