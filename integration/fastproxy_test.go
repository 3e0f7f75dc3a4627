package integration

import (
	"testing"

	"github.com/hal0-dev/hal0/integration/bed"
)

// FastProxy tells of a lost sidecar in other ways than the standard proxy; the
// ending is the same.
func TestSidecarKilledUnderFastProxy(t *testing.T) {
	t.Parallel()
	bed.Tool(t, "traefik")
	s := bed.NewSidecar(t, "").Start()
	e := bed.NewEdge(t, s, manyModels, "--experimental.fastproxy=true")
	stream := bed.Open(t, bed.Request{Addr: e.Web("127.0.0.1"), Host: "hal0.lan", Path: chatPath, Body: counting(1000, 25)})
	frames(t, stream, 5)
	s.Kill()
	wantBroken(t, stream, "sidecar.lost")
}
