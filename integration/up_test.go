package integration

import (
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hal0-dev/hal0/integration/bed"
)

// up starts `hal0 up` on a free port and waits until it has said so.
func up(t *testing.T, args ...string) (*bed.Process, string) {
	t.Helper()
	addr := "127.0.0.1:" + strconv.Itoa(bed.Port(t))
	args = append([]string{"up", "--listen.data=" + addr, "--listen.control=" + addr, "--state=" + t.TempDir()}, args...)
	cmd := exec.Command(bed.Hal0(t), args...)
	cmd.Env = bed.Environment()
	p := bed.Start(t, "up", cmd)
	bed.Until(t, "hal0 up serves", 20*time.Second, func() bool {
		status, _ := bed.Get(t, "http://"+addr+"/readyz")
		return status == 200
	})
	return p, addr
}

// seed is the readme's curl, against another address.
func seed(t *testing.T, addr string) *bed.CurlStream {
	t.Helper()
	return bed.RunCurl(t, "http://"+addr+chatPath, "-H", "Content-Type: application/json",
		"-d", `{"model":"primary","stream":true,"messages":[{"role":"user","content":"Count to five."}]}`)
}

// Bar 1: without a model, the demo engine answers, and says what it is. Ctrl-C
// leaves nothing behind.
func TestBar1UpWithDemo(t *testing.T) {
	p, addr := up(t, "--llamaServer=/nonexistent")
	if said := p.Log(); !strings.Contains(said, "curl http://") || !strings.Contains(said, "demo") || !strings.Contains(said, "Ctrl-C") {
		t.Errorf("hal0 up says: %s", said)
	}
	c := seed(t, addr)
	got := c.Body()
	if said := strings.TrimSpace(text(t, got)); said != "one two three four five" || !strings.HasSuffix(got, "data: [DONE]\n\n") {
		t.Errorf("curl got %q", got)
	}
	if n := len(events(t, got)); n < 6 {
		t.Errorf("%d events: not token by token", n)
	}
	if said, code := c.Told(); said != "HTTP/1.1 200" || code != 0 {
		t.Errorf("curl says %q, exit code %d", said, code)
	}
	// Ctrl-C goes to the whole foreground group.
	began := time.Now()
	if err := syscall.Kill(-p.PID(), syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if code := p.Wait(15 * time.Second); code != 0 {
		t.Errorf("hal0 up ended with %d at Ctrl-C", code)
	}
	within(t, "end after Ctrl-C", time.Since(began), 10*time.Second)
	if err := syscall.Kill(-p.PID(), 0); err != syscall.ESRCH {
		t.Errorf("processes are left in its group: %v", err)
	}
}

// Bar 2: with llama-server and a model, the same command.
func TestBar2UpWithModel(t *testing.T) {
	llama, model := bed.Tool(t, "llama-server"), bed.Model(t, "count.gguf")
	_, addr := up(t, "--llamaServer="+llama, "--model="+model)
	c := seed(t, addr)
	got := c.Body()
	if said := strings.TrimSpace(text(t, got)); said != counted || !strings.HasSuffix(got, "data: [DONE]\n\n") {
		t.Errorf("curl got %q", got)
	}
}
