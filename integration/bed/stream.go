package bed

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// Stream is a raw HTTP answer, read frame by frame.
type Stream struct {
	t      testing.TB
	Status int
	Header http.Header
	Opened time.Time // when the request was sent
	Headed time.Time // when the headers had come
	in     *bufio.Reader
	close  func()
	raw    bytes.Buffer
	frames []Frame
	err    error // how the body ended, io.EOF = properly
}

// Frame is one SSE event with its blank line, or one heartbeat.
type Frame struct {
	At    time.Time // when its last byte was read
	Bytes string
}

// Heartbeat is the frame that keeps a silent stream alive.
const Heartbeat = ":\n"

// Request is a POST to make; the zero Host means the address itself.
type Request struct {
	Addr   string // host:port to connect to
	Host   string // Host header
	Path   string
	Body   string
	Header map[string]string
	Method string                                                            // "" = POST
	Dial   func(ctx context.Context, network, addr string) (net.Conn, error) // nil = from here
}

// Open sends a request and returns when the headers have come. Each has a
// connection of its own.
func Open(t testing.TB, r Request) *Stream {
	t.Helper()
	s, err := open(t, r)
	if err != nil {
		t.Fatalf("POST %s: %v", r.Path, err)
	}
	return s
}

// OpenAll sends requests at the same time, and returns when all have headers.
func OpenAll(t testing.TB, requests ...Request) []*Stream {
	t.Helper()
	streams, errs := make([]*Stream, len(requests)), make([]error, len(requests))
	done := make(chan struct{})
	for i, r := range requests {
		go func() {
			streams[i], errs[i] = open(t, r)
			done <- struct{}{}
		}()
	}
	for range requests {
		<-done
	}
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	return streams
}

// Opening sends a request and returns at once; the stream comes, or nil where
// the request was cancelled or failed before it had headers.
func Opening(t testing.TB, r Request) (stream <-chan *Stream, cancel context.CancelFunc) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	out := make(chan *Stream, 1)
	go func() {
		s, err := openIn(ctx, cancel, t, r)
		if err != nil {
			s = nil
		}
		out <- s
	}()
	return out, cancel
}

func open(t testing.TB, r Request) (*Stream, error) {
	ctx, cancel := context.WithCancel(context.Background())
	return openIn(ctx, cancel, t, r)
}

func openIn(ctx context.Context, cancel context.CancelFunc, t testing.TB, r Request) (*Stream, error) {
	method := r.Method
	if method == "" {
		method = http.MethodPost
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://"+r.Addr+r.Path, strings.NewReader(r.Body))
	if err != nil {
		cancel()
		return nil, err
	}
	if r.Body == "" {
		req.Body, req.ContentLength = http.NoBody, 0
	}
	req.Header.Set("Content-Type", "application/json")
	for k, v := range r.Header {
		req.Header.Set(k, v)
	}
	if r.Host != "" {
		_, port, _ := net.SplitHostPort(r.Addr)
		req.Host = net.JoinHostPort(r.Host, port)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DisableCompression: true, DialContext: r.Dial}}
	s := &Stream{t: t, Opened: time.Now()}
	resp, err := client.Do(req)
	if err != nil {
		cancel()
		return nil, err
	}
	s.close = func() { cancel(); resp.Body.Close() }
	t.Cleanup(s.Leave)
	s.Headed, s.Status, s.Header = time.Now(), resp.StatusCode, resp.Header
	s.in = bufio.NewReader(resp.Body)
	return s, nil
}

// Next reads one frame; ok is false at the end of the body, however it ended.
func (s *Stream) Next() (f Frame, ok bool) {
	var frame []byte
	for {
		line, err := s.in.ReadBytes('\n')
		s.raw.Write(line)
		frame = append(frame, line...)
		if err != nil {
			s.err = err
			if len(frame) == 0 {
				return Frame{}, false
			}
			return s.keep(frame), true // torn, or a body that is no stream
		}
		if string(line) == "\n" || string(frame) == Heartbeat {
			return s.keep(frame), true
		}
	}
}

func (s *Stream) keep(frame []byte) Frame {
	f := Frame{At: time.Now(), Bytes: string(frame)}
	s.frames = append(s.frames, f)
	return f
}

// Rest reads to the end and returns all frames, those before too.
func (s *Stream) Rest() []Frame {
	for {
		if _, ok := s.Next(); !ok {
			return s.frames
		}
	}
}

// Events are all frames to the end that are no heartbeats.
func (s *Stream) Events() []Frame {
	var events []Frame
	for _, f := range s.Rest() {
		if f.Bytes != Heartbeat {
			events = append(events, f)
		}
	}
	return events
}

// Body is the whole body, heartbeats aside.
func (s *Stream) Body() string {
	var b strings.Builder
	for _, f := range s.Events() {
		b.WriteString(f.Bytes)
	}
	return b.String()
}

// Clean reports whether the body came to its proper end: the last chunk, or
// all of the length that was announced.
func (s *Stream) Clean() bool {
	s.Rest()
	return s.err == io.EOF
}

// Leave closes the connection.
func (s *Stream) Leave() { s.close() }

// Error is the envelope that clients look for.
type Error struct {
	Message string         `json:"message"`
	Type    string         `json:"type"`
	Code    string         `json:"code"`
	Param   *string        `json:"param"`
	Details map[string]any `json:"details"`
}

// ErrorIn reads the envelope from a JSON body or from an error event; the zero
// Error means that there is none.
func ErrorIn(text string) Error {
	text = strings.TrimPrefix(strings.TrimSpace(text), "data: ")
	var e struct{ Error Error }
	if !strings.HasPrefix(text, `{"error":{`) || json.Unmarshal([]byte(text), &e) != nil {
		return Error{}
	}
	return e.Error
}
