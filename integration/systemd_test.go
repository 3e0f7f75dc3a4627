package integration

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hal0-dev/hal0/integration/bed"
)

// The unit is one that systemd takes, but for where the binary is.
func TestExampleSystemd(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip(bed.Missing + "systemd-analyze")
	}
	unit := filepath.Join(t.TempDir(), "hal0.service")
	text := strings.ReplaceAll(readFile(t, below("systemd/hal0.service")), "/usr/local/bin/hal0", bed.Hal0(t))
	if err := os.WriteFile(unit, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(analyze, "verify", unit).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
}
