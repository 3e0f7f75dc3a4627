package integration

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/hal0-dev/hal0/integration/bed"
)

// Issue 4, bar 4: fifty clients ask a cold llama-server for the same; ten leave
// on the way, half of the rest read slowly.
func TestIssue4Bar4FiftyClients(t *testing.T) {
	s, e := stack(t)
	var asked []bed.Request
	for range 50 {
		asked = append(asked, bed.Request{Addr: e.Web("127.0.0.1"), Host: "hal0.lan", Path: chatPath, Body: chat("slow", true, `"max_tokens":50`)})
	}
	streams := bed.OpenAll(t, asked...)
	var all sync.WaitGroup
	for i, a := range streams {
		all.Go(func() {
			switch {
			case i%5 == 4: // ten leave, each at another event
				for range i {
					a.Next()
				}
				a.Leave()
			case i%2 == 0:
				for _, ok := a.Next(); ok; _, ok = a.Next() {
					time.Sleep(25 * time.Millisecond) // a reader slower than the engine
				}
			default:
				a.Rest()
			}
		})
	}
	all.Wait()
	seen := s.Exchanges(chatPath)
	if len(seen) != 1 {
		t.Fatalf("the engine saw %d requests, want 1", len(seen))
	}
	sent, whole, led := withoutPings(string(seen[0].Body)), 0, 0
	for i, a := range streams {
		if a.Header.Get("X-Hal0-Flight") == "lead" {
			led++
		}
		if i%5 == 4 {
			continue
		}
		if got := wantStream(t, a); got == sent {
			whole++
		} else {
			t.Errorf("client %d got other bytes than the engine sent: %q", i, tail(got))
		}
	}
	if led != 1 || whole != 40 {
		t.Errorf("%d led, %d got all bytes; want 1 and 40", led, whole)
	}
	bed.Figure(t, "50 identical clients on a cold llama-server: %d upstream call, %d byte-identical bodies of %d bytes, 10 left on the way", len(seen), whole, len(sent))
}

// held is one connection that waits for its answer; it costs this process
// little, so that there can be thousands.
type held struct {
	conn net.Conn
	body []byte
	lead bool
	err  error
}

// hold sends a request on a connection of its own, and returns when it is sent.
func hold(addr, body string) (*held, error) {
	conn, err := net.DialTimeout("tcp", addr, 3*time.Minute)
	if err != nil {
		return nil, err
	}
	_, err = fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: hal0.lan\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", chatPath, len(body), body)
	return &held{conn: conn}, err
}

// read reads the answer.
func (h *held) read(limit time.Duration) {
	defer h.conn.Close()
	if h.err = h.conn.SetReadDeadline(time.Now().Add(limit)); h.err != nil {
		return
	}
	resp, err := http.ReadResponse(bufio.NewReaderSize(h.conn, 512), nil)
	if err != nil {
		h.err = err
		return
	}
	body, err := io.ReadAll(resp.Body)
	h.body, h.lead = bytes.ReplaceAll(body, []byte(":\ndata"), []byte("data")), resp.Header.Get("X-Hal0-Flight") == "lead"
	for bytes.HasPrefix(h.body, []byte(":\n")) { // heartbeats come before the first event
		h.body = h.body[2:]
	}
	switch {
	case err != nil:
		h.err = err
	case resp.StatusCode != http.StatusOK:
		h.err = fmt.Errorf("status %d: %s", resp.StatusCode, body)
	case !bytes.HasSuffix(body, []byte("data: [DONE]\n\n")):
		h.err = fmt.Errorf("the stream ends with %q", tail(string(body)))
	}
}

// holdAll opens n connections, not more than a few at a time, and fails the test
// where one cannot be had.
func holdAll(t testing.TB, n int, addr string, body func(i int) string) []*held {
	t.Helper()
	all, errs := make([]*held, n), make([]error, n)
	turns := make(chan struct{}, 32)
	var sent sync.WaitGroup
	for i := range n {
		turns <- struct{}{}
		sent.Go(func() {
			all[i], errs[i] = hold(addr, body(i))
			<-turns
		})
	}
	sent.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatalf("open %d connections: %v", n, err)
	}
	return all
}

// wantAllServed reads every answer and checks it.
func wantAllServed(t testing.TB, all []*held, limit time.Duration) (leads int) {
	t.Helper()
	var read sync.WaitGroup
	for _, h := range all {
		read.Go(func() { h.read(limit) })
	}
	read.Wait()
	lost := 0
	for i, h := range all {
		if h.err != nil {
			if lost++; lost <= 5 {
				t.Errorf("connection %d: %v", i, h.err)
			}
		} else if said := text(t, string(h.body)); said != toFive {
			t.Errorf("connection %d was told %q", i, said)
		}
		if h.lead {
			leads++
		}
	}
	if lost > 0 {
		t.Errorf("%d of %d connections got no whole answer", lost, len(all))
	}
	return leads
}

