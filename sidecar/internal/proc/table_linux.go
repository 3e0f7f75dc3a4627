package proc

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// row is one process as /proc shows it.
type row struct {
	pid   int
	group int
	start uint64 // ticks since boot
	state byte   // 'Z' = ended, not yet waited for
	cpu   time.Duration
}

// currentHome says which boot and which namespace this process is in.
func currentHome() home {
	var h home
	if b, err := os.ReadFile("/proc/sys/kernel/random/boot_id"); err == nil {
		h.Boot = strings.TrimSpace(string(b))
	}
	if ns, err := os.Readlink("/proc/self/ns/pid"); err == nil {
		h.Namespace = ns
	}
	return h
}

// startTicks is when a process started, 0 if it cannot be told.
func startTicks(pid int) uint64 {
	r, err := readRow(pid)
	if err != nil {
		return 0
	}
	return r.start
}

func readRow(pid int) (row, error) {
	b, err := os.ReadFile(procFile(pid, "stat"))
	if err != nil {
		return row{}, err
	}
	return parseStat(pid, b)
}

func procFile(pid int, name string) string { return "/proc/" + strconv.Itoa(pid) + "/" + name }

var errStat = errors.New("stat has an unknown form")

// parseStat reads /proc/PID/stat. The second field is the program's name in
// parentheses, in which anything may stand.
func parseStat(pid int, b []byte) (row, error) {
	end := bytes.LastIndexByte(b, ')')
	if end < 0 {
		return row{}, errStat
	}
	fields := strings.Fields(string(b[end+1:]))
	if len(fields) < 20 || fields[0] == "" {
		return row{}, errStat
	}
	group, err := strconv.Atoi(fields[2])
	if err != nil {
		return row{}, fmt.Errorf("%w: %w", errStat, err)
	}
	start, err := strconv.ParseUint(fields[19], 10, 64)
	if err != nil {
		return row{}, fmt.Errorf("%w: %w", errStat, err)
	}
	cpu := time.Duration(number(fields[11])+number(fields[12])) * tick
	return row{pid: pid, group: group, start: start, state: fields[0][0], cpu: cpu}, nil
}

// processes lists all that can be seen. One that ends meanwhile is left out.
func processes() ([]row, error) {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	var rows []row
	for _, n := range names {
		pid, err := strconv.Atoi(n)
		if err != nil {
			continue
		}
		if r, err := readRow(pid); err == nil {
			rows = append(rows, r)
		}
	}
	return rows, nil
}

// marks returns the launch that a process belongs to by its environment, "" if
// it says none or may not be asked.
func marks(pid int) string {
	b, err := os.ReadFile(procFile(pid, "environ"))
	if err != nil {
		return ""
	}
	for kv := range bytes.SplitSeq(b, []byte{0}) {
		if v, ok := bytes.CutPrefix(kv, []byte(markVar+"=")); ok {
			return string(v)
		}
	}
	return ""
}

// executable is the file that a process runs, "" if it may not be asked.
func executable(pid int) string {
	path, err := os.Readlink(procFile(pid, "exe"))
	if err != nil {
		return ""
	}
	return strings.TrimSuffix(path, " (deleted)")
}
