package api

import (
	"bufio"
	"context"
	"encoding/json"
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
	case "held":
		slots := &relaytest.Slots{}
		slots.Cold(true, true)
		serveUntilClosed(relayOver(slots, ""))
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
func relayHandler(engine string) http.Handler { return relayOver(&relaytest.Slots{}, engine) }

func relayOver(slots *relaytest.Slots, engine string) http.Handler {
	r := relay.New(relay.Config{Slots: slots, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, engine)
	}})
	e, _ := wire.Match("POST", chatPath)
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		s, err := r.Open(req.Context(), relay.Request{
			Slot: "primary", Lane: "l", Endpoint: e, Header: req.Header, Body: body,
			Model: wire.Model{Slot: "primary", Coalesce: req.Header.Get("Coalesce")},
		})
		if err != nil {
			http.Error(w, err.Error(), 500)
			return
		}
		reply(w, req, s, replyOptions{Family: e.Family, CommitAfter: time.Minute, Whole: time.Now()})
	})
}

func proxyHandler(engine string) http.Handler {
	return httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: engine})
}

// event is as large as llama-server's.
var event = "data: {\"choices\":[{\"finish_reason\":null,\"index\":0,\"delta\":{\"content\":\" one\"}}],\"created\":1795346565,\"id\":\"chatcmpl-rAb0l6Nn4c141vIQpJQbxzqaf087z4J7\",\"model\":\"mid\",\"system_fingerprint\":\"b11669-Debian\",\"object\":\"chat.completion.chunk\"}\n\n"

// startAfter is when what has no gaps begins: by then everybody is there.
const startAfter = 3 * time.Second

// pacedEngine sends n events per request, one each gap, the first after as much
// of it as the request's phase says.
func pacedEngine(b *testing.B, n int, gap time.Duration) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		var asked struct{ Phase float64 }
		json.NewDecoder(r.Body).Decode(&asked)
		var tick <-chan time.Time
		if gap > 0 {
			now := time.Duration(time.Now().UnixNano())
			time.Sleep(2*gap - now%gap + time.Duration(asked.Phase*float64(gap)))
			tick = time.Tick(gap)
		} else {
			time.Sleep(startAfter)
		}
		for range n {
			if gap > 0 {
				<-tick
			}
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

func fetch(b *testing.B, addr string, phase float64) int64 {
	body := fmt.Sprintf(`{"stream":true,"phase":%g}`, phase)
	req, _ := http.NewRequest("POST", "http://"+addr+chatPath, strings.NewReader(body))
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
// reverse proxy: streams of their own, events that come one by one. Both run at
// the same time, so that they meet the same weather, and take turns: no event
// comes together with another, of which one of them might make more.
func BenchmarkOneSubscriber(b *testing.B) {
	const streams, events, gap = 16, 1500, 4 * time.Millisecond
	engine := pacedEngine(b, events, gap)
	kinds := []string{"proxy", "relay"}
	perEvent, children := map[string]float64{}, map[string]*child{}
	for _, what := range kinds {
		children[what] = start(b, what, engine)
		fetch(b, children[what].addr, 0)
	}
	for b.Loop() {
		var wg sync.WaitGroup
		for k, what := range kinds {
			perEvent[what] -= float64(children[what].cpu(b))
			for i := range streams {
				phase := (float64(i) + float64(k)/2) / streams
				wg.Go(func() { fetch(b, children[what].addr, phase) })
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

// BenchmarkFanOut compares what one flight delivers to many subscribers with
// what a loop delivers that only writes the same bytes to as many sockets.
func BenchmarkFanOut(b *testing.B) {
	const subscribers, events = 500, 2000
	engine := pacedEngine(b, events, 0)
	rate := map[string]float64{}
	for b.Loop() {
		for _, what := range []string{"raw", "relay"} {
			c := start(b, what, engine)
			rate[what] += deliveries(b, c.addr, subscribers, events)
			c.stdin.Close()
		}
	}
	b.ReportMetric(0, "ns/op")
	for what, r := range rate {
		b.ReportMetric(r/float64(b.N), what+"-deliveries/s")
	}
	b.ReportMetric(rate["relay"]/rate["raw"], "ratio")
}

// deliveries opens as many connections, asks for the same on each, and returns
// how many events came per second, from the first to the last.
func deliveries(b *testing.B, addr string, subscribers, events int) float64 {
	var all sync.WaitGroup
	var began, failed sync.Once
	var first time.Time
	for range subscribers {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			b.Fatal(err)
		}
		fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nCoalesce: always\r\nContent-Length: %d\r\n\r\n%s", chatPath, len(streamed), streamed)
		all.Go(func() {
			defer conn.Close()
			conn.Read(make([]byte, 1))
			began.Do(func() { first = time.Now() })
			n, err := io.Copy(io.Discard, conn)
			if err != nil || n < int64(events*len(event)) {
				failed.Do(func() { b.Errorf("%d bytes, %v", n, err) })
			}
		})
	}
	all.Wait()
	return float64(subscribers*events) / time.Since(first).Seconds()
}

// serveRaw writes the engine's answer to every connection, one write per event.
func serveRaw() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println(l.Addr())
	conns := make(chan net.Conn, 1000)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			conns <- c
		}
	}()
	go func() {
		time.Sleep(startAfter)
		var parts [2][]net.Conn // one for each core
		for i := range len(conns) {
			parts[i%2] = append(parts[i%2], <-conns)
		}
		for _, part := range parts {
			go writeRaw(part)
		}
	}()
	io.Copy(io.Discard, os.Stdin)
}

func writeRaw(conns []net.Conn) {
	for range 2000 {
		for _, c := range conns {
			io.WriteString(c, event)
		}
	}
	for _, c := range conns {
		io.WriteString(c, stopped+doneLine)
		c.(*net.TCPConn).CloseWrite() // Close would reset what was not read
	}
}

// BenchmarkHeld tells what a connection costs while it is held for a slot, as
// the leader of a flight and as one of many that share one.
func BenchmarkHeld(b *testing.B) {
	const connections = 5000
	for _, c := range []struct{ name, body string }{{"lead", `{"stream":true,"n":%d}`}, {"join", `{"stream":true}`}} {
		b.Run(c.name, func(b *testing.B) {
			perConnection := 0.0
			for b.Loop() {
				child := start(b, "held", "")
				before := child.memory(b)
				for i := range connections {
					conn, err := net.Dial("tcp", child.addr)
					if err != nil {
						b.Fatal(err)
					}
					defer conn.Close()
					body := strings.ReplaceAll(c.body, "%d", fmt.Sprint(i))
					fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", chatPath, len(body), body)
				}
				time.Sleep(startAfter)
				perConnection += float64(child.memory(b)-before) / connections
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(perConnection/float64(b.N)/1024, "KB/connection")
		})
	}
}

// memory is what of the process is in memory, in bytes.
func (c *child) memory(b *testing.B) int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", c.Process.Pid))
	if err != nil {
		b.Fatal(err)
	}
	var kb int64
	_, rest, _ := strings.Cut(string(text), "VmRSS:")
	fmt.Sscan(rest, &kb)
	return kb << 10
}
