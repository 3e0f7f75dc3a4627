package bed

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Sidecar is `hal0 serve` with a folder that outlives its process: state,
// token, models, and the records of the tap between it and its engines.
type Sidecar struct {
	*Process // of the current start; nil before the first

	t       testing.TB
	dir     string
	state   string // folder
	data    string // host:port
	control string
	env     []string
	args    []string
}

// NewSidecar makes the folder of a sidecar whose llama-server is tapped.
// config is what hal0.yml says beside that.
func NewSidecar(t testing.TB, config string) *Sidecar {
	t.Helper()
	s := &Sidecar{t: t, dir: t.TempDir()}
	s.state = filepath.Join(s.dir, "state")
	s.data = net.JoinHostPort("127.0.0.1", strconv.Itoa(Port(t)))
	s.control = net.JoinHostPort("127.0.0.1", strconv.Itoa(Port(t)))
	s.args = []string{
		"--listen.data=" + s.data, "--listen.control=" + s.control,
		"--token=" + s.TokenFile(),
		"--log.level=debug", "--log.format=text",
		"--limits.drain=3s", // a test that ends has nobody to wait for
	}
	if config != "" {
		s.write("hal0.yml", config, 0o644)
		s.args = append(s.args, "--config="+s.ConfigFile())
	}
	if llama := filepath.Join(Cache(), "llama-server"); Exists(llama) {
		s.args = append(s.args, "--llamaServer="+s.tapped(llama))
	}
	if models := filepath.Join(Cache(), "models"); Exists(models) {
		s.args = append(s.args, "--models="+models)
	}
	return s
}

// tapped writes a program that starts the tap in front of the engine.
func (s *Sidecar) tapped(engine string) string {
	path := filepath.Join(s.dir, "llama-server")
	script := fmt.Sprintf("#!/bin/sh\nexec '%s' -engine '%s' -dir '%s' -- \"$@\"\n", tap(s.t), engine, s.records())
	s.write("llama-server", script, 0o755)
	return path
}

func (s *Sidecar) records() string { return filepath.Join(s.dir, "tap") }

func (s *Sidecar) write(name, text string, mode os.FileMode) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), mode); err != nil {
		s.t.Fatal(err)
	}
}

// State is the folder of what survives a restart; SetState has it elsewhere,
// from the next start on.
func (s *Sidecar) State() string { return s.state }

// SetState is State's setter.
func (s *Sidecar) SetState(dir string) { s.state = dir }

// SetModels has the models directory elsewhere, from the next start on.
func (s *Sidecar) SetModels(dir string) {
	s.args = append(slices.DeleteFunc(s.args, func(a string) bool { return strings.HasPrefix(a, "--models=") }), "--models="+dir)
}

// ConfigFile is hal0.yml. A running sidecar reads it when it changes.
func (s *Sidecar) ConfigFile() string { return filepath.Join(s.dir, "hal0.yml") }

// Configure replaces what hal0.yml says.
func (s *Sidecar) Configure(config string) {
	s.t.Helper()
	s.write("hal0.yml.tmp", config, 0o644)
	if err := os.Rename(filepath.Join(s.dir, "hal0.yml.tmp"), s.ConfigFile()); err != nil {
		s.t.Fatal(err)
	}
}

// Quiet leaves out what costs time and is there for tests: the tap before
// llama-server, and the log of every event.
func (s *Sidecar) Quiet() *Sidecar {
	s.args = slices.DeleteFunc(s.args, func(arg string) bool {
		return strings.HasPrefix(arg, "--log.level=") || strings.HasPrefix(arg, "--llamaServer=")
	})
	s.args = append(s.args, "--log.level=error", "--llamaServer="+filepath.Join(Cache(), "llama-server"))
	return s
}

// Env adds a variable to the sidecar's environment, from the next start on.
func (s *Sidecar) Env(entry string) *Sidecar {
	s.env = append(s.env, entry)
	return s
}

