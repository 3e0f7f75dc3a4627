package device

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
)

var update = flag.Bool("update", false, "write golden files")

// golden compares v, as JSON, with the file.
func golden(t *testing.T, path string, v any) {
	t.Helper()
	got, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	got = append(got, '\n')
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(want, got) {
		t.Errorf("%s differs; got:\n%s", path, got)
	}
}

func TestParseSMI(t *testing.T) {
	files, err := filepath.Glob("testdata/nvidia/*.xml")
	if err != nil || len(files) < 5 {
		t.Fatalf("%d fixtures, error %v", len(files), err)
	}
	for _, f := range files {
		t.Run(filepath.Base(f), func(t *testing.T) {
			out, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			devices, err := parseSMI(out)
			if err != nil {
				t.Fatal(err)
			}
			if hasParts(devices) {
				list, err := os.ReadFile(strings.TrimSuffix(f, ".xml") + ".list")
				if err != nil {
					t.Fatal(err)
				}
				devices = nameParts(devices, list)
			}
			golden(t, strings.TrimSuffix(f, ".xml")+".golden", devices)
		})
	}
}

func TestParseSMIGarbage(t *testing.T) {
	for _, s := range []string{"", "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.", "<html/>", "<nvidia_smi_log><gpu>"} {
		if d, err := parseSMI([]byte(s)); err == nil {
			t.Errorf("%q is read as %v", s, d)
		}
	}
}

func FuzzParseSMI(f *testing.F) {
	files, err := filepath.Glob("testdata/nvidia/*.xml")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b, []byte("GPU 0: X (UUID: GPU-1)\n  MIG 1g Device  0: (UUID: MIG-1)\n"))
	}
	f.Fuzz(func(t *testing.T, out, list []byte) {
		devices, err := parseSMI(out)
		if err != nil {
			return
		}
		for _, d := range nameParts(devices, list) {
			if d.ID == "" || d.Total < Unknown || d.Free < Unknown {
				t.Errorf("device %+v", d)
			}
		}
	})
}

const gib = int64(1) << 30

// card is amdgpu's files of one card.
func card(files fstest.MapFS, name string, content map[string]string) {
	for f, c := range content {
		files["sys/class/drm/"+name+"/device/"+f] = &fstest.MapFile{Data: []byte(c)}
	}
}

func TestReadAMD(t *testing.T) {
	files := fstest.MapFS{
		"sys/class/drm/card0-DP-1/status":                      {Data: []byte("connected\n")},
		"sys/class/drm/version":                                {Data: []byte("drm 1.1.0\n")},
		"sys/class/kfd/kfd/topology/nodes/0/gpu_id":            {Data: []byte("0\n")},
		"sys/class/kfd/kfd/topology/nodes/1/gpu_id":            {Data: []byte("51234\n")},
		"sys/class/kfd/kfd/topology/nodes/1/properties":        {Data: []byte("cpu_cores_count 0\nsimd_count 192\ndrm_render_minor 128\n")},
		"sys/class/kfd/kfd/proc/4711/vram_51234":               {Data: []byte("8589934592")},
		"sys/class/kfd/kfd/proc/4712/vram_51234":               {Data: []byte("0\n")},
		"sys/class/drm/card1/device/drm/renderD128/dev":        {Data: []byte("226:128\n")},
		"sys/class/drm/card9/device/vendor":                    {Data: []byte("0x10de\n")},
		"sys/class/drm/card8/device/vendor":                    {Data: []byte("0x1002\n")}, // radeon: no memory shown
		"sys/class/drm/card7/device/vendor":                    {Data: []byte("0x8086\n")},
		"sys/class/drm/card7/device/drm/renderD130/dev":        {Data: []byte("226:130\n")},
		"sys/class/drm/card7/device/mem_info_vram_total":       {Data: []byte("1\n")},
		"sys/class/drm/card1-HDMI-A-1/device/drm/card1/status": {Data: []byte("x")},
	}
	card(files, "card1", map[string]string{ // a card
		"vendor": "0x1002\n", "device": "0x744c\n", "uevent": "DRIVER=amdgpu\nPCI_SLOT_NAME=0000:03:00.0\n",
		"unique_id": "9f2a6c1d2b3e4f50\n", "mem_info_vram_total": "25753026560\n", "mem_info_vram_used": "9000000000\n",
		"mem_info_gtt_total": "33000000000\n", "gpu_metrics": "\x78\x00\x01\x03",
	})
	card(files, "card0", map[string]string{ // part of the processor
		"vendor": "0x1002\n", "device": "0x1586\n", "uevent": "PCI_SLOT_NAME=0000:c5:00.0\n", "product_name": "Radeon 8060S\n",
		"mem_info_vram_total": "536870912\n", "mem_info_vram_used": "100000000\n", "mem_info_gtt_total": "62000000000\n",
		"gpu_metrics": "\x08\x01\x03\x00",
	})
	card(files, "card2", map[string]string{ // part of the processor, most memory set aside
		"vendor": "0x1002\n", "device": "0x1586\n", "uevent": "PCI_SLOT_NAME=0000:d5:00.0\n", "unique_id": "0\n",
		"mem_info_vram_total": "103079215104\n", "mem_info_vram_used": "bad\n", "mem_info_gtt_total": "16000000000\n",
		"gpu_metrics": "\x08\x01\x03\x00",
	})
	devices, err := readAMD(files)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/amd/three.golden", devices)
	if devices, err := readAMD(fstest.MapFS{}); err != nil || devices != nil {
		t.Errorf("without the driver: %v, %v", devices, err)
	}
}

