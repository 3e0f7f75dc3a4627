package main

import (
	"fmt"
	"net/http"
	"os/exec"
	"strconv"
	"time"

	"github.com/hal0-dev/hal0/integration/bed"
)

const (
	wayByHand = "llama-server by hand"
	wayCold   = "Traefik with hal0, cold"
	coldStart = "cold start of llama-server to the first event"
)

// boots compares a request to a cold slot with llama-server started by hand and
// asked as soon as it says that it is there.
func boots(t *program, r *report, n int) error {
	if n == 0 {
		return nil
	}
	model, server := bed.Model(t, "count.gguf"), bed.Tool(t, "llama-server")
	s := bed.NewSidecar(t, "").Quiet().Start()
	e := bed.NewEdge(t, s, "models: {bench: {model: count.gguf, context: \"1024\"}}")
	cold := way{name: wayCold, url: "http://" + e.Web("127.0.0.1"), model: modelName}
	c := client(1)
	for range n {
		began := time.Now()
		if err := byHand(t, c, server, model); err != nil {
			return err
		}
		r.add(wayByHand, coldStart, unitMS, ms(time.Since(began)))
		s.Move(modelName, "unload")
		first, err := cold.stream(c, pace{}, func(time.Time) {})
		if err != nil {
			return err
		}
		r.add(wayCold, coldStart, unitMS, ms(first))
	}
	return nil
}

// byHand starts llama-server, asks until it is ready, and for a first event.
func byHand(t *program, c *http.Client, server, model string) error {
	port := strconv.Itoa(bed.Port(t))
	p := bed.Start(t, "llama-server", exec.Command(server, "-m", model, "--host", "127.0.0.1", "--port", port, "-c", "1024", "-np", "1", "--no-webui"))
	defer p.Stop()
	w := way{name: wayByHand, url: "http://127.0.0.1:" + port, model: modelName}
	bed.Until(t, "llama-server is ready", 30*time.Second, func() bool {
		status, _ := bed.Get(t, w.url+"/health")
		return status == http.StatusOK
	})
	if _, err := w.stream(c, pace{}, func(time.Time) {}); err != nil {
		return fmt.Errorf("ask llama-server: %w", err)
	}
	return nil
}
