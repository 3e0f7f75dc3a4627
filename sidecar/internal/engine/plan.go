package engine

import (
	"strconv"
	"strings"

	"github.com/hal0-dev/hal0/plugin/wire"
)

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
	// Threads is how many threads may compute, 0 = the engine's own choice.
	Threads int
}

// Context is the context of one request, in tokens.
func (p Plan) Context() int64 {
	if p.Model.Context > 0 {
		return p.Model.Context
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

// Backend is a family of devices.
type Backend string

// The backends. The zero value leaves the choice to the engine.
const (
	BackendAny    Backend = ""
	BackendCPU    Backend = "cpu"
	BackendCUDA   Backend = "cuda"
	BackendROCm   Backend = "rocm"
	BackendVulkan Backend = "vulkan"
	BackendMetal  Backend = "metal"
	BackendSYCL   Backend = "sycl"
)

// Place is where an engine may compute.
type Place struct {
	Backend Backend
	IDs     []string // of the devices, as the backend's own variable takes them (UUIDs where it can)
}

// Env pins the engine to the place.
func (p Place) Env() []string {
	ids := strings.Join(p.IDs, ",")
	switch p.Backend {
	case BackendCPU:
		return []string{"CUDA_VISIBLE_DEVICES=", "HIP_VISIBLE_DEVICES=", "ROCR_VISIBLE_DEVICES=", "GGML_VK_VISIBLE_DEVICES="}
	case BackendCUDA:
		return []string{"CUDA_DEVICE_ORDER=PCI_BUS_ID", "CUDA_VISIBLE_DEVICES=" + ids}
	case BackendROCm:
		return []string{"ROCR_VISIBLE_DEVICES=" + ids}
	case BackendVulkan:
		return []string{"GGML_VK_VISIBLE_DEVICES=" + ids}
	case BackendSYCL:
		var each []string
		for _, id := range p.IDs {
			each = append(each, "level_zero:"+id)
		}
		return []string{"ONEAPI_DEVICE_SELECTOR=" + strings.Join(each, ";")}
	case BackendMetal, BackendAny:
	}
	return nil
}

// devices names the devices as llama.cpp counts them after pinning; "" leaves
// the choice to it. Named, a device that is missing is an error and not a
// silent fall back to the CPU.
func (p Place) devices() string {
	var prefix string
	switch p.Backend {
	case BackendCPU:
		return "none"
	case BackendCUDA:
		prefix = "CUDA"
	case BackendROCm:
		prefix = "ROCm"
	case BackendVulkan:
		prefix = "Vulkan"
	case BackendSYCL:
		prefix = "SYCL"
	case BackendMetal, BackendAny:
		return ""
	}
	names := make([]string, max(len(p.IDs), 1))
	for i := range names {
		names[i] = prefix + strconv.Itoa(i)
	}
	return strings.Join(names, ",")
}
