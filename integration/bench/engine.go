package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"time"
)

// pace is how the engine answers a request: so many events, one each gap, the
// first after as much of it as the phase says, so that a process never finds
// two at once because they were sent at once. Without a gap all come at once,
// after the wait: a proxy of net/http breaks answers now and then that come
// while it may still be reading the request.
type pace struct {
	Wait   time.Duration `json:"wait"` // in ns
	Events int           `json:"events"`
	Gap    time.Duration `json:"gap"`
	Phase  float64       `json:"phase"`
}

const (
	// event is as large as llama-server's.
	event = "data: {\"choices\":[{\"finish_reason\":null,\"index\":0,\"delta\":{\"content\":\" one\"}}],\"created\":1795346565,\"id\":\"chatcmpl-rAb0l6Nn4c141vIQpJQbxzqaf087z4J7\",\"model\":\"mid\",\"system_fingerprint\":\"b11669\",\"object\":\"chat.completion.chunk\"}\n\n"
	final = "data: {\"choices\":[{\"finish_reason\":\"stop\",\"index\":0,\"delta\":{}}],\"created\":1795346565,\"id\":\"chatcmpl-rAb0l6Nn4c141vIQpJQbxzqaf087z4J7\",\"model\":\"mid\",\"object\":\"chat.completion.chunk\"}\n\ndata: [DONE]\n\n"
)

// serveEngine is the engine of the benchmark: `bench engine`.
func serveEngine(args []string) {
	flags := flag.NewFlagSet("engine", flag.ExitOnError)
	address := flags.String("address", "127.0.0.1:0", "where to listen")
	note := flags.String("note", "", "file to write the address into")
	_ = flags.Parse(args)
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/chat/completions", answer)
	mux.HandleFunc("/", func(http.ResponseWriter, *http.Request) {})
	serve(*address, *note, mux)
}

// serveProxy is the plain reverse proxy: `bench proxy`.
func serveProxy(args []string) {
	flags := flag.NewFlagSet("proxy", flag.ExitOnError)
	to := flags.String("to", "", "URL of the engine")
	address := flags.String("address", "", "where to listen")
	_ = flags.Parse(args)
	target, err := url.Parse(*to)
	if err != nil {
		fail(err)
	}
	serve(*address, "", httputil.NewSingleHostReverseProxy(target))
}

func serve(address, note string, h http.Handler) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		fail(err)
	}
	if note != "" {
		if err := os.WriteFile(note, []byte(l.Addr().String()), 0o644); err != nil {
			fail(err)
		}
	}
	fail(http.Serve(l, h))
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "bench:", err)
	os.Exit(1)
}

func answer(w http.ResponseWriter, r *http.Request) {
	var asked struct {
		Pace pace `json:"bench"`
	}
	// All of it: a proxy in front may break off what is answered before it has
	// sent the end of the request.
	text, err := io.ReadAll(r.Body)
	if err == nil {
		err = json.Unmarshal(text, &asked)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	p, flush := asked.Pace, w.(http.Flusher).Flush
	time.Sleep(p.Wait)
	var tick <-chan time.Time
	if p.Gap > 0 {
		now := time.Duration(time.Now().UnixNano())
		time.Sleep(2*p.Gap - now%p.Gap + time.Duration(p.Phase*float64(p.Gap)))
		ticker := time.NewTicker(p.Gap)
		defer ticker.Stop()
		tick = ticker.C
	}
	for range p.Events {
		if tick != nil {
			<-tick
		}
		if _, err := io.WriteString(w, event); err != nil {
			return
		}
		flush()
	}
	_, _ = io.WriteString(w, final)
}
