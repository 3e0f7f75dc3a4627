package device

import (
	"slices"
	"strconv"
	"strings"
)

// Choose lists the sets of devices that a declaration of "device" allows, best
// first: "" or "auto" is any one GPU, the one with most room first, or the host
// where there is no GPU; "cpu" is the host; an index or the prefix of an id is
// that GPU; a list of those, separated by commas, is all of them together.
func Choose(r Reading, want string) [][]Device {
	switch want {
	case "", "auto":
		return anyOf(r)
	case string(Host):
		if d, ok := r.Device(Host); ok {
			return [][]Device{{d}}
		}
		return nil
	}
	var set []Device
	for w := range strings.SplitSeq(want, ",") {
		d, ok := find(r, strings.TrimSpace(w))
		if !ok || d.MIG { // a divided GPU is used through its parts
			return nil
		}
		set = append(set, d)
	}
	return [][]Device{set}
}

// anyOf lists each usable GPU alone, most free memory first; the host only if
// there is none, seen or not: falling back to it silently would be a hundred
// times slower.
func anyOf(r Reading) [][]Device {
	var out [][]Device
	for _, d := range r.Devices {
		if d.Kind != KindHost && !d.MIG {
			out = append(out, []Device{d})
		}
	}
	slices.SortStableFunc(out, func(a, b []Device) int {
		switch x, y := a[0].Free, b[0].Free; {
		case x > y:
			return -1
		case x < y:
			return 1
		}
		return 0
	})
	if len(out) > 0 || r.Hidden() {
		return out
	}
	return Choose(r, string(Host))
}

// find returns the GPU of that index, or the only one whose id has the prefix,
// with or without "GPU-".
func find(r Reading, want string) (Device, bool) {
	if want == "" {
		return Device{}, false
	}
	if d, ok := r.Device(ID(want)); ok {
		return d, true
	}
	index, err := strconv.Atoi(want)
	var hit []Device
	for _, d := range r.Devices {
		id := string(d.ID)
		switch {
		case d.Kind == KindHost:
		case err == nil && d.Index == index && d.Part == "":
			return d, true
		case strings.HasPrefix(id, want) || strings.HasPrefix(strings.TrimPrefix(id, "GPU-"), want):
			hit = append(hit, d)
		}
	}
	if len(hit) != 1 {
		return Device{}, false
	}
	return hit[0], true
}

// Placement is what a launcher has to know of the devices that a slot was
// given.
type Placement struct {
	Devices []Device
	Shares  []Share // by account
	Wanted  string  // the declaration of "device"
}

// NewPlacement finds the devices in a reading.
func NewPlacement(r Reading, wanted string, on []ID, shares []Share) Placement {
	p := Placement{Wanted: wanted, Shares: shares}
	for _, id := range on {
		if d, ok := r.Device(id); ok {
			p.Devices = append(p.Devices, d)
		}
	}
	return p
}

// CPU reports whether the engine must use no GPU. On a machine whose GPUs
// nobody here can see it may find one by itself, unless it is declared not to.
func (p Placement) CPU() bool { return p.Wanted == string(Host) }

// Env is the environment that shows an engine these devices and no other, as
// key=value. Nothing is said of vendors that are not concerned: some variables
// are read by the runtimes of others.
func (p Placement) Env() []string {
	var nvidia, amd []string
	for _, d := range p.Devices {
		switch d.Kind {
		case KindNVIDIA:
			nvidia = append(nvidia, visibleName(d))
		case KindAMD:
			amd = append(amd, visibleName(d))
		case KindHost:
		}
	}
	switch {
	case len(nvidia) > 0:
		return []string{"CUDA_DEVICE_ORDER=PCI_BUS_ID", "CUDA_VISIBLE_DEVICES=" + strings.Join(nvidia, ",")}
	case len(amd) > 0:
		return []string{"ROCR_VISIBLE_DEVICES=" + strings.Join(amd, ",")}
	}
	if p.CPU() {
		return []string{"CUDA_VISIBLE_DEVICES=-1", "ROCR_VISIBLE_DEVICES=-1", "HIP_VISIBLE_DEVICES=-1", "GGML_VK_VISIBLE_DEVICES="}
	}
	return nil
}

// visibleName is what the variables call the device: its UUID if it has one,
// else its number in bus order.
func visibleName(d Device) string {
	if strings.HasPrefix(string(d.ID), "pci-") {
		return strconv.Itoa(d.Index)
	}
	return string(d.ID)
}
