package docker

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/hal0-dev/hal0/integration/bed"
)

const groups = "hal0-engine-"

// group is the control group of all containers of this process's engines.
func group() string { return fmt.Sprintf("/%s%d", groups, os.Getpid()) }

// sweep removes the control groups of engines that have ended, however they
// did: the kernel keeps an empty one for ever.
func sweep() {
	for _, at := range []string{"/sys/fs/cgroup/", "/sys/fs/cgroup/*/"} {
		found, _ := filepath.Glob(at + groups + "*") // fails only on a bad pattern
		for _, dir := range found {
			pid, err := strconv.Atoi(dir[strings.LastIndex(dir, "-")+1:])
			if err != nil || pid != os.Getpid() && bed.Alive(pid) {
				continue
			}
			containers, _ := filepath.Glob(filepath.Join(dir, "*", "cgroup.procs"))
			for _, file := range containers {
				_ = os.Remove(filepath.Dir(file))
			}
			_ = os.Remove(dir) // busy while a process is in it: the next sweep's
		}
	}
}
