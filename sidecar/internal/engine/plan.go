package engine

import "github.com/hal0-dev/hal0/plugin/wire"

// DefaultContext is the context, in tokens, of a model that declares none. What
// models were trained for can need more memory than the model itself.
const DefaultContext = 8192

// Plan is what one launch has been given.
type Plan struct {
	Model wire.Model
	Path  string // the model's file, "" for an engine that reads none
	Host  string
	Port  int
	Key   string // demanded of every request to this launch
	Place Place
	// Trained is the context that the model was trained for, 0 = unknown.
	Trained int64
	// Threads is how many threads may compute, 0 = the engine's own choice.
	Threads int
}

// Context is the context of one request, in tokens.
func (p Plan) Context() int64 {
	switch {
	case p.Model.Context > 0:
		return p.Model.Context
	case p.Trained > 0:
		return min(p.Trained, DefaultContext)
	}
	return DefaultContext
}

// Parallel is how many requests the engine works on at a time.
func (p Plan) Parallel() int64 { return max(p.Model.Parallel, 1) }

// Embeds reports whether the model is there for embeddings alone; llama.cpp
// cannot generate in the same process.
func (p Plan) Embeds() bool { return p.only(wire.CapEmbedding) }

// Ranks reports whether the model is there for ranking alone.
func (p Plan) Ranks() bool { return p.only(wire.CapRerank) }

func (p Plan) only(capability string) bool {
	found := false
	for _, c := range p.Model.Capabilities {
		if c == wire.CapChat || c == wire.CapCompletion {
			return false
		}
		found = found || c == capability
	}
	return found
}

// Place is where an engine may compute; its zero value leaves that to the
// engine.
type Place struct {
	CPU bool     // on no GPU
	IDs []string // of the GPUs
	Env []string // shows the engine these devices and no other, KEY=value
}
