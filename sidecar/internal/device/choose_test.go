package device

import (
	"slices"
	"testing"
)

var host = Device{ID: Host, Kind: KindHost, Total: 64 * gib, Free: 32 * gib}

func reading(devices ...Device) Reading { return Reading{Devices: append([]Device{host}, devices...)} }

func nvidia(id ID, index int, free int64) Device {
	return Device{ID: id, Kind: KindNVIDIA, Index: index, Total: 24 * gib, Free: free}
}

func TestChoose(t *testing.T) {
	two := reading(nvidia("GPU-aaaa-1", 0, 4*gib), nvidia("GPU-abbb-2", 1, 20*gib))
	divided := reading(
		Device{ID: "GPU-p", Kind: KindNVIDIA, MIG: true}, Device{ID: "MIG-1", Kind: KindNVIDIA, Part: "GPU-p", Free: gib},
		Device{ID: "MIG-2", Kind: KindNVIDIA, Index: 1, Part: "GPU-p", Free: 2 * gib},
	)
	broken := reading()
	broken.Problems = []Problem{{Source: "nvidia-smi", Hides: true}}
	old := reading()
	old.Problems = []Problem{{Source: "nvidia-smi"}}
	for _, c := range []struct {
		name string
		r    Reading
		want string
		out  [][]ID
	}{
		{"auto takes the emptiest first", two, "auto", [][]ID{{"GPU-abbb-2"}, {"GPU-aaaa-1"}}},
		{"nothing is auto", two, "", [][]ID{{"GPU-abbb-2"}, {"GPU-aaaa-1"}}},
		{"auto without a GPU", reading(), "auto", [][]ID{{Host}}},
		{"auto with a GPU that cannot be seen", broken, "auto", nil},
		{"auto with a tool and no GPU", old, "auto", [][]ID{{Host}}},
		{"cpu beside a broken GPU", broken, "cpu", [][]ID{{Host}}},
		{"cpu", two, "cpu", [][]ID{{Host}}},
		{"index", two, "0", [][]ID{{"GPU-aaaa-1"}}},
		{"prefix", two, "GPU-ab", [][]ID{{"GPU-abbb-2"}}},
		{"prefix without GPU-", two, "aaaa", [][]ID{{"GPU-aaaa-1"}}},
		{"prefix of two", two, "GPU-a", nil},
		{"no such", two, "7", nil},
		{"list", two, "1, 0", [][]ID{{"GPU-abbb-2", "GPU-aaaa-1"}}},
		{"list with a hole", two, "1,", nil},
		{"parts", divided, "auto", [][]ID{{"MIG-2"}, {"MIG-1"}}},
		{"one part", divided, "MIG-1", [][]ID{{"MIG-1"}}},
		{"what is divided", divided, "GPU-p", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got [][]ID
			for _, set := range Choose(c.r, c.want) {
				var ids []ID
				for _, d := range set {
					ids = append(ids, d.ID)
				}
				got = append(got, ids)
			}
			if !slices.EqualFunc(got, c.out, slices.Equal) {
				t.Errorf("got %v, want %v", got, c.out)
			}
		})
	}
}

func TestPlacementEnv(t *testing.T) {
	r := reading(
		nvidia("GPU-a", 0, 0), nvidia("MIG-b", 1, 0), nvidia("pci-0000:07:00.0", 2, 0),
		Device{ID: "GPU-9f2a", Kind: KindAMD}, Device{ID: "pci-0000:c5:00.0", Kind: KindAMD, Index: 1},
	)
	for _, c := range []struct {
		name, wanted string
		on           []ID
		want         []string
	}{
		{"one", "auto", []ID{"GPU-a"}, []string{"CUDA_DEVICE_ORDER=PCI_BUS_ID", "CUDA_VISIBLE_DEVICES=GPU-a"}},
		{"several", "0,1", []ID{"GPU-a", "MIG-b"}, []string{"CUDA_DEVICE_ORDER=PCI_BUS_ID", "CUDA_VISIBLE_DEVICES=GPU-a,MIG-b"}},
		{"without a name", "2", []ID{"pci-0000:07:00.0"}, []string{"CUDA_DEVICE_ORDER=PCI_BUS_ID", "CUDA_VISIBLE_DEVICES=2"}},
		{"amd", "GPU-9", []ID{"GPU-9f2a"}, []string{"ROCR_VISIBLE_DEVICES=GPU-9f2a"}},
		{"amd without a name", "auto", []ID{"pci-0000:c5:00.0"}, []string{"ROCR_VISIBLE_DEVICES=1"}},
		{"host, because there is nothing else", "auto", []ID{Host}, nil},
		{"host, as declared", "cpu", []ID{Host}, []string{"CUDA_VISIBLE_DEVICES=-1", "ROCR_VISIBLE_DEVICES=-1", "HIP_VISIBLE_DEVICES=-1", "GGML_VK_VISIBLE_DEVICES="}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := NewPlacement(r, c.wanted, c.on, nil).Env(); !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
