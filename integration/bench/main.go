package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

// options are what the command line says.
type options struct {
	rounds   int
	requests int           // in one measurement of the first event, by all clients together
	streams  int           // at a time, where events are paced
	gap      time.Duration // between two events of one of them
	paced    time.Duration // how long those streams are
	boots    int
	json     string // file, "" = none
	svg      string
	peers    peers
}

// peers are other base URLs to measure, as NAME=URL.
type peers []peer

type peer struct{ name, url, model string }

func (p *peers) String() string { return fmt.Sprint(*p) }

func (p *peers) Set(s string) error {
	name, rest, ok := strings.Cut(s, "=")
	url, model, _ := strings.Cut(rest, ",")
	if !ok || !strings.HasPrefix(url, "http") {
		return fmt.Errorf("%q is not NAME=URL[,MODEL], with the URL that comes before /v1", s)
	}
	if model == "" {
		model = modelName
	}
	*p = append(*p, peer{name, strings.TrimSuffix(url, "/"), model})
	return nil
}

// own runs one of the programs that the benchmark starts for itself, and
// reports whether it was asked for.
func own(args []string) bool {
	switch args[0] {
	case "engine":
		serveEngine(args[1:])
	case "proxy":
		serveProxy(args[1:])
	default:
		return false
	}
	return true
}

func main() {
	if len(os.Args) > 1 && own(os.Args[1:]) {
		return
	}
	o := options{}
	flag.IntVar(&o.requests, "requests", 960, "requests in one measurement of the first event")
	flag.IntVar(&o.rounds, "rounds", 5, "how often everything is measured")
	flag.IntVar(&o.streams, "streams", 100, "streams at a time, for the cost of an event")
	flag.DurationVar(&o.gap, "gap", 10*time.Millisecond, "time between two events of a stream")
	flag.DurationVar(&o.paced, "for", 5*time.Second, "how long those streams are")
	flag.IntVar(&o.boots, "boots", 10, "cold boots of a real llama-server")
	flag.StringVar(&o.json, "json", "", "write the figures to this file")
	flag.StringVar(&o.svg, "svg", "", "draw them into this file")
	flag.Var(&o.peers, "peer", "measure this way, too: NAME=URL[,MODEL]; for time to first byte only (may be repeated)")
	flag.Parse()
	t := newProgram()
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, os.Interrupt, syscall.SIGTERM)
	done := make(chan error, 1)
	go func() { done <- t.run(func() error { return bench(t, o, os.Stdout) }) }()
	select {
	case <-stop:
		t.end()
		os.Exit(130)
	case err := <-done:
		t.end()
		if err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
	}
}

// bench runs everything and tells it.
func bench(t *program, o options, out io.Writer) error {
	ways, err := stand(t, o)
	if err != nil {
		return err
	}
	r := newReport(o)
	for round := range o.rounds {
		fmt.Fprintf(os.Stderr, "round %d of %d\n", round+1, o.rounds)
		for _, clients := range []int{1, 16, 64} {
			for _, w := range ways {
				if err := r.firsts(w, clients, o.requests); err != nil {
					return fmt.Errorf("measure %s with %d clients: %w", w.name, clients, err)
				}
			}
		}
		for _, w := range ways {
			if len(w.processes) == 0 && w.name != wayEngine {
				continue // a peer's engine knows no pace
			}
			if err := r.events(w, o); err != nil {
				return fmt.Errorf("measure the events of %s: %w", w.name, err)
			}
		}
	}
	if err := boots(t, r, o.boots); err != nil {
		return fmt.Errorf("measure boots: %w", err)
	}
	return r.tell(out, o)
}
