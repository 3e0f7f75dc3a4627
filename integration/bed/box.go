package bed

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Box is another box on the LAN: a network namespace with one link to this one,
// where hal0.lan is known.
type Box struct{ name string }

// NewBox makes a box; the test is skipped where the kernel does not let it.
func NewBox(t testing.TB) Box {
	t.Helper()
	if _, err := exec.LookPath("ip"); err != nil {
		t.Skip(Missing + "ip")
	}
	pid := os.Getpid()
	b := Box{name: fmt.Sprintf("hal0-%d", pid)}
	here, there := fmt.Sprintf("h0-%d", pid), fmt.Sprintf("h1-%d", pid)
	net := fmt.Sprintf("10.213.%d.", pid%250)
	if out, err := exec.Command("ip", "netns", "add", b.name).CombinedOutput(); err != nil {
		t.Skipf("%sa network namespace: %v %s", Refused, err, out)
	}
	hosts := filepath.Join("/etc/netns", b.name) // ip netns exec shows its files in the place of /etc's
	t.Cleanup(func() {
		_ = exec.Command("ip", "netns", "delete", b.name).Run() // its end of the link goes, and with it the other
		_ = os.RemoveAll(hosts)
		_ = os.Remove(filepath.Dir(hosts)) // unless somebody else has something there
	})
	for _, line := range []string{
		"link add " + here + " type veth peer name " + there + " netns " + b.name,
		"addr add " + net + "1/30 dev " + here,
		"link set " + here + " up",
		"-n " + b.name + " addr add " + net + "2/30 dev " + there,
		"-n " + b.name + " link set " + there + " up",
	} {
		if out, err := exec.Command("ip", strings.Fields(line)...).CombinedOutput(); err != nil {
			t.Skipf("%sa network of its own for a box: ip %s: %v %s", Refused, line, err, out)
		}
	}
	err := os.MkdirAll(hosts, 0o755)
	if err == nil {
		err = os.WriteFile(filepath.Join(hosts, "hosts"), []byte(net+"1 hal0.lan\n"), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Command is the command line that runs a program in the box.
func (b Box) Command(argv ...string) []string {
	return append([]string{"ip", "netns", "exec", b.name}, argv...)
}
