package docker

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hal0-dev/hal0/integration/bed"
)

// Engine is a Docker engine that ends with the test, containers and all.
type Engine struct {
	*bed.Process // process 1 of its namespaces

	t      testing.TB
	dir    string // its data, its socket, and the command line's configuration
	prefix string // its programs
}

// boot makes the namespaces ready. What engine and containers leave in /run
// goes with them. Of GPUs the engine sees pretended device files, and a toolkit
// that does nothing.
const boot = `set -e
busybox mount --make-rprivate /
busybox mount -t proc proc /proc
busybox mount -t tmpfs tmpfs /run
busybox ip link set lo up
busybox mkdir -p "$0/dev" "$0/work" "$0/hooks"
busybox mount -t overlay overlay -o "lowerdir=/dev,upperdir=$0/dev,workdir=$0/work" /dev
busybox mkdir -p /dev/dri
for device in /dev/kfd /dev/dri/renderD128; do [ -e "$device" ] || busybox mknod "$device" c 1 3; done
echo '#!/bin/sh' >"$0/hooks/nvidia-container-runtime-hook"
busybox chmod +x "$0/hooks/nvidia-container-runtime-hook"
export PATH="$0/hooks:$PATH"
exec tini -- dockerd --data-root "$0/data" --host unix:///var/run/docker.sock --host "unix://$0/docker.sock" \
	--exec-opt native.cgroupdriver=cgroupfs --cgroup-parent "$1"`

// refused is what an engine says that the kernel does not let run.
var refused = regexp.MustCompile(`(?i).*(operation not permitted|permission denied|not supported|no such device).*`)

// Start starts an engine, or skips the test where the kernel refuses one.
func Start(t testing.TB) *Engine {
	t.Helper()
	e := &Engine{t: t, dir: t.TempDir(), prefix: filepath.Join(filepath.Dir(bed.Tool(t, "engine/done")), "prefix")}
	sweep()
	t.Cleanup(sweep)
	p := bed.Start(t, "dockerd", e.apart(filepath.Join(e.prefix, "bin/busybox"), "sh", "-c", boot, e.dir, group()))
	e.Process = p
	bed.Until(t, "the engine answers", time.Minute, func() bool {
		select {
		case <-p.Done():
			if line := refused.FindString(p.Log()); line != "" {
				t.Skip(bed.Refused + "a Docker engine: " + line)
			}
			t.Fatalf("the engine ended:\n%s", p.Tail())
		default:
		}
		_, err := output(e.command(filepath.Join(e.prefix, "usr/bin/docker"), "version"))
		return err == nil
	})
	return e
}

// apart is a command in namespaces of its own; the test is skipped where there
// are none to be had.
func (e *Engine) apart(name string, args ...string) *exec.Cmd {
	e.t.Helper()
	own := &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWNET}
	probe := exec.Command(name, "true")
	probe.SysProcAttr = own
	if err := probe.Run(); err != nil {
		e.t.Skipf("%snamespaces for a Docker engine: %v", bed.Refused, err)
	}
	cmd := exec.Command(name, args...)
	cmd.Env, cmd.SysProcAttr = append(bed.Environment(), environment(e.prefix)...), own
	return cmd
}

// environment is what the unpacked programs need to find each other and their
// libraries.
func environment(prefix string) []string {
	var libraries []string
	for _, pattern := range []string{"usr/lib/*-linux-gnu", "lib/*-linux-gnu"} {
		found, _ := filepath.Glob(filepath.Join(prefix, pattern)) // fails only on a bad pattern
		libraries = append(libraries, found...)
	}
	return []string{
		"LD_LIBRARY_PATH=" + strings.Join(libraries, ":"),
		"XTABLES_LIBDIR=" + filepath.Join(libraries[0], "xtables"),
		fmt.Sprintf("PATH=%[1]s/usr/sbin:%[1]s/usr/bin:%[1]s/sbin:%[1]s/bin", prefix),
	}
}
