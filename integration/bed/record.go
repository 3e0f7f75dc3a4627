package bed

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"
	"time"
)

// Launch is the tap's record of one engine process.
type Launch struct {
	dir  string
	PID  int    `json:"pid"`  // of the engine itself; the sidecar's child is the tap
	Addr string `json:"addr"` // where the engine itself listens
	Key  string `json:"key"`  // its API key
}

// Exchange is one request that an engine was sent, with its answer.
type Exchange struct {
	Method, Path string
	Asked        http.Header // of the request
	Request      []byte      // body
	Status       int
	Header       http.Header
	Body         []byte // as the engine sent it, chunks undone
	Complete     bool   // the body has come to its proper end
	At           time.Time
	Closed       time.Time   // when the sidecar closed the connection; zero = not yet
	Sent         []time.Time // when the engine sent each SSE event of the body
}

// Launches are the engines that the sidecar has started, oldest first.
func (s *Sidecar) Launches() []Launch {
	s.t.Helper()
	names, _ := filepath.Glob(filepath.Join(s.records(), "*", "engine.json"))
	sort.Slice(names, func(i, j int) bool { return modified(names[i]).Before(modified(names[j])) })
	var all []Launch
	for _, name := range names {
		l := Launch{dir: filepath.Dir(name)}
		b, err := os.ReadFile(name)
		if err == nil {
			err = json.Unmarshal(b, &l)
		}
		if err != nil {
			s.t.Fatalf("read the tap's record: %v", err)
		}
		all = append(all, l)
	}
	return all
}

// Exchanges are the POSTs to a path that all engines together were sent.
func (s *Sidecar) Exchanges(path string) []Exchange {
	s.t.Helper()
	var all []Exchange
	for _, l := range s.Launches() {
		for _, e := range l.Exchanges(s.t) {
			if e.Method == http.MethodPost && e.Path == path {
				all = append(all, e)
			}
		}
	}
	sort.Slice(all, func(i, j int) bool { return all[i].At.Before(all[j].At) })
	return all
}

// Exchanges reads every connection of the record. A request that came when the
// engine had closed its used connection already is none: it is on another one,
// too.
func (l Launch) Exchanges(t testing.TB) []Exchange {
	t.Helper()
	opened, closed, hungUp, sent := l.times(t)
	var all []Exchange
	for conn, at := range opened {
		request, err := os.ReadFile(filepath.Join(l.dir, fmt.Sprintf("%d.request", conn)))
		if err != nil {
			continue // opened, and nothing said yet
		}
		response, _ := os.ReadFile(filepath.Join(l.dir, fmt.Sprintf("%d.response", conn)))
		events := eventTimes(response, sent[conn])
		for i, e := range parse(request, response) {
			if i > 0 && e.Status == 0 && hungUp[conn] {
				continue
			}
			e.At, e.Closed = at, closed[conn]
			n := min(bytes.Count(e.Body, event), len(events))
			e.Sent, events = events[:n], events[n:]
			all = append(all, e)
		}
	}
	sort.Slice(all, func(i, j int) bool { return all[i].At.Before(all[j].At) })
	return all
}

// event is how each SSE event of an engine begins.
var event = []byte("data: ")

// reading is one read of the tap: how many bytes had come by then, and when.
type reading struct {
	upTo int
	at   time.Time
}

// eventTimes says of each event in a connection's raw answers when it came.
func eventTimes(raw []byte, readings []reading) []time.Time {
	var times []time.Time
	for at := 0; ; {
		i := bytes.Index(raw[at:], event)
		if i < 0 {
			return times
		}
		at += i + len(event)
		for len(readings) > 1 && readings[0].upTo < at {
			readings = readings[1:]
		}
		if len(readings) == 0 {
			return times
		}
		times = append(times, readings[0].at)
	}
}

// times are those of each connection; hungUp are the ones that the engine closed
// first.
func (l Launch) times(t testing.TB) (opened, closed map[int]time.Time, hungUp map[int]bool, sent map[int][]reading) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(l.dir, "log.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	opened, closed, hungUp, sent = map[int]time.Time{}, map[int]time.Time{}, map[int]bool{}, map[int][]reading{}
	total := map[int]int{}
	for _, line := range bytes.Split(b, []byte("\n")) {
		var entry struct {
			At   int64
			Conn int
			What string
			N    int
		}
		if json.Unmarshal(line, &entry) != nil {
			continue // the last line may be on its way
		}
		switch entry.What {
		case "open":
			opened[entry.Conn] = time.Unix(0, entry.At)
		case "request-end":
			closed[entry.Conn] = time.Unix(0, entry.At)
		case "response-end":
			hungUp[entry.Conn] = closed[entry.Conn].IsZero()
		case "response":
			total[entry.Conn] += entry.N
			sent[entry.Conn] = append(sent[entry.Conn], reading{total[entry.Conn], time.Unix(0, entry.At)})
		}
	}
	return opened, closed, hungUp, sent
}

// parse takes one connection's bytes apart. A request or response that is not
// whole is given as far as it goes.
func parse(request, response []byte) []Exchange {
	in, out := bufio.NewReader(bytes.NewReader(request)), bufio.NewReader(bytes.NewReader(response))
	var all []Exchange
	for {
		r, err := http.ReadRequest(in)
		if err != nil {
			return all
		}
		body, _ := io.ReadAll(r.Body)
		e := Exchange{Method: r.Method, Path: r.URL.Path, Asked: r.Header, Request: body}
		resp, err := http.ReadResponse(out, r)
		if err == nil {
			e.Status, e.Header = resp.StatusCode, resp.Header
			e.Body, err = io.ReadAll(resp.Body)
			e.Complete = err == nil
		}
		all = append(all, e)
		if err != nil {
			return all
		}
	}
}

func modified(path string) time.Time {
	info, err := os.Stat(path)
	if err != nil {
		return time.Time{}
	}
	return info.ModTime()
}

// Listening is when the engine said that it listens; zero = it has not.
func (l Launch) Listening(t testing.TB) time.Time {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(l.dir, "log.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range bytes.Split(b, []byte("\n")) {
		var entry struct {
			At   int64
			What string
		}
		if json.Unmarshal(line, &entry) == nil && entry.What == "listening" {
			return time.Unix(0, entry.At)
		}
	}
	return time.Time{}
}

// Direct asks the engine itself, past sidecar and tap.
func (l Launch) Direct(t testing.TB, path, body string) (int, []byte) {
	t.Helper()
	method := http.MethodPost
	if body == "" {
		method = http.MethodGet
	}
	req, err := http.NewRequest(method, "http://"+l.Addr+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+l.Key)
	resp, err := plain.Do(req)
	if err != nil {
		t.Fatalf("ask the engine: %v", err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Fatalf("ask the engine: %v", err)
	}
	return resp.StatusCode, b
}

// Busy reports whether any of llama-server's own slots is at work.
func (l Launch) Busy(t testing.TB) bool {
	t.Helper()
	status, body := l.Direct(t, "/slots", "")
	var slots []struct {
		Processing bool `json:"is_processing"`
	}
	if err := json.Unmarshal(body, &slots); err != nil || status != http.StatusOK {
		t.Fatalf("ask /slots: %d %s", status, body)
	}
	for _, slot := range slots {
		if slot.Processing {
			return true
		}
	}
	return false
}

func readAll(r io.Reader) string {
	b, err := io.ReadAll(r)
	if err != nil {
		return string(b) + "\n[" + err.Error() + "]"
	}
	return string(b)
}
