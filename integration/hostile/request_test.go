package hostile

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hal0-dev/hal0/integration/bed"
)

// patience bounds the wait for an answer; nothing is measured by it.
const patience = 30 * time.Second

// Bar 6: requests of whoever means harm. None reaches an engine, a secret, a
// declaration or another route, and each is answered as its case says.
func TestBar6HostileRequests(t *testing.T) {
	t.Parallel()
	attacks, err := load[Attack]("testdata/requests/*.json")
	if err != nil {
		t.Fatal(err)
	}
	s := newScene(t, func(*scene) map[string]string { return nil })
	fill := s.fill()
	if got := s.send(t, Attack{Lines: []string{"GET /v1/models HTTP/1.1", "Host: hal0.lan", "Authorization: Bearer {{key}}", "Connection: close"}}, fill); len(got) != 1 || got[0].Status != 200 {
		t.Fatalf("a good request is answered with %v", got)
	}
	coded := 0
	for _, a := range attacks {
		t.Run(a.Name, func(t *testing.T) {
			got := s.send(t, a, fill)
			if fmt.Sprint(got) != fmt.Sprint(a.Want) {
				t.Errorf("answers %v, want %v", got, a.Want)
			}
			for _, w := range a.Want {
				if w.Code != "" {
					coded++
					break
				}
			}
			s.untouched(t, a.Private)
		})
	}
	for _, line := range strings.Split(s.traefik.Log(), "\n") {
		if !strings.Contains(line, `"RouterName":"control@file"`) { // which has no middleware that could take the key away
			s.kept(t, "Traefik's log", line)
		}
	}
	s.kept(t, "the sidecar's log", s.sidecar.Log())
	bed.Figure(t, "%d hostile requests, %d answered with a code", len(attacks), coded)
	// What was defended works.
	good := Attack{Lines: []string{"POST /v1/chat/completions HTTP/1.1", "Host: hal0.lan", "Authorization: Bearer {{key}}", "Content-Length: {{length}}", "Connection: close"},
		Body: `{"model":"primary","messages":[{"role":"user","content":"Count to five."}]}`}
	if got := s.send(t, good, fill); len(got) != 1 || got[0].Status != 200 {
		t.Errorf("a good request is answered with %v", got)
	}
	if started := s.started(t); len(started) != 1 || started[0] != "primary" {
		t.Errorf("a good request started %v", started)
	}
}

// fill replaces in attacks what the scene knows.
func (s *scene) fill() *strings.Replacer {
	return strings.NewReplacer("{{key}}", s.key, "{{private}}", strings.TrimPrefix(s.private.URL, "http://"),
		"{{control}}", s.addr("control"), "{{forged}}", "v1.eyJ0IjoxfQ."+strings.Repeat("A", 43))
}

// send makes one connection and reads all answers.
func (s *scene) send(t testing.TB, a Attack, fill *strings.Replacer) []Answer {
	t.Helper()
	text, err := a.bytes(fill, s.token)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", s.addr(a.To))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	sent := make(chan struct{})
	go func() { // a server may answer, and close, before it has read all
		defer close(sent)
		if _, err := conn.Write(text); err == nil && a.Cut {
			_ = conn.(*net.TCPConn).CloseWrite()
		}
	}()
	method, _, _ := strings.Cut(string(text), " ")
	got := []Answer{}
	for in := bufio.NewReader(conn); ; method = "" {
		res, err := http.ReadResponse(in, &http.Request{Method: method})
		if err != nil {
			if e, ok := err.(net.Error); ok && e.Timeout() {
				t.Errorf("no answer, and the connection stays open")
			}
			break
		}
		body, _ := io.ReadAll(res.Body) // one that breaks off is compared as it is
		s.kept(t, "the answer", fmt.Sprint(res.Header)+string(body))
		got = append(got, answer(t, res, body))
	}
	conn.Close()
	<-sent
	return got
}

// answer reads an answer; one with a code is of the right form.
func answer(t testing.TB, res *http.Response, body []byte) Answer {
	t.Helper()
	a := Answer{Status: res.StatusCode}
	var e struct {
		Error struct {
			Code    string
			Message string
		}
	}
	if json.Unmarshal(body, &e) == nil {
		a.Code = e.Error.Code
	}
	switch {
	case len(body) > 4<<10:
		t.Errorf("the answer has %d bytes", len(body))
	case a.Code != "" && (e.Error.Message == "" || res.Header.Get("X-Request-Id") == "" || !strings.HasPrefix(res.Header.Get("Content-Type"), "application/json")):
		t.Errorf("the answer lacks a message, an id or a type: %v %s", res.Header, body)
	}
	return a
}
