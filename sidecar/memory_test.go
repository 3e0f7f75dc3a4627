package main

import (
	"testing"

	"github.com/hal0-dev/hal0/sidecar/internal/config"
	"github.com/hal0-dev/hal0/sidecar/internal/device"
)

func TestCapacity(t *testing.T) {
	cfg := config.Default()
	cfg.Reserve = "1GiB"
	cfg.Devices = map[string]*config.Device{"capped": {Memory: "3GiB"}, "generous": {Memory: "99GiB"}}
	for _, c := range []struct {
		id          device.ID
		total, want int64 // in GiB
	}{
		{"plain", 8, 7},
		{"small", 1, 0},
		{"capped", 8, 3},
		{"generous", 8, 7},
	} {
		if got := capacity(cfg)(device.Device{ID: c.id, Total: c.total << 30}); got != c.want<<30 {
			t.Errorf("%s of %d GiB: %d bytes, want %d GiB", c.id, c.total, got, c.want)
		}
	}
	if got := capacity(cfg)(device.Device{ID: "silent", Total: device.Unknown}); got != device.Unknown {
		t.Errorf("a device that does not say: %d, want unknown", got)
	}
	if got := capacity(cfg)(device.Device{ID: "capped", Total: device.Unknown}); got != 3<<30 {
		t.Errorf("a device that does not say, with a cap: %d, want the cap", got)
	}
}