func TestReadHost(t *testing.T) {
	meminfo := "MemTotal:       67108864 kB\nMemFree:  1 kB\nMemAvailable:   33554432 kB\n"
	for _, c := range []struct {
		name        string
		files       map[string]string
		total, free int64
	}{
		{"plain", map[string]string{"proc/self/cgroup": "0::/user.slice/x.scope\n"}, 64 * gib, 32 * gib},
		{"container", map[string]string{
			"proc/self/cgroup":             "0::/\n",
			"sys/fs/cgroup/memory.max":     "17179869184\n",
			"sys/fs/cgroup/memory.current": "8589934592\n",
			"sys/fs/cgroup/memory.stat":    "anon 1\ninactive_file 4294967296\n",
		}, 16 * gib, 12 * gib},
		{"the tightest of nested groups", map[string]string{
			"proc/self/cgroup":                 "0::/a/b\n",
			"sys/fs/cgroup/a/memory.max":       "17179869184\n",
			"sys/fs/cgroup/a/memory.current":   "16106127360\n",
			"sys/fs/cgroup/a/b/memory.max":     "8589934592\n",
			"sys/fs/cgroup/a/b/memory.current": "1073741824\n",
		}, 16 * gib, 1 * gib},
		{"no limit", map[string]string{"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "max\n"}, 64 * gib, 32 * gib},
		{"version 1", map[string]string{
			"proc/self/cgroup":                                      "12:cpu,cpuacct:/x\n4:memory:/docker/abc\n0::/\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes":            "34359738368\n",
			"sys/fs/cgroup/memory/memory.usage_in_bytes":            "10737418240\n",
			"sys/fs/cgroup/memory/memory.stat":                      "cache 9\ntotal_inactive_file 1073741824\n",
			"sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes": "9223372036854771712\n",
		}, 32 * gib, 23 * gib},
		{"over its limit", map[string]string{
			"proc/self/cgroup":             "0::/\n",
			"sys/fs/cgroup/memory.max":     "1073741824\n",
			"sys/fs/cgroup/memory.current": "2147483648\n",
		}, 1 * gib, 0},
		{"no groups", nil, 64 * gib, 32 * gib},
	} {
		t.Run(c.name, func(t *testing.T) {
			files := fstest.MapFS{"proc/meminfo": {Data: []byte(meminfo)}}
			for name, content := range c.files {
				files[name] = &fstest.MapFile{Data: []byte(content)}
			}
			d, err := readHost(files)
			if err != nil {
				t.Fatal(err)
			}
			if d.Total != c.total || d.Free != c.free {
				t.Errorf("%d total, %d free; want %d, %d", d.Total, d.Free, c.total, c.free)
			}
		})
	}
	if _, err := readHost(fstest.MapFS{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without meminfo: %v", err)
	}
	if _, err := readHost(fstest.MapFS{"proc/meminfo": {Data: []byte("MemTotal: x kB\n")}}); err == nil {
		t.Error("garbage is read")
	}
}

func FuzzReadHost(f *testing.F) {
	f.Add("MemTotal: 1 kB\nMemAvailable: 1 kB\n", "0::/\n", "123\n", "456\n", "inactive_file 1\n")
	f.Fuzz(func(t *testing.T, meminfo, cgroup, limit, current, stat string) {
		files := fstest.MapFS{}
		for name, content := range map[string]string{
			"proc/meminfo": meminfo, "proc/self/cgroup": cgroup, "sys/fs/cgroup/memory.max": limit,
			"sys/fs/cgroup/memory.current": current, "sys/fs/cgroup/memory.stat": stat,
		} {
			files[name] = &fstest.MapFile{Data: []byte(content)}
		}
		d, err := readHost(files)
		if err == nil && (d.Total < 0 || d.Free < 0) {
			t.Errorf("%d total, %d free", d.Total, d.Free)
		}
	})
}

func TestResident(t *testing.T) {
	files := fstest.MapFS{
		"proc/10/stat":    {Data: []byte("10 (llama (x) y) S 1 10 10")},
		"proc/10/status":  {Data: []byte("Name:\tx\nVmHWM:\t    2048 kB\nVmRSS:\t 1024 kB\n")},
		"proc/11/stat":    {Data: []byte("11 (child) S 10 10 10")},
		"proc/11/status":  {Data: []byte("VmHWM:\t    1024 kB\n")},
		"proc/12/stat":    {Data: []byte("12 (grandchild) S 11 10 10")},
		"proc/12/status":  {Data: []byte("VmHWM:\t    1024 kB\n")},
		"proc/13/stat":    {Data: []byte("13 (other) S 1 10 10")},
		"proc/13/status":  {Data: []byte("VmHWM:\t    4096 kB\n")},
		"proc/self/stat":  {Data: []byte("x")},
		"proc/14/comm":    {Data: []byte("gone")},
		"proc/15/stat":    {Data: []byte("garbage")},
		"proc/15/comm":    {Data: []byte("garbage")},
		"proc/uptime":     {Data: []byte("1")},
		"proc/bus/x/stat": {Data: []byte("1")},
	}
	got, err := Resident(files, 10)
	if err != nil || got != 4<<20 {
		t.Errorf("%d bytes, error %v; want 4 MiB", got, err)
	}
	if _, err := Resident(files, 99); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a process that is not there: %v", err)
	}
}
