package proc

import (
	"bytes"
	"os"
	"strconv"
	"time"
)

// groupUsage adds up the processes of a group.
func groupUsage(group int) (Usage, error) {
	rows, err := processes()
	if err != nil {
		return Usage{}, err
	}
	var sum Usage
	for _, r := range rows {
		if r.group == group {
			sum.add(usageOf(r))
		}
	}
	return sum, nil
}

func (u *Usage) add(o Usage) {
	u.RSS += o.RSS
	u.PeakRSS += o.PeakRSS
	u.ReadBytes += o.ReadBytes
	u.CPU += o.CPU
}

// usageOf reads one process; what it may not read is 0.
func usageOf(r row) Usage {
	status := fieldsOf(r.pid, "status")
	return Usage{
		RSS:       number(status["VmRSS"]) << 10,
		PeakRSS:   number(status["VmHWM"]) << 10,
		ReadBytes: number(fieldsOf(r.pid, "io")["read_bytes"]),
		CPU:       r.cpu,
	}
}

// fieldsOf reads a file of /proc with lines "name: value".
func fieldsOf(pid int, file string) map[string]string {
	b, err := os.ReadFile(procFile(pid, file))
	if err != nil {
		return nil
	}
	return parseFields(b)
}

func parseFields(b []byte) map[string]string {
	fields := map[string]string{}
	for line := range bytes.Lines(b) {
		if name, value, ok := bytes.Cut(line, []byte(":")); ok {
			fields[string(name)] = string(bytes.TrimSpace(value))
		}
	}
	return fields
}

// number reads the digits that a value begins with.
func number(s string) int64 {
	end := 0
	for end < len(s) && s[end] >= '0' && s[end] <= '9' {
		end++
	}
	n, err := strconv.ParseInt(s[:end], 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// tick is the unit of times in /proc/PID/stat, on every Linux there is.
const tick = 10 * time.Millisecond
