package integration

import (
	"net"
	"reflect"
	"strconv"
	"testing"

	"github.com/hal0-dev/hal0/integration/bed"
)

// An MCP server on another box, whose tool asks the model by hal0.lan: what it
// gets is what the engine sent, and what somebody on this box gets.
func TestMCPServerOnAnotherBox(t *testing.T) {
	client := bed.Tool(t, "client-mcp")
	box := bed.NewBox(t)
	port := strconv.Itoa(bed.Port(t))
	s := bed.NewSidecar(t, "").Start()
	bed.NewEdge(t, s, models, "--entrypoints.web.address=:"+port)
	local := bed.Open(t, bed.Request{Addr: net.JoinHostPort("localhost", port), Path: chatPath, Body: chat("primary", true)})
	here := wantStream(t, local)
	env := []string{"OPENAI_BASE_URL=http://hal0.lan:" + port + "/v1", "OPENAI_API_KEY=local"}
	there := command(t, env, client, append([]string{"call", "primary", prompt}, box.Command(client, "serve")...)...)
	seen := s.Exchanges(chatPath)
	if len(seen) != 2 {
		t.Fatalf("the engine saw %d requests", len(seen))
	}
	if sent := withoutPings(string(seen[1].Body)); there != sent {
		t.Errorf("the box got other bytes than the engine sent\n got %q\nsent %q", there, sent)
	}
	if !reflect.DeepEqual(masked(t, there), masked(t, here)) {
		t.Errorf("the box got something else than this one\nthere %q\n here %q", there, here)
	}
}
