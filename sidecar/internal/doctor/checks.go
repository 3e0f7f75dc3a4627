package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/hal0-dev/hal0/plugin/wire"
	"github.com/hal0-dev/hal0/sidecar/internal/device"
)

// LlamaServer says whether llama.cpp's server is there and starts. path "" means
// that none was found; needed, that a slot cannot do without.
func LlamaServer(path string, needed bool) Check {
	return Check{"llama.cpp", func(ctx context.Context) []Finding {
		level := Note
		if needed {
			level = Problem
		}
		if path == "" {
			return []Finding{{Level: level, Text: "there is no llama-server on the PATH", Advice: "Install llama.cpp, or name its llama-server with LLAMA_SERVER or llamaServer in hal0.yml. Without it only the demo engine and engines of your own run."}}
		}
		cmd := exec.CommandContext(ctx, path, "--version")
		cmd.WaitDelay = time.Second
		out, err := cmd.CombinedOutput()
		if err != nil {
			return []Finding{{Level: level, Text: fmt.Sprintf("%s does not start: %v: %s", path, err, lastLine(string(out))), Advice: "Run it by hand with --version. A missing library or an image for another processor are the usual causes."}}
		}
		return []Finding{{Level: OK, Text: path + ", " + versionLine(string(out))}}
	}}
}

func versionLine(out string) string {
	for line := range strings.Lines(out) {
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), "version: "); ok {
			return "version " + v
		}
	}
	return "version unknown"
}

func lastLine(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return lines[len(lines)-1]
}

// Inventory reads the devices. It is device.Inventory.
type Inventory interface {
	Refresh(done func(device.Reading))
}

// Devices says what memory there is. A nil inventory means that nobody knows how
// to read it here.
func Devices(inventory Inventory) Check {
	return Check{"devices", func(ctx context.Context) []Finding {
		if inventory == nil {
			return []Finding{{Level: Note, Text: "memory is not read on this system", Advice: "Whatever is asked for is started; declare fewer models than fit."}}
		}
		got := make(chan device.Reading, 1)
		inventory.Refresh(func(r device.Reading) { got <- r })
		select {
		case r := <-got:
			return readingFindings(r)
		case <-ctx.Done():
			return []Finding{{Level: Problem, Text: "the devices do not answer", Advice: driverAdvice}}
		}
	}}
}

const driverAdvice = "Run nvidia-smi by hand. If it fails, reload or reinstall the driver, or reboot; slots on other devices go on meanwhile."

// advice is what to do about a source that does not say what it should.
func advice(source string) string {
	switch source {
	case "nvidia-smi":
		return driverAdvice
	case "amdgpu":
		return "See whether /sys/class/drm can be read; in a container, whether /sys is there. The kernel's log (dmesg) says what amdgpu lacks."
	}
	return "See whether /proc/meminfo and /sys/fs/cgroup can be read."
}

func readingFindings(r device.Reading) []Finding {
	var out []Finding
	gpus := 0
	for _, d := range r.Devices {
		if d.Kind != device.KindHost {
			gpus++
		}
		out = append(out, Finding{Level: OK, Text: fmt.Sprintf("%s (%s), %s free of %s", d.Name, d.ID, gib(d.Free), gib(d.Total))})
	}
	for _, p := range r.Problems {
		out = append(out, Finding{Level: Problem, Text: p.Source + ": " + p.Text, Advice: advice(p.Source)})
	}
	if gpus == 0 && len(r.Problems) == 0 {
		out = append(out, Finding{Level: Note, Text: "no GPU is seen", Advice: "Models run on the CPU. In a container, a GPU has to be given to it: `deploy.resources.reservations.devices` in compose, with NVIDIA's container toolkit; /dev/kfd and /dev/dri for AMD."})
	}
	return out
}

func gib(n int64) string {
	if n == device.Unknown {
		return "an unknown size"
	}
	return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
}

// Nodes says whether device files that are there may be used.
func Nodes(patterns ...string) Check {
	return Check{"device files", func(context.Context) []Finding {
		var out []Finding
		for _, pattern := range patterns {
			paths, err := filepath.Glob(pattern)
			if err != nil {
				continue // a pattern of ours that is wrong finds nothing
			}
			for _, p := range paths {
				f, err := os.OpenFile(p, os.O_RDWR|syscall.O_NONBLOCK, 0)
				if err == nil {
					f.Close()
					continue
				}
				if errors.Is(err, fs.ErrPermission) {
					out = append(out, Finding{Level: Problem, Text: "may not open " + p, Advice: "Add the user to the file's group (video or render), or in compose: group_add."})
				}
			}
		}
		return out
	}}
}

// Listener says whether an address can be listened on, or who has it.
func Listener(name, address string) Check {
	return Check{name, func(ctx context.Context) []Finding {
		l, err := net.Listen("tcp", address)
		if err == nil {
			l.Close()
			return []Finding{{Level: OK, Text: address + " is free"}}
		}
		if !errors.Is(err, syscall.EADDRINUSE) {
			return []Finding{{Level: Problem, Text: fmt.Sprintf("cannot listen on %s: %v", address, err), Advice: "Choose another address with listen.data or listen.control."}}
		}
		if answersAsHal0(ctx, address) {
			return []Finding{{Level: OK, Text: "hal0 serves at " + address}}
		}
		return []Finding{{Level: Problem, Text: address + " is used by something else", Advice: "Stop it (ss -ltnp shows what it is), or choose another address with listen.data or listen.control."}}
	}}
}

