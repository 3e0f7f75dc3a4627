package engine

import "regexp"

// Classes of endings. They are the same words as the slot's.
const (
	ClassOOM             = "oom"
	ClassBadModel        = "bad_model"
	ClassBadArgument     = "bad_argument"
	ClassPort            = "port"
	ClassGPU             = "gpu"
	ClassStateUnwritable = "state_unwritable"
	ClassCrash           = "crash"
)

// rule finds a class by any of its patterns, the most telling first.
type rule struct {
	class    string
	patterns []*regexp.Regexp
}

func match(class string, patterns ...string) rule {
	r := rule{class: class}
	for _, p := range patterns {
		r.patterns = append(r.patterns, regexp.MustCompile(p))
	}
	return r
}

// Ending is what is known of an engine that ended.
type Ending struct {
	OOM  bool     // the kernel killed it for want of memory
	Tail []string // last log lines, oldest first
}

// Classify says why an engine ended, and gives the line of its log that says so
// ("" = none). Rules are tried in order, and patterns within a rule, since one
// cause drags many lines behind it: no memory for the cache ends in "failed to
// load model", too.
func (t Template) Classify(e Ending) (class, line string) {
	if e.OOM {
		return ClassOOM, ""
	}
	memory, rest := commonRules()
	for _, r := range append(append(memory, t.rules...), rest...) {
		if line, ok := r.find(e.Tail); ok {
			return r.class, line
		}
	}
	return ClassCrash, lastOf(e.Tail)
}

func (r rule) find(tail []string) (string, bool) {
	for _, p := range r.patterns {
		for _, line := range tail {
			if p.MatchString(line) {
				return line, true
			}
		}
	}
	return "", false
}

func lastOf(tail []string) string {
	if len(tail) == 0 {
		return ""
	}
	return tail[len(tail)-1]
}

// commonRules hold for every engine: memory comes before the template's own
// rules, the rest after them.
func commonRules() (memory, rest []rule) {
	memory = []rule{match(ClassOOM,
		`(?i)\bout of memory\b`,
		`OutOf(Device|Host)?Memory`, // torch, Vulkan, CUDA
		`cudaErrorMemoryAllocation`,
		`std::bad_alloc`,
		`MemoryError\b`,
		`(?i)(failed|unable) to allocate`,
		`Device memory allocation of size \d+ failed`,
		`(?i)cannot allocate memory`,
		`Free memory on device .* is less than desired GPU memory utilization`,
		`No available memory for the cache blocks`,
	)}
	rest = []rule{
		match(ClassPort, `(?i)address already in use`, `EADDRINUSE`),
		match(ClassStateUnwritable, `(?i)read-only file system`, `(?i)no space left on device`),
		match(ClassGPU, `\b(CUDA|ROCm|HIP) error`, `hipError`, `cudaError`, `VK_ERROR_DEVICE_LOST`, `ErrorDeviceLost`,
			`(?i)no CUDA-capable device`, `(?i)CUDA driver version is insufficient`, `(?i)no CUDA GPUs are available`, `Failed to infer device type`),
		match(ClassBadArgument, `error: unrecognized arguments`, `error: argument `, `unknown flag`, `flag provided but not defined`),
	}
	return memory, rest
}
