package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// maxLine bounds one line of a stream of events, in bytes.
const maxLine = 32 << 20

// feed is a stream of events from the sidecar.
type feed struct {
	body io.Closer
	scan *bufio.Scanner
}

// follow opens a stream of events; close must be called.
func (m *remote) follow(ctx context.Context, path string) (*feed, error) {
	resp, err := m.open(ctx, http.MethodGet, path, nil)
	if err != nil {
		return nil, err
	}
	return newFeed(resp.Body), nil
}

func newFeed(body io.ReadCloser) *feed {
	f := &feed{body: body, scan: bufio.NewScanner(body)}
	f.scan.Buffer(nil, maxLine)
	return f
}

func (f *feed) close() { f.body.Close() }

// next returns the next event's name and data; io.EOF at the stream's end.
func (f *feed) next() (name, data string, err error) {
	for f.scan.Scan() {
		line := strings.TrimSuffix(f.scan.Text(), "\r")
		switch field, value, _ := strings.Cut(line, ":"); {
		case line == "" && data != "":
			return name, data, nil
		case field == "event":
			name = strings.TrimPrefix(value, " ")
		case field == "data":
			data += strings.TrimPrefix(value, " ")
		}
	}
	if err := f.scan.Err(); err != nil {
		return "", "", fmt.Errorf("read events: %w", err)
	}
	return "", "", io.EOF
}
