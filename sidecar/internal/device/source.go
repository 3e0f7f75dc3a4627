package device

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"path"
	"strings"
	"time"
)

// Source is one tool that knows devices.
type Source interface {
	Name() string
	// Read asks the tool. It may hang beyond ctx's end, if the driver does.
	Read(ctx context.Context) ([]Device, error)
}

// HiddenError is the error of a source whose devices are there, but cannot be
// seen: falling back to another kind of device would surprise.
type HiddenError struct{ Err error }

func (e *HiddenError) Error() string { return e.Err.Error() }
func (e *HiddenError) Unwrap() error { return e.Err }

// HostSource reads the host's memory below root.
func HostSource(root fs.FS) Source { return hostSource{root} }

type hostSource struct{ root fs.FS }

func (hostSource) Name() string { return "host" }

func (s hostSource) Read(context.Context) ([]Device, error) {
	d, err := readHost(s.root)
	return []Device{d}, err
}

// AMDSource reads amdgpu's files below root.
func AMDSource(root fs.FS) Source { return amdSource{root} }

type amdSource struct{ root fs.FS }

func (amdSource) Name() string { return "amdgpu" }

func (s amdSource) Read(context.Context) ([]Device, error) { return readAMD(s.root) }

// NVIDIASource runs nvidia-smi; tool "" is the one on the PATH. root is where
// the machine's PCI devices are looked up.
func NVIDIASource(root fs.FS, tool string) Source {
	if tool == "" {
		tool = "nvidia-smi"
	}
	return nvidiaSource{root, tool}
}

type nvidiaSource struct {
	root fs.FS
	tool string
}

func (nvidiaSource) Name() string { return "nvidia-smi" }

// noDevices is nvidia-smi's exit code when a query finds no object.
const noDevices = 6

func (s nvidiaSource) Read(ctx context.Context) ([]Device, error) {
	out, err := s.run(ctx, "-q", "-x")
	if err != nil {
		return nil, s.judge(err)
	}
	devices, err := parseSMI(out)
	if err != nil {
		return nil, s.judge(err)
	}
	if hasParts(devices) {
		list, err := s.run(ctx, "-L")
		if err != nil {
			return nil, s.judge(err)
		}
		devices = nameParts(devices, list)
	}
	return devices, nil
}

// judge tells a machine without NVIDIA devices from one whose driver is broken.
func (s nvidiaSource) judge(err error) error {
	exit, exited := errors.AsType[*exec.ExitError](err)
	switch {
	case exited && exit.ExitCode() == noDevices:
		return nil
	case errors.Is(err, exec.ErrNotFound): // no driver, or a container without the GPU: meant to be so
		return nil
	case hasNVIDIA(s.root):
		return &HiddenError{err}
	}
	return err
}

func (s nvidiaSource) run(ctx context.Context, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, s.tool, args...)
	cmd.WaitDelay = time.Second // a grandchild may hold the pipe
	defer contain(cmd)()
	var complaint strings.Builder
	cmd.Stderr = &limited{to: &complaint, left: 4096}
	var out strings.Builder
	cmd.Stdout = &limited{to: &out, left: 16 << 20}
	err := cmd.Run()
	if ctx.Err() != nil {
		return nil, fmt.Errorf("run nvidia-smi: it does not answer: %w", context.Cause(ctx))
	}
	if err != nil {
		said := firstLine(complaint.String() + out.String())
		return nil, fmt.Errorf("run nvidia-smi: %w: %s", err, said)
	}
	return []byte(out.String()), nil
}

// limited drops what is more than left bytes: a broken tool may print for ever.
type limited struct {
	to   *strings.Builder
	left int
}

func (l *limited) Write(b []byte) (int, error) {
	keep := b[:min(len(b), l.left)]
	l.left -= len(keep)
	l.to.Write(keep)
	return len(b), nil
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(s), "\n")
	return line[:min(len(line), 200)]
}

// hasNVIDIA reports whether an NVIDIA display or 3D controller is on the bus.
func hasNVIDIA(root fs.FS) bool {
	const pci = "sys/bus/pci/devices"
	entries, err := fs.ReadDir(root, pci)
	if err != nil {
		return false
	}
	for _, e := range entries {
		dir := path.Join(pci, e.Name())
		if text(root, path.Join(dir, "vendor")) == "0x10de" && strings.HasPrefix(text(root, path.Join(dir, "class")), "0x03") {
			return true
		}
	}
	return false
}