// Start starts the sidecar, or starts it again, and waits until it serves.
func (s *Sidecar) Start() *Sidecar {
	s.t.Helper()
	s.Launch()
	Until(s.t, "sidecar serves", 20*time.Second, func() bool {
		s.t.Helper()
		if !s.running() {
			s.t.Fatalf("sidecar ended with %d:\n%s", s.cmd.ProcessState.ExitCode(), s.Tail())
		}
		status, _ := Get(s.t, s.DataURL()+"/readyz")
		return status == http.StatusOK
	})
	return s
}

// Launch starts the sidecar and waits for nothing.
func (s *Sidecar) Launch() *Sidecar {
	s.t.Helper()
	cmd := exec.Command(Hal0(s.t), append([]string{"serve", "--state=" + s.state}, s.args...)...)
	cmd.Env = append(Environment(), s.env...)
	s.Process = Start(s.t, "sidecar", cmd)
	return s
}

// Environment is the test's own without what would change hal0 or Traefik.
func Environment() []string {
	var env []string
	for _, e := range os.Environ() {
		name, _, _ := strings.Cut(e, "=")
		low := strings.ToLower(name)
		if strings.HasPrefix(name, "HAL0_") || strings.HasPrefix(name, "TRAEFIK_") || strings.HasPrefix(name, "DOCKER_") ||
			strings.HasPrefix(name, "LLAMA_") || strings.HasSuffix(low, "_proxy") {
			continue
		}
		env = append(env, e)
	}
	return env
}

// DataURL is the base of the data listener, ControlURL that of the control one.
func (s *Sidecar) DataURL() string    { return "http://" + s.data }
func (s *Sidecar) ControlURL() string { return "http://" + s.control }

// TokenFile is where the sidecar keeps the token it shares with the plugin.
func (s *Sidecar) TokenFile() string { return filepath.Join(s.dir, "token") }

// AwaitRoute waits until a plugin has declared the route.
func (s *Sidecar) AwaitRoute(name string) {
	s.t.Helper()
	Until(s.t, "declaration of "+name, 20*time.Second, func() bool {
		_, list := Get(s.t, s.ControlURL()+"/api/routes")
		return strings.Contains(list, strconv.Quote(name))
	})
}

// Slot is what /api/slots says about one slot.
type Slot struct {
	ID          string `json:"id"`
	State       string `json:"state"`
	Phase       string `json:"phase"`
	PID         int    `json:"pid"`
	Incarnation uint64 `json:"incarnation"`
	Leases      int    `json:"leases"`
	Waiting     int    `json:"waiting"`
}

// Slot asks the sidecar about one slot.
func (s *Sidecar) Slot(id string) Slot {
	s.t.Helper()
	status, body := Get(s.t, s.ControlURL()+"/api/slots")
	var list struct{ Slots []Slot }
	if status == http.StatusOK {
		if err := json.Unmarshal([]byte(body), &list); err != nil {
			s.t.Fatalf("read /api/slots: %v\n%s", err, body)
		}
	}
	for _, slot := range list.Slots {
		if slot.ID == id {
			return slot
		}
	}
	return Slot{}
}

// Move tells a slot to load, unload or restart, and waits until it has.
func (s *Sidecar) Move(id, verb string) {
	s.t.Helper()
	resp, err := plain.Post(s.ControlURL()+"/api/slots/"+id+"/"+verb, "", nil)
	if err != nil {
		s.t.Fatalf("%s %s: %v", verb, id, err)
	}
	defer resp.Body.Close()
	if body := readAll(resp.Body); resp.StatusCode != http.StatusOK {
		s.t.Fatalf("%s %s: %d %s", verb, id, resp.StatusCode, body)
	}
}

// Await waits until a slot is in one of the states.
func (s *Sidecar) Await(id string, limit time.Duration, states ...string) Slot {
	s.t.Helper()
	var last Slot
	Until(s.t, id+" is "+strings.Join(states, " or "), limit, func() bool {
		last = s.Slot(id)
		for _, state := range states {
			if last.State == state {
				return true
			}
		}
		return false
	})
	return last
}

// Exists reports whether there is something at the path.
func Exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
