// tinygguf writes a small model that real engines load; see package tinygguf.
//
//	tinygguf -mode count -o tiny-count.gguf
package main

import (
	"flag"
	"fmt"
	"os"

	"github.com/hal0-dev/hal0/integration/tinygguf"
)

func main() {
	var s tinygguf.Spec
	out := flag.String("o", "tiny.gguf", "`file` to write")
	mode := flag.String("mode", string(tinygguf.Random), "random, count or loop")
	flag.Int64Var(&s.Seed, "seed", 1, "seed of mode random")
	flag.IntVar(&s.Dim, "dim", 0, "embedding length")
	flag.IntVar(&s.Layers, "layers", 0, "blocks")
	flag.IntVar(&s.Heads, "heads", 0, "attention heads")
	flag.IntVar(&s.KVHeads, "kv-heads", 0, "KV heads")
	flag.IntVar(&s.FF, "ff", 0, "feed-forward length")
	flag.IntVar(&s.Context, "ctx", 0, "trained context length")
	flag.StringVar(&s.Name, "name", "", "general.name")
	flag.BoolVar(&s.Sparse, "sparse", false, "leave all-zero tensors as holes in the file")
	flag.Parse()
	s.Mode = tinygguf.Mode(*mode)
	info, err := s.Write(*out)
	if err != nil {
		fmt.Fprintln(os.Stderr, "tinygguf:", err)
		os.Exit(1)
	}
	fmt.Printf("%s: mode=%s vocab=%d params=%d bytes=%d\n", *out, *mode, info.Vocab, info.Parameters, info.Bytes)
}
