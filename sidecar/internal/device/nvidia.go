package device

import (
	"bufio"
	"bytes"
	"encoding/xml"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// smiLog is the part of `nvidia-smi -q -x` that is read. Every figure may be
// "N/A", in brackets or not.
type smiLog struct {
	XMLName xml.Name `xml:"nvidia_smi_log"`
	Driver  string   `xml:"driver_version"`
	GPUs    []smiGPU `xml:"gpu"`
}

type smiGPU struct {
	PCI       string       `xml:"id,attr"`
	Name      string       `xml:"product_name"`
	UUID      string       `xml:"uuid"`
	Memory    smiMemory    `xml:"fb_memory_usage"`
	MIGMode   string       `xml:"mig_mode>current_mig"`
	MIG       []smiPart    `xml:"mig_devices>mig_device"`
	Processes []smiProcess `xml:"processes>process_info"`
}

type smiMemory struct {
	Total string `xml:"total"`
	Free  string `xml:"free"`
}

type smiPart struct {
	Index    int       `xml:"index"`
	Instance string    `xml:"gpu_instance_id"`
	UUID     string    `xml:"uuid"` // not of every driver
	Memory   smiMemory `xml:"fb_memory_usage"`
}

type smiProcess struct {
	Instance string `xml:"gpu_instance_id"`
	PID      int    `xml:"pid"`
	Used     string `xml:"used_memory"`
}

// parseSMI reads the output of `nvidia-smi -q -x`. A GPU that is divided is
// followed by its parts; a part without a name has to be named by nameParts.
func parseSMI(out []byte) ([]Device, error) {
	var log smiLog
	if err := xml.Unmarshal(out, &log); err != nil {
		return nil, fmt.Errorf("parse nvidia-smi: %w", err)
	}
	var devices []Device
	for i, g := range log.GPUs {
		d := Device{
			ID: gpuID(g), Kind: KindNVIDIA, Index: i, Name: strings.TrimSpace(g.Name), PCI: g.PCI, Driver: log.Driver,
			Total: mebibytes(g.Memory.Total), Free: mebibytes(g.Memory.Free),
			MIG: strings.TrimSpace(g.MIGMode) == "Enabled", Uses: uses(g.Processes, ""),
		}
		// A GPU that has no memory of its own uses the host's. A divided one
		// may say nothing either, but its parts do.
		d.Unified = d.Total == Unknown && !d.MIG
		devices = append(devices, d)
		if !d.MIG {
			continue
		}
		for _, p := range g.MIG {
			devices = append(devices, Device{
				ID: ID(strings.TrimSpace(p.UUID)), Kind: KindNVIDIA, Index: p.Index, Name: d.Name, PCI: g.PCI, Driver: log.Driver,
				Total: mebibytes(p.Memory.Total), Free: mebibytes(p.Memory.Free),
				Part: d.ID, Uses: uses(g.Processes, strings.TrimSpace(p.Instance)),
			})
		}
	}
	return devices, nil
}

func gpuID(g smiGPU) ID {
	if id := strings.TrimSpace(g.UUID); id != "" && !notApplicable(id) {
		return ID(id)
	}
	return ID("pci-" + g.PCI)
}

// uses lists the processes, of one MIG instance or ("") of all.
func uses(processes []smiProcess, instance string) []Use {
	var out []Use
	for _, p := range processes {
		if instance == "" || strings.TrimSpace(p.Instance) == instance {
			out = append(out, Use{PID: p.PID, Bytes: mebibytes(p.Used)})
		}
	}
	return out
}

var (
	listGPU  = regexp.MustCompile(`^GPU \d+: .*\(UUID: ([^)]+)\)`)
	listPart = regexp.MustCompile(`^\s+MIG (\S+)\s+Device\s+(\d+): \(UUID: ([^)]+)\)`)
)

// nameParts gives parts their names by the output of `nvidia-smi -L`. Parts
// that it does not name cannot be used and are left out.
func nameParts(devices []Device, list []byte) []Device {
	type place struct {
		gpu   ID
		index int
	}
	names := map[place]ID{}
	profiles := map[place]string{}
	var gpu ID
	for lines := bufio.NewScanner(bytes.NewReader(list)); lines.Scan(); {
		if m := listGPU.FindStringSubmatch(lines.Text()); m != nil {
			gpu = ID(m[1])
		} else if m := listPart.FindStringSubmatch(lines.Text()); m != nil {
			index, err := strconv.Atoi(m[2])
			if err != nil {
				continue
			}
			names[place{gpu, index}], profiles[place{gpu, index}] = ID(m[3]), m[1]
		}
	}
	var out []Device
	for _, d := range devices {
		if d.Part != "" {
			at := place{d.Part, d.Index}
			if d.ID == "" {
				d.ID = names[at]
			}
			if d.ID == "" {
				continue
			}
			if profile := profiles[at]; profile != "" {
				d.Name += " MIG " + profile
			}
		}
		out = append(out, d)
	}
	return out
}

// hasParts reports whether nameParts has something to do.
func hasParts(devices []Device) bool {
	for _, d := range devices {
		if d.Part != "" {
			return true
		}
	}
	return false
}

// mebibytes reads "24564 MiB" into bytes, Unknown if it is no figure.
func mebibytes(s string) int64 {
	s = strings.TrimSpace(s)
	figure, unit, _ := strings.Cut(s, " ")
	n, err := strconv.ParseInt(figure, 10, 64)
	if err != nil || n < 0 || n > 1<<40 {
		return Unknown
	}
	switch unit {
	case "MiB", "":
		return n << 20
	case "KiB":
		return n << 10
	case "GiB":
		return n << 30
	}
	return Unknown
}

func notApplicable(s string) bool { return strings.Trim(s, "[]") == "N/A" }
