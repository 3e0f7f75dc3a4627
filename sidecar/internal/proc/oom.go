package proc

import (
	"bufio"
	"io"
	"io/fs"
	"strconv"
	"strings"
)

// oomCount is how often the kernel killed for want of memory: in this process's
// control group, and on the whole machine. Counters that cannot be read are 0.
type oomCount struct{ group, machine uint64 }

// killedByOOM decides whether an exit was the kernel's doing. Where only the
// machine's counter moved, a kill that we did not send must speak for it, too.
func killedByOOM(e Exit, ending bool, before, after oomCount) bool {
	if ending || e.Code == 0 {
		return false
	}
	if after.group > before.group {
		return true
	}
	return e.Signal == signalKilled && after.machine > before.machine
}

// signalKilled is the name that os gives to SIGKILL.
const signalKilled = "killed"

// oomCountIn reads the counters below root, where /proc and /sys are.
func oomCountIn(root fs.FS) oomCount {
	c := oomCount{machine: counterIn(root, "proc/vmstat", "oom_kill")}
	for _, dir := range cgroupDirs(root) {
		for _, file := range []string{"memory.events", "memory.oom_control"} {
			c.group = max(c.group, counterIn(root, dir+"/"+file, "oom_kill"))
		}
	}
	return c
}

// cgroupDirs are the folders that may describe our control group: by its path,
// and the mount's root, which is what a container sees.
func cgroupDirs(root fs.FS) []string {
	dirs := []string{"sys/fs/cgroup", "sys/fs/cgroup/memory"}
	b, err := fs.ReadFile(root, "proc/self/cgroup")
	if err != nil {
		return dirs
	}
	for line := range strings.Lines(string(b)) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) != 3 || parts[2] == "/" {
			continue
		}
		path := strings.Trim(parts[2], "/")
		switch {
		case parts[0] == "0" && parts[1] == "":
			dirs = append(dirs, "sys/fs/cgroup/"+path)
		case strings.Contains(","+parts[1]+",", ",memory,"):
			dirs = append(dirs, "sys/fs/cgroup/memory/"+path)
		}
	}
	return dirs
}

// counterIn finds "name N" in a file of such lines.
func counterIn(root fs.FS, path, name string) uint64 {
	f, err := root.Open(path)
	if err != nil {
		return 0
	}
	defer f.Close()
	lines := bufio.NewScanner(io.LimitReader(f, 1<<20))
	for lines.Scan() {
		if rest, ok := strings.CutPrefix(lines.Text(), name+" "); ok {
			n, err := strconv.ParseUint(strings.TrimSpace(rest), 10, 64)
			if err != nil {
				return 0
			}
			return n
		}
	}
	return 0
}
