//go:build go1.21

package plugin

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/hal0-dev/hal0/plugin/wire"
)

const firstStep = 16 << 10 // of a body's buffer, in bytes

// named is what a request's body says about its model. code is "" or the
// refusal's.
type named struct {
	model   string
	code    string
	message string
}

// readJSON buffers the body (within max and the budget), finds its model and
// leaves the body readable again. The share must be released when the request
// ends.
func readJSON(req *http.Request, max int64, s *share) named {
	if req.ContentLength > max {
		return tooLarge(max)
	}
	body, bad := buffer(req, max, s)
	if bad.code != "" {
		return bad
	}
	n := modelOf(body)
	if n.code != "" {
		return n
	}
	replace(req, body)
	return n
}

// buffer reads the whole body. The buffer grows with what arrives, never by
// what was announced.
func buffer(req *http.Request, max int64, s *share) ([]byte, named) {
	var buf bytes.Buffer
	if req.Body == nil {
		return nil, named{}
	}
	for step := int64(firstStep); ; step *= 2 {
		if left := max + 1 - int64(buf.Len()); step > left {
			step = left
		}
		if !s.grow(step) {
			return nil, named{code: wire.CodeRateLimited, message: "Too many large requests are being sent at once."}
		}
		n, err := io.CopyN(&buf, req.Body, step)
		if n == step {
			if int64(buf.Len()) > max {
				return nil, tooLarge(max)
			}
			continue
		}
		if err != io.EOF || req.ContentLength > int64(buf.Len()) {
			return nil, named{code: wire.CodeIncomplete, message: "The request's body ended early."}
		}
		s.shrink(int64(buf.Len()))
		s.read()
		return buf.Bytes(), named{}
	}
}

func tooLarge(max int64) named {
	return named{code: wire.CodeTooLarge, message: "The request's body is larger than the " + sizeText(max) + " that this route allows."}
}

// modelOf finds the model in a JSON body. Keys are compared exactly, as engines
// do.
func modelOf(body []byte) named {
	var fields map[string]json.RawMessage
	if !utf8.Valid(body) {
		return named{code: wire.CodeInvalidJSON, message: "The request's body is not valid UTF-8."}
	}
	if err := json.Unmarshal(body, &fields); err != nil || fields == nil {
		return named{code: wire.CodeInvalidJSON, message: "The request's body is not a JSON object."}
	}
	raw, ok := fields["model"]
	if !ok || string(raw) == "null" {
		return named{}
	}
	var model string
	if err := json.Unmarshal(raw, &model); err != nil {
		return named{code: wire.CodeInvalidJSON, message: "The request's model is not a string."}
	}
	return named{model: strings.TrimSpace(model)}
}

// replace makes the buffered bytes the body. The request gets the means to send
// it once more, should a kept-alive connection to the sidecar turn out dead.
func replace(req *http.Request, body []byte) {
	fresh, err := http.NewRequest(http.MethodPost, "http://body", bytes.NewReader(body))
	if err != nil { // a constant address always parses
		return
	}
	if req.Body != nil {
		_ = req.Body.Close()
	}
	req.Body = fresh.Body
	req.GetBody = fresh.GetBody
	req.ContentLength = int64(len(body))
	req.TransferEncoding = nil
	req.Header.Del("Transfer-Encoding")
	req.Header.Del("Expect")
}
