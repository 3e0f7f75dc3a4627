package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/hal0-dev/hal0/integration/bed"
)

// The ways that are measured.
const (
	wayEngine  = "engine"
	wayProxy   = "ReverseProxy"
	wayTraefik = "Traefik"
	waySidecar = "sidecar"
	wayBare    = "Traefik, sidecar"
	wayAll     = "Traefik with hal0, sidecar"
)

const modelName = "bench"

// way is one way to the engine.
type way struct {
	name      string
	url       string // base, before /v1
	model     string
	processes map[string]int // pids of what lies between client and engine
}

// declared is the slot's declaration, the same for the plugin and the sidecar.
const declared = `{bench: {engine: bench, memory: 64MiB, parallel: "1024", unloadAfter: "0"}}`

// stand starts everything and returns the ways.
func stand(t *program, o options) ([]way, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find own executable: %w", err)
	}
	note := filepath.Join(t.TempDir(), "address")
	s := bed.NewSidecar(t, fmt.Sprintf("engines: {bench: {command: [%q, engine, --address, \"{host}:{port}\", --note, %q]}}\nroute: {models: %s}\n", self, note, declared)).Quiet().Start()
	all := bed.NewEdge(t, s, bed.Middleware("models: "+declared))
	s.Move(modelName, "load")
	text, err := os.ReadFile(note)
	if err != nil {
		return nil, fmt.Errorf("read the engine's address: %w", err)
	}
	engine := "http://" + string(text)
	plain, bare := bed.BareEdge(t, engine), bed.BareEdge(t, s.DataURL())
	port := "127.0.0.1:" + strconv.Itoa(bed.Port(t))
	proxy := bed.Start(t, "proxy", exec.Command(self, "proxy", "-to", engine, "-address", port))
	bed.Until(t, "proxy serves", 10*time.Second, func() bool {
		status, _ := bed.Get(t, "http://"+port+"/health")
		return status == 200
	})
	plain.Await("bare")
	bare.Await("bare")
	ways := []way{
		{wayEngine, engine, modelName, nil},
		{wayProxy, "http://" + port, modelName, map[string]int{"proxy": proxy.PID()}},
		{wayTraefik, "http://" + plain.Web("127.0.0.1"), modelName, map[string]int{"traefik": plain.PID()}},
		{waySidecar, s.DataURL(), modelName, map[string]int{"sidecar": s.PID()}},
		{wayBare, "http://" + bare.Web("127.0.0.1"), modelName, map[string]int{"traefik": bare.PID(), "sidecar": s.PID()}},
		{wayAll, "http://" + all.Web("127.0.0.1"), modelName, map[string]int{"traefik": all.PID(), "sidecar": s.PID()}},
	}
	for _, p := range o.peers {
		ways = append(ways, way{p.name, p.url, p.model, nil})
	}
	return ways, nil
}

// cpu is what the way's processes have used so far, over all their threads.
func (w way) cpu() (map[string]time.Duration, error) {
	used := map[string]time.Duration{}
	for name, pid := range w.processes {
		tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
		if err != nil || len(tasks) == 0 {
			return nil, fmt.Errorf("read CPU time of %s: it has no threads", name)
		}
		for _, task := range tasks {
			text, _ := os.ReadFile(task) // a thread may be gone
			field, _, _ := strings.Cut(string(text), " ")
			ns, _ := strconv.ParseInt(field, 10, 64)
			used[name] += time.Duration(ns)
		}
	}
	return used, nil
}