func answersAsHal0(ctx context.Context, address string) bool {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(host, port)+"/healthz", nil)
	if err != nil {
		return false
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	b := make([]byte, 3)
	n, _ := resp.Body.Read(b)
	return resp.StatusCode == http.StatusOK && strings.HasPrefix(string(b[:n]), "ok")
}

// Directory says whether files can be written below dir; where it is not there
// yet, below what is.
func Directory(name, dir string, needed bool) Check {
	return Check{name, func(context.Context) []Finding {
		_, err := os.Stat(dir)
		if errors.Is(err, fs.ErrNotExist) {
			if !needed {
				return []Finding{{Level: Note, Text: dir + " is not there yet"}}
			}
			return probe(dir, existing(dir), " is made at the first start")
		}
		return probe(dir, dir, " can be written")
	}}
}

func existing(dir string) string {
	for {
		if _, err := os.Stat(dir); err == nil || filepath.Dir(dir) == dir {
			return dir
		}
		dir = filepath.Dir(dir)
	}
}

func probe(dir, at, good string) []Finding {
	f, err := os.CreateTemp(at, ".hal0-doctor-*")
	if err != nil {
		return []Finding{{Level: Problem, Text: fmt.Sprintf("cannot write to %s: %v", at, unwrapPath(err)), Advice: fmt.Sprintf("Give it to the user that hal0 runs as (uid %d): chown, or another directory.", os.Getuid())}}
	}
	f.Close()
	if err := os.Remove(f.Name()); err != nil {
		return []Finding{{Level: Problem, Text: fmt.Sprintf("cannot remove %s: %v", f.Name(), unwrapPath(err))}}
	}
	return []Finding{{Level: OK, Text: dir + good}}
}

func unwrapPath(err error) error {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Err
	}
	return err
}

// Token says whether the token is there, whole, and nobody else's to read.
func Token(path string) Check {
	return Check{"token", func(context.Context) []Finding {
		b, err := os.ReadFile(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return []Finding{{Level: Note, Text: path + " is not there yet; the first start makes it"}}
		case err != nil:
			return []Finding{{Level: Problem, Text: fmt.Sprintf("cannot read %s: %v", path, unwrapPath(err)), Advice: fmt.Sprintf("Sidecar and Traefik have to run as the same user, or share its group; this is uid %d.", os.Getuid())}}
		case !wire.ValidToken(strings.TrimSpace(string(b))):
			return []Finding{{Level: Problem, Text: path + " does not hold a token", Advice: "Remove it; the next start makes a new one."}}
		}
		if info, err := os.Stat(path); err == nil && info.Mode().Perm()&0o007 != 0 {
			return []Finding{{Level: Note, Text: path + " may be read by everybody on this box", Advice: "chmod o-rwx " + path}}
		}
		return []Finding{{Level: OK, Text: path + " is in order"}}
	}}
}

// Space says whether the disk of a directory has room. free is what is left of
// it, in bytes.
func Space(name, dir string, reserve int64, free func(string) (int64, error)) Check {
	return Check{name, func(context.Context) []Finding {
		n, err := free(dir)
		switch {
		case err != nil:
			return []Finding{{Level: Note, Text: fmt.Sprintf("cannot tell the free space of %s: %v", dir, err)}}
		case n < reserve:
			return []Finding{{Level: Problem, Text: fmt.Sprintf("%s are free on the disk of %s, and %s are to be left free", gib(n), dir, gib(reserve)), Advice: "Make room (`hal0 models` lists what takes it), or lower disk.reserve. No model is fetched until then."}}
		}
		return []Finding{{Level: OK, Text: fmt.Sprintf("%s free on the disk of %s", gib(n), dir)}}
	}}
}

// Clock says whether this box's clock can be right: proofs carry a time. remote
// is what a running sidecar's clock says; zero = there is none.
func Clock(remote func(context.Context) time.Time, built time.Time) Check {
	return Check{"clock", func(ctx context.Context) []Finding {
		now := time.Now()
		if now.Before(built) {
			return []Finding{{Level: Problem, Text: "the clock says " + now.Format(time.DateTime) + ", which is before this hal0 was built", Advice: "Set it: systemctl start systemd-timesyncd, or chrony."}}
		}
		if at := remote(ctx); !at.IsZero() {
			if off := time.Since(at).Abs(); off > wire.Window/2 {
				return []Finding{{Level: Problem, Text: fmt.Sprintf("the sidecar's clock is %s away from this box's", off.Round(time.Second)), Advice: "Set both by NTP: Traefik's requests are refused where they are more than five minutes apart."}}
			}
		}
		return []Finding{{Level: OK, Text: now.Format(time.RFC1123Z)}}
	}}
}
