package device

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

var cardName = regexp.MustCompile(`^card(\d+)$`)

// readAMD reads amdgpu's files below root (the file system's root).
func readAMD(root fs.FS) ([]Device, error) {
	const drm = "sys/class/drm"
	entries, err := fs.ReadDir(root, drm)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read amdgpu devices: %w", err)
	}
	kfd := readKFD(root)
	var devices []Device
	for _, e := range entries {
		if !cardName.MatchString(e.Name()) {
			continue
		}
		dir := path.Join(drm, e.Name(), "device")
		if text(root, path.Join(dir, "vendor")) != "0x1002" {
			continue
		}
		if d, ok := readCard(root, dir, kfd); ok {
			devices = append(devices, d)
		}
	}
	slices.SortFunc(devices, func(a, b Device) int { return strings.Compare(a.PCI, b.PCI) })
	for i := range devices {
		devices[i].Index = i
	}
	return devices, nil
}

// readCard reads one card. ok is false if it shows no memory: not amdgpu's.
func readCard(root fs.FS, dir string, kfd map[int]map[int]int64) (Device, bool) {
	total := figure(root, path.Join(dir, "mem_info_vram_total"))
	used := figure(root, path.Join(dir, "mem_info_vram_used"))
	if total == Unknown {
		return Device{}, false
	}
	d := Device{Kind: KindAMD, Name: text(root, path.Join(dir, "product_name")), PCI: slotName(text(root, path.Join(dir, "uevent")))}
	d.ID = ID("pci-" + d.PCI)
	if id := strings.TrimPrefix(text(root, path.Join(dir, "unique_id")), "0x"); strings.Trim(id, "0") != "" {
		d.ID = ID("GPU-" + id)
	}
	if d.Name == "" {
		d.Name = "AMD " + text(root, path.Join(dir, "device"))
	}
	gtt := figure(root, path.Join(dir, "mem_info_gtt_total"))
	if integrated(root, dir) && gtt > total {
		// Its own memory is the small part that the firmware set aside: what
		// models live in is the host's.
		d.Unified, d.Total, d.Free = true, Unknown, Unknown
	} else {
		d.Total, d.Free = total, Unknown
		if used != Unknown {
			d.Free = max(total-used, 0)
		}
	}
	for pid, bytes := range kfd[renderMinor(root, dir)] {
		d.Uses = append(d.Uses, Use{PID: pid, Bytes: bytes})
	}
	slices.SortFunc(d.Uses, func(a, b Use) int { return a.PID - b.PID })
	return d, true
}

// integrated reports whether the card is part of the processor: the tables of
// its metrics are of another family then (format revision 2 and up).
func integrated(root fs.FS, dir string) bool {
	f, err := root.Open(path.Join(dir, "gpu_metrics"))
	if err != nil {
		return false
	}
	defer f.Close()
	var header [4]byte // size (2), format revision, content revision
	n, _ := f.Read(header[:])
	return n == len(header) && header[2] >= 2
}

// readKFD reads what processes hold: bytes by process by render minor.
func readKFD(root fs.FS) map[int]map[int]int64 {
	const kfd = "sys/class/kfd/kfd"
	minors := map[string]int{} // by the driver's id of the GPU
	nodes, err := fs.ReadDir(root, path.Join(kfd, "topology/nodes"))
	if err != nil {
		return nil
	}
	for _, n := range nodes {
		dir := path.Join(kfd, "topology/nodes", n.Name())
		id := text(root, path.Join(dir, "gpu_id"))
		if minor := property(text(root, path.Join(dir, "properties")), "drm_render_minor"); id != "" && minor > 0 {
			minors[id] = minor
		}
	}
	out := map[int]map[int]int64{}
	processes, err := fs.ReadDir(root, path.Join(kfd, "proc"))
	if err != nil {
		return nil
	}
	for _, p := range processes {
		pid, err := strconv.Atoi(p.Name())
		if err != nil {
			continue
		}
		for id, minor := range minors {
			bytes := figure(root, path.Join(kfd, "proc", p.Name(), "vram_"+id))
			if bytes <= 0 {
				continue
			}
			if out[minor] == nil {
				out[minor] = map[int]int64{}
			}
			out[minor][pid] = bytes
		}
	}
	return out
}

// renderMinor is the number of the card's render node, 0 = none.
func renderMinor(root fs.FS, dir string) int {
	entries, err := fs.ReadDir(root, path.Join(dir, "drm"))
	if err != nil {
		return 0
	}
	for _, e := range entries {
		if n, ok := strings.CutPrefix(e.Name(), "renderD"); ok {
			if minor, err := strconv.Atoi(n); err == nil {
				return minor
			}
		}
	}
	return 0
}

// property reads "name value" lines; 0 = there is none.
func property(text, name string) int {
	for line := range strings.Lines(text) {
		if f := strings.Fields(line); len(f) == 2 && f[0] == name {
			n, err := strconv.Atoi(f[1])
			if err != nil {
				return 0
			}
			return n
		}
	}
	return 0
}

func slotName(uevent string) string {
	for line := range strings.Lines(uevent) {
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), "PCI_SLOT_NAME="); ok {
			return v
		}
	}
	return ""
}

// text is a file's content without the blanks around it, "" if it cannot be
// read.
func text(root fs.FS, name string) string {
	b, err := fs.ReadFile(root, name)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

// figure is a file's content as a number, Unknown if it is none.
func figure(root fs.FS, name string) int64 {
	n, err := strconv.ParseInt(text(root, name), 10, 64)
	if err != nil || n < 0 {
		return Unknown
	}
	return n
}
