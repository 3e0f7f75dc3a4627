package tinygguf

import (
	"errors"
	"fmt"
	"os"
)

// Info says what was written.
type Info struct {
	Vocab      int
	Parameters uint64
	Bytes      uint64 // the file's length, holes included
}

// Write writes the model to path.
func (s Spec) Write(path string) (info Info, err error) {
	v := newVocab()
	if s, err = s.complete(len(v.tokens)); err != nil {
		return Info{}, fmt.Errorf("describe model: %w", err)
	}
	ts, size := s.tensors(v)
	head := s.header(v, ts)
	base := roundUp(uint64(len(head)))
	f, err := os.Create(path)
	if err != nil {
		return Info{}, fmt.Errorf("write model: %w", err)
	}
	defer func() {
		if err = errors.Join(err, f.Close()); err != nil {
			err = fmt.Errorf("write model: %w", err)
		}
	}()
	if _, err := f.Write(head); err != nil {
		return Info{}, err
	}
	info = Info{Vocab: len(v.tokens), Bytes: base + size}
	for _, t := range ts {
		info.Parameters += t.elements()
		if t.fill == nil && s.Sparse {
			continue
		}
		if _, err := f.WriteAt(t.data(), int64(base+t.offset)); err != nil {
			return Info{}, err
		}
	}
	return info, f.Truncate(int64(info.Bytes))
}

// header is everything before the data section.
func (s Spec) header(v *vocab, ts []*tensor) []byte {
	meta := s.metadata(v)
	var e encoder
	e.WriteString("GGUF")
	e.put(uint32(3))
	e.put(uint64(len(ts)))
	e.put(meta.keys)
	e.Write(meta.Bytes())
	for _, t := range ts {
		e.text(t.name)
		e.put(uint32(len(t.dims)))
		e.put(t.dims)
		e.put(t.kind)
		e.put(t.offset)
	}
	return e.Bytes()
}

func (s Spec) metadata(v *vocab) *encoder {
	e := &encoder{}
	e.str("general.architecture", "llama")
	e.str("general.type", "model")
	e.str("general.name", s.Name)
	e.str("general.size_label", "tiny")
	e.str("general.license", "cc0-1.0")
	e.u32("general.file_type", 1)
	e.u32("general.quantization_version", 2)
	e.u32("llama.vocab_size", len(v.tokens))
	e.u32("llama.context_length", s.Context)
	e.u32("llama.embedding_length", s.Dim)
	e.u32("llama.block_count", s.Layers)
	e.u32("llama.feed_forward_length", s.FF)
	e.u32("llama.attention.head_count", s.Heads)
	e.u32("llama.attention.head_count_kv", s.KVHeads)
	e.u32("llama.rope.dimension_count", s.headDim())
	e.f32("llama.rope.freq_base", 10000)
	e.f32("llama.attention.layer_norm_rms_epsilon", 1e-5)
	e.str("tokenizer.ggml.model", "gpt2")
	e.str("tokenizer.ggml.pre", "gpt-2")
	e.strs("tokenizer.ggml.tokens", v.tokens)
	e.i32s("tokenizer.ggml.token_type", v.types)
	e.strs("tokenizer.ggml.merges", v.merges)
	e.u32("tokenizer.ggml.bos_token_id", tokenBOS)
	e.u32("tokenizer.ggml.eos_token_id", tokenEnd)
	e.u32("tokenizer.ggml.padding_token_id", tokenPad)
	e.flag("tokenizer.ggml.add_bos_token", true)
	e.flag("tokenizer.ggml.add_eos_token", false)
	e.str("tokenizer.chat_template", chatTemplate)
	return e
}
