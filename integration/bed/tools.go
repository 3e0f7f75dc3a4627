package bed

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// Root is the top of the repository, seen from the folder in which go test runs
// the package's tests.
func Root() string {
	dir, err := os.Getwd()
	for err == nil && dir != filepath.Dir(dir) {
		if _, e := os.Stat(filepath.Join(dir, ".traefik.yml")); e == nil {
			return dir
		}
		dir = filepath.Dir(dir)
	}
	panic("the tests do not run inside the repository")
}

// Cache is the folder that integration/install fills.
func Cache() string {
	if dir := os.Getenv("HAL0_CACHE"); dir != "" {
		return dir
	}
	return filepath.Join(Root(), ".cache")
}

// Missing begins the message of a test that was skipped because a tool is not
// there. integration/run looks for it.
const Missing = "missing tool: "

// Refused begins the message of a test that was skipped because the machine's
// kernel does not let it run. integration/run lets that pass, and says so.
const Refused = "the kernel refuses "

// Tool is the path of a program in the cache, or skips the test.
func Tool(t testing.TB, name string) string {
	t.Helper()
	path := filepath.Join(Cache(), name)
	if _, err := os.Stat(path); err != nil {
		t.Skip(Missing + name + " (integration/install puts it at " + path + ")")
	}
	return path
}

// Model is the path of a generated model in the cache, or skips the test.
func Model(t testing.TB, name string) string {
	t.Helper()
	return Tool(t, filepath.Join("models", name))
}

// Curl is the path of curl, or skips the test.
func Curl(t testing.TB) string {
	t.Helper()
	path, err := exec.LookPath("curl")
	if err != nil {
		t.Skip(Missing + "curl")
	}
	return path
}

// built keeps what was compiled for this run of the test binary.
var built struct {
	sync.Mutex
	path map[string]string
	err  map[string]error
	dir  string
}

// Hal0 is the sidecar's binary: what HAL0_BIN names, else built once per run.
func Hal0(t testing.TB) string {
	t.Helper()
	if path := os.Getenv("HAL0_BIN"); path != "" {
		return path
	}
	return build(t, Root(), "./sidecar", "hal0")
}

// Stripped is the sidecar for a processor (GOARCH), with the flags that its
// Dockerfile has.
func Stripped(t testing.TB, arch string) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "hal0")
	cmd := exec.Command("go", "build", "-buildvcs=false", "-trimpath", "-ldflags=-s -w", "-o", out, "./sidecar")
	cmd.Dir = Root()
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOARCH="+arch)
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build the sidecar for %s: %v\n%s", arch, err, text)
	}
	return out
}

func tap(t testing.TB) string {
	t.Helper()
	return build(t, filepath.Join(Root(), "integration"), "./tap", "tap")
}

func build(t testing.TB, module, pkg, name string) string {
	t.Helper()
	built.Lock()
	defer built.Unlock()
	if built.path == nil {
		built.path, built.err = map[string]string{}, map[string]error{}
	}
	if built.dir == "" {
		dir, err := os.MkdirTemp("", "hal0-bed-")
		if err != nil {
			t.Fatal(err)
		}
		built.dir = dir
	}
	if built.path[name] == "" && built.err[name] == nil {
		out := filepath.Join(built.dir, name)
		cmd := exec.Command("go", "build", "-o", out, pkg)
		cmd.Dir = module
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		text, err := cmd.CombinedOutput()
		if err != nil {
			t.Logf("%s", text)
		}
		built.path[name], built.err[name] = out, err
	}
	if err := built.err[name]; err != nil {
		t.Fatalf("build %s: %v", pkg, err)
	}
	return built.path[name]
}

// versions reads integration/versions: NAME="a b c".
func versions(t testing.TB, name string) []string {
	t.Helper()
	f, err := os.Open(filepath.Join(Root(), "integration", "versions"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	in := bufio.NewScanner(f)
	for in.Scan() {
		key, value, ok := strings.Cut(in.Text(), "=")
		if ok && key == name {
			return strings.Fields(strings.Trim(value, `"`))
		}
	}
	t.Fatalf("integration/versions has no %s", name)
	return nil
}

// Axe is the text of axe, which judges how accessible a page is; or it skips the
// test.
func Axe(t testing.TB) string {
	t.Helper()
	dir := filepath.Join("node", "axe-"+versions(t, "AXE")[0])
	Tool(t, filepath.Join(dir, "done"))
	b, err := os.ReadFile(filepath.Join(Cache(), dir, "node_modules", "axe-core", "axe.min.js"))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
