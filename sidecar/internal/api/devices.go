package api

import (
	"context"
	"net/http"
	"time"

	"github.com/hal0-dev/hal0/sidecar/internal/device"
)

// Devices are the memory of the box. It is pool.Pool.
type Devices interface {
	Accounts() []device.Account
	// Read asks the devices, and returns what they said last where they do not
	// answer before ctx's end.
	Read(ctx context.Context) device.Reading
}

// devicesWithin bounds the wait for a tool.
const devicesWithin = 3 * time.Second

func (s *Server) devices(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), devicesWithin)
	defer cancel()
	reading := s.cfg.Devices.Read(ctx)
	if reading.Devices == nil {
		reading.Devices = []device.Device{}
	}
	writeJSON(w, http.StatusOK, map[string]any{
		"at": reading.At, "devices": reading.Devices, "problems": reading.Problems, "accounts": s.cfg.Devices.Accounts(),
	})
}
