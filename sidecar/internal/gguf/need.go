package gguf

import (
	"errors"
	"fmt"
	"math"
	"strings"

	parser "github.com/gpustack/gguf-parser-go"
)

// Run is how a model is to be run.
type Run struct {
	Context  int64  // of one request, in tokens
	Parallel int64  // requests at a time
	Batch    int64  // tokens computed at a time, 0 = llama.cpp's default
	CacheK   string // type of the cache's keys, "" = f16
	CacheV   string // and of its values
}

// Need is memory in bytes.
type Need struct {
	Weights int64
	Cache   int64
	Compute int64
}

// Total is all of it.
func (n Need) Total() int64 { return n.Weights + n.Cache + n.Compute }

var errRun = errors.New("the run is not possible")

// Need estimates what the model takes on the device that runs all of it.
func (m Model) Need(r Run) (n Need, err error) {
	if r.Context <= 0 || r.Parallel <= 0 || r.Context > math.MaxInt32/r.Parallel || r.Batch < 0 || r.Batch > math.MaxInt32 {
		return Need{}, fmt.Errorf("estimate memory: %w: context %d × %d", errRun, r.Context, r.Parallel)
	}
	defer guard("estimate memory", &err)
	// The cache is for all requests; the buffers see one request's share of it.
	all := m.estimate(r, r.Context*r.Parallel)
	one := m.estimate(r, r.Context)
	for _, d := range all.Devices {
		n.Weights += sum(d.Weight.Input, d.Weight.Compute, d.Weight.ComputeOverridden, d.Weight.Output)
		n.Cache += sum(d.KVCache.Key, d.KVCache.Value)
	}
	for _, d := range one.Devices[1:] { // the first is the host, which computes nothing here
		n.Compute += sum(d.Computation.Compute)
	}
	return n, nil
}

func (m Model) estimate(r Run, context int64) parser.LLaMACppRunEstimate {
	const all = 1 << 20 // layers
	return m.file.EstimateLLaMACppRun(
		parser.WithLLaMACppContextSize(int32(context)),
		parser.WithParallelSize(int32(r.Parallel)),
		parser.WithLLaMACppPhysicalBatchSize(int32(r.Batch)),
		parser.WithFlashAttention(),
		parser.WithLLaMACppOffloadLayers(all),
		parser.WithLLaMACppCacheKeyType(cacheType(r.CacheK)),
		parser.WithLLaMACppCacheValueType(cacheType(r.CacheV)),
	)
}

func sum(parts ...parser.GGUFBytesScalar) int64 {
	total := int64(0)
	for _, p := range parts {
		total += clamp(uint64(p))
	}
	return total
}

// cacheType reads llama.cpp's name of a type; an unknown one is taken for f16.
func cacheType(name string) parser.GGMLType {
	for t, known := range map[parser.GGMLType]string{
		parser.GGMLTypeF32: "f32", parser.GGMLTypeBF16: "bf16", parser.GGMLTypeQ8_0: "q8_0", parser.GGMLTypeQ4_0: "q4_0",
		parser.GGMLTypeQ4_1: "q4_1", parser.GGMLTypeIQ4_NL: "iq4_nl", parser.GGMLTypeQ5_0: "q5_0", parser.GGMLTypeQ5_1: "q5_1",
	} {
		if strings.EqualFold(name, known) {
			return t
		}
	}
	return parser.GGMLTypeF16
}
