package engine

import (
	"strconv"
	"strings"

	"github.com/hal0-dev/hal0/sidecar/internal/gguf"
)

// Run is how llama.cpp will run the model, for an estimate of its memory: the
// plan, and the declared args that change what it takes.
func (p Plan) Run() gguf.Run {
	r := gguf.Run{Context: p.Context(), Parallel: p.Parallel()}
	for flag, value := range declared(p.Model.Args) {
		n, _ := strconv.ParseInt(value, 10, 64) // 0 = not a number, ignored
		switch flag {
		case "-np", "--parallel":
			if n > 0 {
				r.Parallel = n
			}
		case "-ub", "--ubatch-size":
			r.Batch = n
		case "-ctk", "--cache-type-k":
			r.CacheK = value
		case "-ctv", "--cache-type-v":
			r.CacheV = value
		}
	}
	// A context among the args is for all requests together.
	for flag, value := range declared(p.Model.Args) {
		if n, _ := strconv.ParseInt(value, 10, 64); n > 0 && (flag == "-c" || flag == "--ctx-size") {
			r.Context = max(n/r.Parallel, 1)
		}
	}
	return r
}

// declared lists flags with their values, whether joined by = or not.
func declared(args []string) map[string]string {
	out := map[string]string{}
	for i, a := range args {
		if !strings.HasPrefix(a, "-") {
			continue
		}
		flag, value, joined := strings.Cut(a, "=")
		if !joined && i+1 < len(args) {
			value = args[i+1]
		}
		out[flag] = value
	}
	return out
}
