package engine

import (
	"testing"

	"github.com/hal0-dev/hal0/sidecar/internal/gguf"
)

func TestRun(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Plan)
		want   gguf.Run
	}{
		"nothing said": {func(*Plan) {}, gguf.Run{Context: DefaultContext, Parallel: 1}},
		"small model":  {func(p *Plan) { p.Trained = 2048 }, gguf.Run{Context: 2048, Parallel: 1}},
		"large model":  {func(p *Plan) { p.Trained = 1 << 17 }, gguf.Run{Context: DefaultContext, Parallel: 1}},
		"declared":     {func(p *Plan) { p.Trained, p.Model.Context, p.Model.Parallel = 2048, 16384, 3 }, gguf.Run{Context: 16384, Parallel: 3}},
		"args": {func(p *Plan) {
			p.Model.Args = []string{"-ctk", "q8_0", "--cache-type-v=q4_0", "-ub", "256", "-np", "4"}
		}, gguf.Run{Context: DefaultContext, Parallel: 4, Batch: 256, CacheK: "q8_0", CacheV: "q4_0"}},
		"args' context": {func(p *Plan) { p.Model.Args = []string{"-c", "4096", "--parallel", "2"} }, gguf.Run{Context: 2048, Parallel: 2}},
		"nonsense":      {func(p *Plan) { p.Model.Args = []string{"-c", "x", "-np"} }, gguf.Run{Context: DefaultContext, Parallel: 1}},
	} {
		p := plan()
		c.change(&p)
		if got := p.Run(); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}
