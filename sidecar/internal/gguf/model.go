package gguf

import (
	"fmt"
	"math"

	parser "github.com/gpustack/gguf-parser-go"
)

// Model is what a model file says of itself.
type Model struct {
	Architecture string
	Context      int64 // that it was trained for, in tokens; 0 = it does not say
	Parameters   int64
	file         *parser.GGUFFile
}

// Open reads a file, and the other parts of one that is split. It is quick: the
// weights are not read.
func Open(path string) (m Model, err error) {
	defer guard("read "+path, &err)
	f, err := parser.ParseGGUFFile(path, parser.SkipLargeMetadata())
	if err != nil {
		return Model{}, fmt.Errorf("read %s: %w", path, err)
	}
	a := f.Architecture()
	return Model{
		Architecture: a.Architecture,
		Context:      clamp(a.MaximumContextLength),
		Parameters:   clamp(uint64(f.Metadata().Parameters)),
		file:         f,
	}, nil
}

// guard turns a panic into an error: files come from strangers, and the parser
// trusts them in places.
func guard(what string, err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("%s: the file makes no sense: %v", what, r)
	}
}

func clamp(n uint64) int64 { return int64(min(n, math.MaxInt64)) }
