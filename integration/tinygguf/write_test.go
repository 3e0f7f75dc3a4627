package tinygguf_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hal0-dev/hal0/integration/tinygguf"
)

// The sums pin the bytes: tests elsewhere assert texts that depend on them.
func TestWriteIsDeterministic(t *testing.T) {
	for _, c := range []struct {
		name string
		spec tinygguf.Spec
		size uint64
		sum  string
	}{
		{"count", tinygguf.Spec{Mode: tinygguf.Count}, 1167104, "58dcc693606adc393c7c1056a0b2a445c2170d9e599312b7be0063dddb6928f0"},
		{"loop", tinygguf.Spec{Mode: tinygguf.Loop}, 1167104, "278a42a23a3991609126c650f517bd7e6a24dbd3bb8a5d5d66301a2f64f419c6"},
		{"random", tinygguf.Spec{Mode: tinygguf.Random, Seed: 1}, 244608, "053ebe90a5f0bfbe30346c3598840aea98abbbe82daf93730808b87ea2a5a7df"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "m.gguf")
			info, err := c.spec.Write(path)
			if err != nil {
				t.Fatal(err)
			}
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if sum := sha256.Sum256(b); hex.EncodeToString(sum[:]) != c.sum {
				t.Errorf("sha256 %x, want %s", sum, c.sum)
			}
			if info.Bytes != c.size || uint64(len(b)) != c.size {
				t.Errorf("wrote %d bytes and says %d, want %d", len(b), info.Bytes, c.size)
			}
		})
	}
}

// A sparse file must have the same content as the full one.
func TestSparseIsTheSameContent(t *testing.T) {
	dir := t.TempDir()
	full := tinygguf.Spec{Mode: tinygguf.Loop, Layers: 2, Dim: 512, Heads: 8, KVHeads: 4, FF: 1024}
	sparse := full
	sparse.Sparse = true
	var content [2][]byte
	for i, s := range []tinygguf.Spec{full, sparse} {
		path := filepath.Join(dir, "m.gguf")
		if _, err := s.Write(path); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		content[i] = b
	}
	if !bytes.Equal(content[0], content[1]) {
		t.Error("a sparse model differs from the full one")
	}
}

func TestStructure(t *testing.T) {
	for name, s := range map[string]tinygguf.Spec{"count": {Mode: tinygguf.Count}, "mid": tinygguf.Mid()} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "m.gguf")
			info, err := s.Write(path)
			if err != nil {
				t.Fatal(err)
			}
			g := parse(t, path)
			if g.meta["general.architecture"] != "llama" {
				t.Errorf("architecture %v", g.meta["general.architecture"])
			}
			tokens := g.meta["tokenizer.ggml.tokens"].([]any)
			if len(tokens) != info.Vocab || len(g.meta["tokenizer.ggml.token_type"].([]any)) != info.Vocab {
				t.Errorf("%d tokens, want %d", len(tokens), info.Vocab)
			}
			for _, w := range strings.Fields(tinygguf.Words) {
				if !contains(tokens, "Ġ"+w) {
					t.Errorf("no token for %q", w)
				}
			}
			if n := 3 + 9*int(g.meta["llama.block_count"].(uint32)); len(g.ends) != n {
				t.Errorf("%d tensors, want %d", len(g.ends), n)
			}
			if last := g.ends[len(g.ends)-1]; g.base+last > info.Bytes || info.Bytes-(g.base+last) >= 32 {
				t.Errorf("data ends at %d of %d", g.base+last, info.Bytes)
			}
		})
	}
}

func TestBadShapes(t *testing.T) {
	for _, s := range []tinygguf.Spec{
		{},
		{Mode: "poem"},
		{Mode: tinygguf.Count, Dim: 64},
		{Mode: tinygguf.Random, Dim: 64, Heads: 5},
		{Mode: tinygguf.Random, Layers: -1},
	} {
		if _, err := s.Write(filepath.Join(t.TempDir(), "m.gguf")); err == nil {
			t.Errorf("%+v was written", s)
		}
	}
}

func contains(tokens []any, want string) bool {
	for _, t := range tokens {
		if t == want {
			return true
		}
	}
	return false
}

// parsed is what an independent, minimal reader finds in a file.
type parsed struct {
	meta map[string]any
	ends []uint64 // of each tensor, in the data section
	base uint64   // where the data section begins
}

type reader struct {
	t *testing.T
	f *os.File
}

func parse(t *testing.T, path string) parsed {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r := reader{t, f}
	magic := make([]byte, 4)
	r.read(magic)
	if string(magic) != "GGUF" || r.u32() != 3 {
		t.Fatal("not a GGUF of version 3")
	}
	p := parsed{meta: map[string]any{}}
	tensors, keys := r.u64(), r.u64()
	for range keys {
		name := r.text()
		p.meta[name] = r.value(r.u32())
	}
	for range tensors {
		r.text()
		n := uint64(1)
		for range r.u32() {
			n *= r.u64()
		}
		size := 2 * n
		if r.u32() == 0 {
			size = 4 * n
		}
		off := r.u64()
		if off%32 != 0 {
			t.Errorf("tensor at %d is not aligned", off)
		}
		p.ends = append(p.ends, off+size)
	}
	at, err := f.Seek(0, io.SeekCurrent)
	if err != nil {
		t.Fatal(err)
	}
	p.base = (uint64(at) + 31) / 32 * 32
	return p
}

func (r reader) read(v any) {
	r.t.Helper()
	if err := binary.Read(r.f, binary.LittleEndian, v); err != nil {
		r.t.Fatal(err)
	}
}

func (r reader) u32() (v uint32) { r.read(&v); return v }
func (r reader) u64() (v uint64) { r.read(&v); return v }

func (r reader) text() string {
	b := make([]byte, r.u64())
	r.read(b)
	return string(b)
}

func (r reader) value(kind uint32) any {
	switch kind {
	case 4, 5:
		return r.u32()
	case 6:
		var f float32
		r.read(&f)
		return f
	case 7:
		var b uint8
		r.read(&b)
		return b == 1
	case 8:
		return r.text()
	case 9:
		kind, n := r.u32(), r.u64()
		out := make([]any, n)
		for i := range out {
			out[i] = r.value(kind)
		}
		return out
	}
	r.t.Fatalf("unknown kind %d", kind)
	return nil
}
