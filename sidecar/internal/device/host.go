package device

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path"
	"strconv"
	"strings"
)

// readHost reads the machine's memory below root (the file system's root): what
// is there in all and free, and not more than the control groups allow.
func readHost(root fs.FS) (Device, error) {
	d := Device{ID: Host, Kind: KindHost, Name: "host memory", Total: Unknown, Free: Unknown}
	b, err := fs.ReadFile(root, "proc/meminfo")
	if err != nil {
		return d, fmt.Errorf("read host memory: %w", err)
	}
	total, free := parseMeminfo(string(b))
	if total == Unknown || free == Unknown {
		return d, errors.New("read host memory: meminfo does not tell")
	}
	limit, used := readCgroups(root)
	if limit < total {
		total = limit
	}
	d.Total, d.Free = total, max(min(free, limit-used), 0)
	return d, nil
}

// parseMeminfo reads MemTotal and MemAvailable, in bytes.
func parseMeminfo(s string) (total, available int64) {
	total, available = Unknown, Unknown
	for line := range strings.Lines(s) {
		f := strings.Fields(line)
		if len(f) != 3 || f[2] != "kB" {
			continue
		}
		n, err := strconv.ParseInt(f[1], 10, 64)
		if err != nil || n < 0 || n > math.MaxInt64>>10 {
			continue
		}
		switch f[0] {
		case "MemTotal:":
			total = n << 10
		case "MemAvailable:":
			available = n << 10
		}
	}
	return total, available
}

// noLimit stands for the absence of a limit, beyond any machine's memory.
const noLimit = int64(1) << 60

// readCgroups finds the tightest of the memory limits that this process is
// under: its limit, and what is used of it, file cache that can be dropped not
// counted.
func readCgroups(root fs.FS) (limit, used int64) {
	limit = noLimit
	for _, g := range cgroups(text(root, "proc/self/cgroup")) {
		for dir := g.path; ; dir = path.Dir(dir) {
			l, u := readCgroup(root, path.Join(g.mount, dir), g.v1)
			if l < noLimit && l-u < limit-used {
				limit, used = l, u
			}
			if dir == "/" || dir == "." {
				break
			}
		}
	}
	return limit, used
}

// group is a control group of this process that may limit memory.
type group struct {
	mount string
	path  string
	v1    bool
}

// cgroups reads /proc/self/cgroup. Within a container the path may be the
// host's and not exist below our mount; then only the mount's root does.
func cgroups(s string) []group {
	var out []group
	for line := range strings.Lines(s) {
		f := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(f) != 3 || !strings.HasPrefix(f[2], "/") {
			continue
		}
		switch {
		case f[0] == "0" && f[1] == "":
			out = append(out, group{"sys/fs/cgroup", f[2], false}, group{"sys/fs/cgroup/unified", f[2], false})
		case containsWord(f[1], "memory"):
			out = append(out, group{"sys/fs/cgroup/memory", f[2], true})
		}
	}
	return out
}

func containsWord(list, word string) bool {
	for w := range strings.SplitSeq(list, ",") {
		if w == word {
			return true
		}
	}
	return false
}

func readCgroup(root fs.FS, dir string, v1 bool) (limit, used int64) {
	max, current, cache := "memory.max", "memory.current", "inactive_file"
	if v1 {
		max, current, cache = "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"
	}
	limit = figure(root, path.Join(dir, max)) // "max" is no figure
	if limit == Unknown || limit > noLimit {
		return noLimit, 0
	}
	used = figure(root, path.Join(dir, current))
	if used == Unknown {
		return limit, 0
	}
	if c := property64(text(root, path.Join(dir, "memory.stat")), cache); c > 0 {
		used = used - min(c, used)
	}
	return limit, used
}

func property64(text, name string) int64 {
	for line := range strings.Lines(text) {
		if f := strings.Fields(line); len(f) == 2 && f[0] == name {
			n, err := strconv.ParseInt(f[1], 10, 64)
			if err != nil {
				return 0
			}
			return n
		}
	}
	return 0
}

// Resident is what a process and its descendants have in the host's memory,
// below root (the file system's root).
func Resident(root fs.FS, pid int) (int64, error) {
	children := map[int][]int{}
	entries, err := fs.ReadDir(root, "proc")
	if err != nil {
		return 0, fmt.Errorf("read processes: %w", err)
	}
	for _, e := range entries {
		if n, err := strconv.Atoi(e.Name()); err == nil {
			parent := parentOf(text(root, path.Join("proc", e.Name(), "stat")))
			children[parent] = append(children[parent], n)
		}
	}
	var sum int64
	seen := map[int]bool{}
	for todo := []int{pid}; len(todo) > 0; todo = todo[1:] {
		p := todo[0]
		if seen[p] {
			continue
		}
		seen[p] = true
		sum += statusKB(text(root, path.Join("proc", strconv.Itoa(p), "status")), "VmHWM:")
		todo = append(todo, children[p]...)
	}
	if sum == 0 {
		return 0, fmt.Errorf("read memory of process %d: %w", pid, fs.ErrNotExist)
	}
	return sum, nil
}

// parentOf reads the parent out of a stat line; the name before it may hold
// anything.
func parentOf(stat string) int {
	i := strings.LastIndexByte(stat, ')')
	if i < 0 {
		return 0
	}
	f := strings.Fields(stat[i+1:])
	if len(f) < 2 {
		return 0
	}
	n, err := strconv.Atoi(f[1])
	if err != nil {
		return 0
	}
	return n
}

// statusKB reads a "Name:  123 kB" line into bytes, 0 if there is none.
func statusKB(status, name string) int64 {
	for line := range strings.Lines(status) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == name && f[2] == "kB" {
			n, err := strconv.ParseInt(f[1], 10, 64)
			if err != nil || n < 0 {
				return 0
			}
			return n << 10
		}
	}
	return 0
}
