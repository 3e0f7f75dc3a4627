package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/hal0-dev/hal0/plugin/wire"
	"github.com/hal0-dev/hal0/sidecar/internal/config"
	"github.com/hal0-dev/hal0/sidecar/internal/device"
	"github.com/hal0-dev/hal0/sidecar/internal/engine"
	"github.com/hal0-dev/hal0/sidecar/internal/gguf"
	"github.com/hal0-dev/hal0/sidecar/internal/lockfile"
)

// newInventory reads this machine's memory and GPUs; nil where nobody knows how,
// and then whatever is asked for is admitted.
func newInventory() *device.Inventory {
	if runtime.GOOS != "linux" {
		return nil
	}
	root := os.DirFS("/")
	return device.NewInventory(device.HostSource(root), device.NVIDIASource(root, ""), device.AMDSource(root))
}

// capacity is how much of a device engines may take, in bytes: what there is less
// the reserve, or the configured cap. A device that does not say what it has is
// left to its cap.
func capacity(cfg *config.Config) func(device.Device) int64 {
	reserve := inBytes(cfg.Reserve)
	return func(d device.Device) int64 {
		own := d.Total
		if own != device.Unknown {
			own = max(own-reserve, 0)
		}
		if c := cfg.Devices[string(d.ID)]; c != nil && c.Memory != "" {
			if limit := inBytes(c.Memory); own == device.Unknown || limit < own {
				own = limit
			}
		}
		return own
	}
}

// scripted is what the demo engine takes without any of its knobs, in bytes.
const scripted = 64 << 20

// processShare is what a llama-server takes beside its model, in bytes: seen
// between 20 and 60 MiB.
const processShare = 64 << 20

// estimate is what a model needs, from its file's head.
func (e *engines) estimate(_ context.Context, m wire.Model) (int64, error) {
	switch m.Engine {
	case engine.Demo:
		return scripted, nil
	case engine.LlamaCPP:
	default:
		return 0, fmt.Errorf("estimate memory: engine %s does not say what it needs", m.Engine)
	}
	path, err := e.find(m.Model, true) // read only; a launch looks at what is allowed
	if err != nil {
		return 0, unfound(err) // no need to wait for memory for that
	}
	file, err := gguf.Open(path)
	if err != nil {
		return 0, err
	}
	need, err := file.Need(engine.Plan{Model: m, Trained: file.Context}.Run())
	if err != nil {
		return 0, err
	}
	return need.Total() + processShare, nil
}

// resident is what a process and its children hold of the host's memory.
func resident(pid int) (int64, error) { return device.Resident(os.DirFS("/"), pid) }

// gate lets one sidecar of this machine at a time load on a device: two that
// look at its free memory at once would both think that it is theirs.
func gate(ctx context.Context, on []device.ID) (leave func(), err error) {
	dir := filepath.Join(os.TempDir(), "hal0-devices")
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, fmt.Errorf("take turn: %w", err)
	}
	var locks []*lockfile.Lock
	leave = func() {
		for _, l := range locks {
			l.Release()
		}
	}
	ordered := slices.Sorted(slices.Values(on)) // everybody in the same order
	for _, id := range ordered {
		name := strings.Map(func(r rune) rune {
			if r == '/' || r == os.PathSeparator {
				return '_'
			}
			return r
		}, string(id))
		l, err := lockfile.Wait(ctx, filepath.Join(dir, name), fmt.Sprintf("hal0, process %d", os.Getpid()))
		if err != nil {
			leave()
			return nil, fmt.Errorf("take turn: %w", err)
		}
		locks = append(locks, l)
	}
	return leave, nil
}
