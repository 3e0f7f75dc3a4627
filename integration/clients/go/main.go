// Command go runs openai-go, unmodified, in the major version that -major
// names. See ../readme.md for what goes in and out.
package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"time"
)

// Job is one request to make.
type Job struct {
	ID        string            `json:"id"`
	BaseURL   string            `json:"base_url"`
	Key       string            `json:"key"`
	API       string            `json:"api"` // chat, completion, responses
	Stream    bool              `json:"stream"`
	Model     string            `json:"model"`
	Prompt    string            `json:"prompt"`
	MaxTokens int64             `json:"max_tokens"`
	Retries   int               `json:"retries"`
	Timeout   float64           `json:"timeout"` // seconds
	Headers   map[string]string `json:"headers"`
	Resolve   map[string]string `json:"resolve"`
	CA        string            `json:"ca"`
	HTTP2     bool              `json:"http2"`
	Extra     map[string]any    `json:"extra"` // fields to add to the body
}

// Line is one thing that the SDK gave us.
type Line struct {
	Job      string `json:"job"`
	At       int64  `json:"at"`
	Kind     string `json:"kind"`
	Event    string `json:"event,omitempty"`
	Text     string `json:"text,omitempty"`
	Finish   string `json:"finish,omitempty"`
	Protocol string `json:"protocol,omitempty"`
	Class    string `json:"class,omitempty"`
	Message  string `json:"message,omitempty"`
	Code     string `json:"code,omitempty"`
	Type     string `json:"type,omitempty"`
	Status   int    `json:"status,omitempty"`
}

// sdk makes one request and says what came; one per major version.
type sdk func(ctx context.Context, job Job, client *http.Client, say func(Line)) error

func main() {
	major := flag.Int("major", 3, "major version of the SDK: 1 or 3")
	flag.Parse()
	run := map[int]sdk{1: run1, 3: run3}[*major]
	if run == nil {
		fmt.Fprintln(os.Stderr, "no SDK of that major version")
		os.Exit(2)
	}
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 1<<20)
	for in.Scan() {
		var job Job
		if err := json.Unmarshal(in.Bytes(), &job); err != nil {
			fmt.Fprintln(os.Stderr, "read job:", err)
			os.Exit(2)
		}
		one(job, run)
	}
}

func one(job Job, run sdk) {
	if job.Key == "" {
		job.Key = "local"
	}
	if job.MaxTokens == 0 {
		job.MaxTokens = 64
	}
	out := json.NewEncoder(os.Stdout)
	say := func(l Line) {
		l.Job, l.At = job.ID, time.Now().UnixNano()
		if err := out.Encode(l); err != nil {
			os.Exit(1)
		}
	}
	seen := &protocol{next: transport(job)}
	ctx := context.Background()
	if job.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(job.Timeout*float64(time.Second)))
		defer cancel()
	}
	if err := run(ctx, job, &http.Client{Transport: seen}, say); err != nil {
		l := Line{Kind: "error", Class: fmt.Sprintf("%T", err), Message: err.Error()}
		fill(&l, err)
		say(l)
		return
	}
	say(Line{Kind: "done", Protocol: seen.name})
}

// streamed is what openai-go puts before the error object of a stream.
const streamed = "received error while streaming: "

// fill takes code, type and message from where openai-go leaves them: fields
// of its error for a status, JSON in the text for a stream.
func fill(l *Line, err error) {
	if s, ok := strings.CutPrefix(err.Error(), streamed); ok {
		var e struct{ Message, Code, Type string }
		if json.Unmarshal([]byte(s), &e) == nil {
			l.Message, l.Code, l.Type = e.Message, e.Code, e.Type
		}
		return
	}
	status1(l, err)
	status3(l, err)
}

// protocol keeps the protocol of the last response.
type protocol struct {
	next http.RoundTripper
	name string
}

func (p *protocol) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := p.next.RoundTrip(r)
	if err == nil {
		p.name = resp.Proto
	}
	return resp, err
}

func transport(job Job) *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.Proxy = nil
	t.ForceAttemptHTTP2 = job.HTTP2
	t.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		host, port, err := net.SplitHostPort(addr)
		if err != nil {
			return nil, err
		}
		if to := job.Resolve[host]; to != "" {
			addr = net.JoinHostPort(to, port)
		}
		var d net.Dialer
		return d.DialContext(ctx, network, addr)
	}
	if job.CA != "" {
		pem, err := os.ReadFile(job.CA)
		if err != nil {
			fmt.Fprintln(os.Stderr, "read CA:", err)
			os.Exit(2)
		}
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM(pem)
		t.TLSClientConfig = &tls.Config{RootCAs: pool}
	}
	return t
}

// ending is how a stream ended; a failure to close it after that says nothing.
func ending(s interface {
	Err() error
	Close() error
}) error {
	err := s.Err()
	_ = s.Close()
	return err
}
