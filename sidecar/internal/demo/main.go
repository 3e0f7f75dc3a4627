package demo

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"
)

// Main runs the engine until it is told to end, and returns its exit code. Its
// exit codes are those of llama-server: 1 for whatever went wrong.
func Main(args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("demo-engine", flag.ContinueOnError)
	flags.SetOutput(stderr)
	launch, err := parseLaunch(flags, args, os.Getenv)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		fmt.Fprintln(stderr, "error: invalid argument:", err)
		return 1
	}
	if err := run(launch, stderr); err != nil {
		fmt.Fprintln(stderr, "demo engine:", err)
		return 1
	}
	return 0
}

func run(l Launch, log io.Writer) error {
	if l.Quiet {
		log = io.Discard
	}
	ended := termination(l)
	s := NewServer(l)
	s.log = log
	fmt.Fprintln(log, "demo engine: a script that stands in for a model; it is no language model")
	served := make(chan error, 1)
	addr := net.JoinHostPort(l.Host, strconv.Itoa(l.Port))
	server := &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second}
	if !l.Deaf {
		listener, err := net.Listen("tcp", addr)
		if err != nil {
			return err // "address already in use"
		}
		addr = listener.Addr().String()
		go func() { served <- server.Serve(listener) }()
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	loaded := make(chan error, 1)
	go func() { loaded <- s.load(ctx) }()
	for {
		select {
		case err := <-loaded:
			if err != nil {
				return err
			}
			fmt.Fprintf(log, "demo engine: listening on http://%s\n", addr)
		case err := <-served:
			return err
		case <-ended:
			fmt.Fprintln(log, "demo engine: ending")
			return nil // as llama-server does: streams are cut where they are
		}
	}
}

// termination is closed when TERM or an interrupt has been heard and the launch
// lets that count.
func termination(l Launch) <-chan struct{} {
	ended := make(chan struct{})
	heard := make(chan os.Signal, 1)
	signal.Notify(heard, syscall.SIGTERM, os.Interrupt)
	go func() {
		<-heard
		if l.IgnoreTerm {
			return // and later ones find the channel full
		}
		time.Sleep(l.Linger)
		close(ended)
	}()
	return ended
}
