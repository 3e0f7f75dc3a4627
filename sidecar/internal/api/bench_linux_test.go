package api

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/pprof"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hal0-dev/hal0/plugin/wire"
	"github.com/hal0-dev/hal0/sidecar/internal/relay"
	"github.com/hal0-dev/hal0/sidecar/internal/relay/relaytest"
)

// The benchmarks run what they measure in a process of its own, this test
// binary with one of these behaviours, so that its CPU time can be told from
// engine's and clients'.
const (
	behaviour     = "HAL0_TEST_BEHAVIOUR"
	engineAddress = "HAL0_TEST_ENGINE"
)

func TestMain(m *testing.M) {
	switch os.Getenv(behaviour) {
	case "":
		os.Exit(m.Run())
	case "relay":
		serveUntilClosed(relayHandler(os.Getenv(engineAddress)))
	case "proxy":
		serveUntilClosed(proxyHandler(os.Getenv(engineAddress)))
	case "raw":
		serveRaw()
	}
}

// serveUntilClosed serves on a free port, prints it, and ends with stdin.
func serveUntilClosed(h http.Handler) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println(l.Addr())
	go http.Serve(l, h)
	if f := os.Getenv("HAL0_TEST_PROFILE"); f != "" {
		out, _ := os.Create(f + os.Getenv(behaviour))
		pprof.StartCPUProfile(out)
		defer pprof.StopCPUProfile()
	}
	io.Copy(io.Discard, os.Stdin)
}

// relayHandler is the part of the sidecar that is measured.
func relayHandler(engine string) http.Handler {
	r := relay.New(relay.Config{Slots: &relaytest.Slots{}, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, engine)
	}})
	e, _ := wire.Match("POST", chatPath)
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		s, err := r.Open(req.Context(), relay.Request{
			Slot: "primary", Lane: "l", Endpoint: e, Header: req.Header, Body: body, Stream: true,
			Model: wire.Model{Slot: "primary", Coalesce: req.Header.Get("Coalesce")},
		})
		if err != nil {
			http.Error(w, err.Error(), 500)
			return
		}
		reply(w, req, s, replyOptions{Family: e.Family, Stream: true, CommitAfter: time.Minute})
	})
}

func proxyHandler(engine string) http.Handler {
	return httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: engine})
}

// event is as large as llama-server's.
var event = "data: {\"choices\":[{\"finish_reason\":null,\"index\":0,\"delta\":{\"content\":\" one\"}}],\"created\":1795346565,\"id\":\"chatcmpl-rAb0l6Nn4c141vIQpJQbxzqaf087z4J7\",\"model\":\"mid\",\"system_fingerprint\":\"b11669-Debian\",\"object\":\"chat.completion.chunk\"}\n\n"

// pacedEngine sends n events per request, one each gap.
func pacedEngine(b *testing.B, n int, gap time.Duration) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		tick := time.NewTicker(gap)
		defer tick.Stop()
		for range n {
			<-tick.C
			io.WriteString(w, event)
			w.(http.Flusher).Flush()
		}
		io.WriteString(w, stopped+doneLine)
	})}
	go server.Serve(l)
	b.Cleanup(func() { server.Close() })
	return l.Addr().String()
}

// child is a process under measurement.
type child struct {
	*exec.Cmd
	stdin io.Closer
	addr  string
}

func start(b *testing.B, what, engine string) *child {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), behaviour+"="+what, engineAddress+"="+engine)
	stdin, _ := cmd.StdinPipe()
	stdout, _ := cmd.StdoutPipe()
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	addr, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	c := &child{Cmd: cmd, stdin: stdin, addr: strings.TrimSpace(addr)}
	b.Cleanup(func() { c.stdin.Close(); c.Wait() })
	return c
}

// cpu is what the process has used so far, over all its threads.
func (c *child) cpu(b *testing.B) time.Duration {
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", c.Process.Pid))
	if err != nil || len(tasks) == 0 {
		b.Fatal("no threads found: ", err)
	}
	var sum time.Duration
	for _, task := range tasks {
		text, _ := os.ReadFile(task) // a thread may be gone
		var ran int64
		fmt.Sscan(string(text), &ran)
		sum += time.Duration(ran)
	}
	return sum
}

func fetch(b *testing.B, addr string, header ...string) int64 {
	req, _ := http.NewRequest("POST", "http://"+addr+chatPath, strings.NewReader(streamed))
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		b.Error(err)
		return 0
	}
	defer resp.Body.Close()
	n, err := io.Copy(io.Discard, resp.Body)
	if err != nil {
		b.Error(err)
	}
	return n
}

// BenchmarkOneSubscriber compares the CPU time per event with that of a plain
// reverse proxy: streams of their own, events that come one by one.
func BenchmarkOneSubscriber(b *testing.B) {
	const streams, events, gap = 16, 1500, 4 * time.Millisecond
	engine := pacedEngine(b, events, gap)
	kinds := []string{"proxy", "relay"}
	perEvent, children := map[string]float64{}, map[string]*child{}
	for _, what := range kinds {
		children[what] = start(b, what, engine)
		fetch(b, children[what].addr)
	}
	for b.Loop() {
		var wg sync.WaitGroup // at the same time, so that both meet the same weather
		for _, what := range kinds {
			perEvent[what] -= float64(children[what].cpu(b))
			for range streams {
				wg.Go(func() { fetch(b, children[what].addr) })
			}
		}
		wg.Wait()
		for _, what := range kinds {
			perEvent[what] += float64(children[what].cpu(b))
		}
	}
	b.ReportMetric(0, "ns/op")
	for _, what := range kinds {
		b.ReportMetric(perEvent[what]/1e3/streams/events/float64(b.N), what+"-µs/event")
	}
	b.ReportMetric(perEvent["relay"]/perEvent["proxy"], "ratio")
}

func serveRaw() {}
