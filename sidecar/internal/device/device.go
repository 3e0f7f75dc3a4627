package device

import (
	"fmt"
	"time"
)

// ID names a device: Host, a GPU's UUID, or "pci-<address>" where the driver
// gives none.
type ID string

// Host is the machine's own memory.
const Host ID = "cpu"

// Unknown stands for a size that the device does not tell.
const Unknown int64 = -1

// Kind says whose tools and variables go with a device.
type Kind uint8

// Kinds of devices.
const (
	KindHost Kind = iota + 1
	KindNVIDIA
	KindAMD
)

func (k Kind) String() string {
	switch k {
	case KindHost:
		return "host"
	case KindNVIDIA:
		return "nvidia"
	case KindAMD:
		return "amd"
	}
	return fmt.Sprintf("Kind(%d)", uint8(k))
}

// MarshalText gives the kind's name.
func (k Kind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// Device is one device as it was at the time of a reading. Sizes are in bytes.
type Device struct {
	ID      ID     `json:"id"`
	Kind    Kind   `json:"kind"`
	Index   int    `json:"index"` // the tool's own number
	Name    string `json:"name"`
	PCI     string `json:"pci,omitempty"`
	Driver  string `json:"driver,omitempty"`
	Total   int64  `json:"total_bytes"` // Unknown if it does not say
	Free    int64  `json:"free_bytes"`  // Unknown if it does not say
	Unified bool   `json:"unified,omitempty"`
	MIG     bool   `json:"mig,omitempty"`  // divided; it is used through its parts
	Part    ID     `json:"part,omitempty"` // of this device (MIG)
	Uses    []Use  `json:"uses,omitempty"`
}

// Account is whose memory the device's is.
func (d Device) Account() ID {
	if d.Unified {
		return Host
	}
	return d.ID
}

// Use is what one process holds on a device.
type Use struct {
	PID   int   `json:"pid"`
	Bytes int64 `json:"bytes"` // Unknown if the driver does not say
}

// Reading is what the devices said at one moment.
type Reading struct {
	At       time.Time `json:"at"`
	Devices  []Device  `json:"devices"`
	Problems []Problem `json:"problems,omitempty"`
}

// Problem is a tool that did not say what it should.
type Problem struct {
	Source string `json:"source"`
	Text   string `json:"text"`
	Hides  bool   `json:"hides,omitempty"` // devices are there that it cannot show
}

// Hidden reports whether devices are there that nobody can see.
func (r Reading) Hidden() bool {
	for _, p := range r.Problems {
		if p.Hides {
			return true
		}
	}
	return false
}

// Device finds a device by its id.
func (r Reading) Device(id ID) (Device, bool) {
	for _, d := range r.Devices {
		if d.ID == id {
			return d, true
		}
	}
	return Device{}, false
}

// Share is memory of one account.
type Share struct {
	Device ID    `json:"device"`
	Bytes  int64 `json:"bytes"`
}
