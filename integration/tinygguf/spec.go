package tinygguf

import (
	"errors"
	"fmt"
)

// Mode says what text a model makes.
type Mode string

// The modes.
const (
	Random Mode = "random" // seeded noise: gibberish, with invalid UTF-8 in it
	Count  Mode = "count"  // " one two … twenty", then the end, whatever the prompt
	Loop   Mode = "loop"   // the same words for ever
)

// Spec says what model to write. A zero number means the mode's own default.
type Spec struct {
	Mode    Mode
	Seed    int64  // Random only
	Name    string // general.name
	Dim     int    // embedding length
	Layers  int
	Heads   int
	KVHeads int
	FF      int // feed-forward length
	Context int // trained context, in tokens
	Sparse  bool
}

// Mid is a Loop model of 253 MB that streams slowly: 50 tokens/s on two cores.
func Mid() Spec {
	return Spec{Mode: Loop, Layers: 8, Dim: 1024, Heads: 8, KVHeads: 4, FF: 4096, Sparse: true}
}

// Big is a Loop model of 2.4 GB that takes ten seconds to load on two cores.
func Big() Spec {
	return Spec{Mode: Loop, Layers: 24, Dim: 2048, Heads: 16, KVHeads: 8, FF: 6144, Context: 32768, Sparse: true}
}

// complete fills in defaults and checks the shape.
func (s Spec) complete(vocab int) (Spec, error) {
	set := func(p *int, random, other int) {
		if *p != 0 {
			return
		}
		*p = other
		if s.Mode == Random {
			*p = random
		}
	}
	set(&s.Dim, 64, roundUp(vocab))
	set(&s.Layers, 2, 1)
	set(&s.Heads, 4, s.Dim/align)
	set(&s.KVHeads, 2, 1)
	set(&s.FF, 2*s.Dim, 64)
	set(&s.Context, 4096, 4096)
	if s.Name == "" {
		s.Name = "tiny"
	}
	return s, s.check(vocab)
}

func (s Spec) check(vocab int) error {
	switch s.Mode {
	case Random:
	case Count, Loop:
		if s.Dim < vocab {
			return fmt.Errorf("dim must be at least the vocabulary, %d", vocab)
		}
	default:
		return fmt.Errorf("unknown mode %q (random, count or loop)", s.Mode)
	}
	if s.Dim < 1 || s.Layers < 1 || s.Heads < 1 || s.KVHeads < 1 || s.FF < 1 || s.Context < 1 {
		return errors.New("every size must be positive")
	}
	if s.Dim%s.Heads != 0 || s.Heads%s.KVHeads != 0 {
		return errors.New("dim must be a multiple of heads, and heads of kv-heads")
	}
	if s.Dim%2 != 0 || s.Dim/s.Heads%2 != 0 {
		return errors.New("dim and dim/heads must be even")
	}
	return nil
}

// headDim is the length of one attention head.
func (s Spec) headDim() int { return s.Dim / s.Heads }
