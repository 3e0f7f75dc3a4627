package tinygguf

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand"
)

// Types of tensors, as GGUF numbers them.
const (
	tensorF32 = 0
	tensorF16 = 1
)

// fill gives the value at a row and column; a nil fill means zeros. It is called
// once per element, rows first: a seeded fill depends on that order.
type fill func(row, col int) float32

type tensor struct {
	name   string
	dims   []uint64 // innermost first
	kind   uint32
	fill   fill
	offset uint64 // in the data section
}

func (t *tensor) elements() uint64 {
	n := uint64(1)
	for _, d := range t.dims {
		n *= d
	}
	return n
}

func (t *tensor) size() uint64 {
	if t.kind == tensorF32 {
		return 4 * t.elements()
	}
	return 2 * t.elements()
}

// data is the tensor's content.
func (t *tensor) data() []byte {
	out := make([]byte, 0, t.size())
	cols := int(t.dims[0])
	for i := range int(t.elements()) {
		var v float32
		if t.fill != nil {
			v = t.fill(i/cols, i%cols)
		}
		if t.kind == tensorF32 {
			out = binary.LittleEndian.AppendUint32(out, math.Float32bits(v))
		} else {
			out = binary.LittleEndian.AppendUint16(out, half(v))
		}
	}
	return out
}

// weights are the fills that a mode needs.
type weights struct {
	embedding, output fill
	block             func(deviation float64) fill
}

func (s Spec) weights(v *vocab) weights {
	if s.Mode == Random {
		rng := rand.New(rand.NewSource(s.Seed))
		gauss := func(deviation float64) fill {
			return func(int, int) float32 { return float32(rng.NormFloat64() * deviation) }
		}
		return weights{gauss(1), gauss(1.5 / math.Sqrt(float64(s.Dim))), gauss}
	}
	next := v.next(s.Mode)
	return weights{
		embedding: func(row, col int) float32 {
			if row == col {
				return 1
			}
			return 0
		},
		output: func(row, col int) float32 {
			if col < len(next) && next[col] == row {
				return 2
			}
			return 0
		},
		block: func(float64) fill { return nil },
	}
}

// tensors lists the model's tensors with their offsets, and the size of the
// data section.
func (s Spec) tensors(v *vocab) (ts []*tensor, size uint64) {
	w := s.weights(v)
	dim, ff, kv, words := uint64(s.Dim), uint64(s.FF), uint64(s.headDim()*s.KVHeads), uint64(len(v.tokens))
	add := func(name string, kind uint32, f fill, dims ...uint64) {
		t := &tensor{name: name, dims: dims, kind: kind, fill: f, offset: size}
		size += roundUp(t.size())
		ts = append(ts, t)
	}
	norm := func(name string) { add(name, tensorF32, func(int, int) float32 { return 1 }, dim) }
	add("token_embd.weight", tensorF16, w.embedding, dim, words)
	norm("output_norm.weight")
	add("output.weight", tensorF16, w.output, dim, words)
	in, inFF := 1/math.Sqrt(float64(dim)), 1/math.Sqrt(float64(ff))
	for i := range s.Layers {
		p := fmt.Sprintf("blk.%d.", i)
		norm(p + "attn_norm.weight")
		add(p+"attn_q.weight", tensorF16, w.block(in), dim, dim)
		add(p+"attn_k.weight", tensorF16, w.block(in), dim, kv)
		add(p+"attn_v.weight", tensorF16, w.block(in), dim, kv)
		add(p+"attn_output.weight", tensorF16, w.block(in), dim, dim)
		norm(p + "ffn_norm.weight")
		add(p+"ffn_gate.weight", tensorF16, w.block(in), dim, ff)
		add(p+"ffn_up.weight", tensorF16, w.block(in), dim, ff)
		add(p+"ffn_down.weight", tensorF16, w.block(inFF), ff, dim)
	}
	return ts, size
}
