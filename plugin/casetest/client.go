package casetest

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// reply is what the client got.
type reply struct {
	status int
	header http.Header
	body   string
	cut    bool // it broke off
}

// IDHeader names the setup in every request, for ways that serve many setups at
// one address.
const IDHeader = "X-Case"

// exchange sends a request as it stands and reads the answer; heard is told the
// body so far.
func exchange(address, id string, r Request, fill func(string) string, heard func(string)) (reply, error) {
	conn, err := net.DialTimeout("tcp", address, patience)
	if err != nil {
		return reply{}, fmt.Errorf("dial edge: %w", err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return reply{}, fmt.Errorf("dial edge: %w", err)
	}
	head, body := r.bytes(id, fill)
	// A server may answer and close before it has read the whole body.
	sent := make(chan error, 1)
	go func() {
		_, err := conn.Write(append(head, body...))
		if err == nil && r.Length > 0 {
			err = conn.(*net.TCPConn).CloseWrite()
		}
		sent <- err
	}()
	res, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: r.method()})
	if err != nil {
		return reply{cut: true}, nil
	}
	defer res.Body.Close()
	got := reply{status: res.StatusCode, header: res.Header}
	text, err := readUntil(res.Body, r.Leave, heard)
	got.body, got.cut = text, err != nil
	if r.Leave != "" {
		_ = conn.Close() // before the body, which would be read to its end
	}
	<-sent
	return got, nil
}

// through sends a request by the setup's client, which says what is spoken. It
// sends what it can express: headers in their order, and lengths that are wrong,
// are for raw connections.
func (r Request) through(s *Setup, heard func(string)) (reply, error) {
	_, body := r.bytes(s.ID, s.fill)
	ctx, leave := context.WithTimeout(context.Background(), patience)
	defer leave()
	scheme, target := "http://", r.Target
	if s.Secure {
		scheme = "https://"
	}
	if target == "" {
		target = "/v1/chat/completions"
	}
	req, err := http.NewRequestWithContext(ctx, r.method(), scheme+s.Address+target, bytes.NewReader(body))
	if err != nil {
		return reply{}, fmt.Errorf("make request: %w", err)
	}
	req.Host = "hal0.lan"
	if r.Host != "" {
		req.Host = r.Host
	}
	req.Header.Set(IDHeader, s.ID)
	for _, h := range r.Headers {
		req.Header.Add(h[0], s.fill(h[1]))
	}
	if r.Form != nil {
		req.Header.Set("Content-Type", "multipart/form-data; boundary="+formBoundary)
	}
	res, err := s.Client.Do(req)
	if err != nil {
		return reply{cut: true}, nil
	}
	defer res.Body.Close()
	text, err := readUntil(res.Body, r.Leave, heard)
	if r.Leave != "" {
		leave()
	}
	return reply{status: res.StatusCode, header: res.Header, body: text, cut: err != nil}, nil
}

// readUntil reads to the end, or until the text holds leave.
func readUntil(body io.Reader, leave string, heard func(string)) (string, error) {
	var all bytes.Buffer
	buf := make([]byte, 32<<10)
	for {
		heard(all.String())
		n, err := body.Read(buf)
		all.Write(buf[:n])
		if leave != "" && strings.Contains(all.String(), leave) {
			return all.String(), nil
		}
		if err == io.EOF {
			return all.String(), nil
		}
		if err != nil {
			return all.String(), err
		}
	}
}

func (r Request) method() string {
	switch {
	case r.Method != "":
		return r.Method
	case r.Body != "" || r.Form != nil:
		return http.MethodPost
	}
	return http.MethodGet
}

func (r Request) bytes(id string, fill func(string) string) (head, body []byte) {
	target, host := r.Target, r.Host
	if target == "" {
		target = "/v1/chat/completions"
	}
	if host == "" {
		host = "hal0.lan"
	}
	var h bytes.Buffer
	fmt.Fprintf(&h, "%s %s HTTP/1.1\r\nHost: %s\r\n%s: %s\r\nConnection: close\r\n", r.method(), target, host, IDHeader, id)
	body = []byte(strings.ReplaceAll(fill(r.Body), "{{repeat}}", strings.Repeat(r.Repeat, r.Times)))
	if r.Form != nil {
		body = []byte(r.form())
		h.WriteString("Content-Type: multipart/form-data; boundary=" + formBoundary + "\r\n")
	}
	for _, header := range r.Headers {
		fmt.Fprintf(&h, "%s: %s\r\n", header[0], fill(header[1]))
	}
	switch {
	case r.Chunked:
		h.WriteString("Transfer-Encoding: chunked\r\n")
		body = fmt.Appendf(nil, "%x\r\n%s\r\n0\r\n\r\n", len(body), body)
	case r.Length > 0:
		fmt.Fprintf(&h, "Content-Length: %d\r\n", r.Length)
	case len(body) > 0 || r.method() == http.MethodPost:
		fmt.Fprintf(&h, "Content-Length: %d\r\n", len(body))
	}
	h.WriteString("\r\n")
	return h.Bytes(), body
}

const formBoundary = "----hal0caseboundary"

func (r Request) form() string {
	var b strings.Builder
	for _, field := range r.Form {
		value := strings.ReplaceAll(field[1], "{{repeat}}", strings.Repeat(r.Repeat, r.Times))
		b.WriteString("--" + formBoundary + "\r\nContent-Disposition: form-data; name=\"" + field[0] + "\"")
		if field[0] == "file" {
			b.WriteString("; filename=\"a.wav\"\r\nContent-Type: audio/wav")
		}
		b.WriteString("\r\n\r\n" + value + "\r\n")
	}
	b.WriteString("--" + formBoundary + "--\r\n")
	return b.String()
}