// crowd is how many connections are held, and how long the boot takes that they
// wait for.
func crowd(long int) (n int, boot time.Duration) {
	return bed.Times(1000, long), time.Duration(bed.Times(8, 90)) * time.Second
}

func crowdModels(boot time.Duration) string {
	return fmt.Sprintf(`
route:
  models:
    one: {engine: demo, memory: 256MiB, parallel: "64", coalesce: cold, args: "--load,%v"}
limits: {queue: 20000}
`, boot)
}

// mostEach is what a held connection may cost in the sidecar, in bytes: the goal
// is 40 KiB, and what the garbage collector has not had yet comes on top.
const mostEach = 64 << 10

// Issue 4, bar 6: thousands of connections are held through one cold boot.
func TestIssue4Bar6HeldAtTheSidecar(t *testing.T) {
	n, boot := crowd(10_000)
	for name, body := range map[string]func(i int) string{
		"identical": func(int) string { return chat("one", true, quick) },
		"distinct":  func(i int) string { return chat("one", true, quick, fmt.Sprintf(`"seed":%d`, i)) },
	} {
		t.Run(name, func(t *testing.T) {
			s := bed.NewSidecar(t, crowdModels(boot)).Start()
			before := s.RSS()
			all := holdAll(t, n, addr(s), body)
			if now := s.Slot("one"); now.State != "starting" && now.State != "warming" {
				t.Fatalf("all connections are there, and the slot is %s", now.State)
			}
			wantHolding(t, s, all)
			each := (s.RSS() - before) / int64(n)
			leads := wantAllServed(t, all, boot+2*time.Minute)
			if name == "identical" && leads != 1 || name == "distinct" && leads != n {
				t.Errorf("%d flights", leads)
			}
			wantOneLaunch(t, s, "one")
			bed.Figure(t, "%d connections held at the sidecar through a boot of %v: all served, %d upstream calls, %.1f KiB per connection", n, boot, leads, float64(each)/1024)
			if each > mostEach {
				t.Errorf("%d bytes per connection, at most %d", each, mostEach)
			}
		})
	}
}

// wantHolding waits until the sidecar holds every connection, as far as its file
// descriptors say.
func wantHolding(t testing.TB, s *bed.Sidecar, all []*held) {
	t.Helper()
	bed.Until(t, fmt.Sprintf("the sidecar holds %d connections", len(all)), 60*time.Second, func() bool { return s.Files() >= len(all) })
}

// Issue 4, bar 6: the same through Traefik.
func TestIssue4Bar6HeldThroughTraefik(t *testing.T) {
	bed.Tool(t, "traefik")
	n, boot := crowd(8_000)
	if bed.Long() {
		boot *= 3 // so many take Traefik a while to accept on two cores
	}
	// The route of the edge has the slot's name only; how it boots is said by the
	// engine that it names, which the sidecar's own file defines.
	config := fmt.Sprintf(`
engines:
  late: {command: [%s, demo-engine, --load, %v, --host, "{host}", --port, "{port}"], env: {HAL0_ENGINE_KEY: "{key}"}}
allow: {engines: [late]}
limits: {queue: 20000}
`, bed.Hal0(t), boot)
	s := bed.NewSidecar(t, config).Start()
	e := bed.NewEdge(t, s, "models: {one: {engine: late, memory: 256MiB, parallel: \"64\"}}")
	before, edge := s.RSS(), e.RSS()
	all := holdAll(t, n, e.Web("127.0.0.1"), func(i int) string {
		return chat("one", true, quick, fmt.Sprintf(`"seed":%d`, i/2)) // in pairs: some share, most do not
	})
	wantHolding(t, s, all)
	if now := s.Slot("one"); now.State != "starting" && now.State != "warming" {
		t.Errorf("all connections are there, and the slot is %s", now.State)
	}
	each, there := (s.RSS()-before)/int64(n), (e.RSS()-edge)/int64(n)
	leads := wantAllServed(t, all, boot+4*time.Minute)
	if leads != n/2 {
		t.Errorf("%d flights, want %d", leads, n/2)
	}
	wantOneLaunch(t, s, "one")
	bed.Figure(t, "%d connections held through Traefik through a boot of %v: all served, %d upstream calls, %.1f KiB per connection in the sidecar, %.1f KiB in Traefik",
		n, boot, leads, float64(each)/1024, float64(there)/1024)
}
