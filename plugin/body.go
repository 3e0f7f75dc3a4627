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

// smallBody is as much of a body as is read without asking the budget: no more
// than its connection takes anyway.
const smallBody = 16 << 10

// read finds the model in the request's body and leaves the body readable again.
func (x *exchange) read(req *http.Request, s *settings) bool {
	if x.e.Multipart {
		return x.readForm(req, s.maxUpload)
	}
	if req.ContentLength > s.maxBody {
		return x.tooLarge(s.maxBody)
	}
	body, err := io.ReadAll(io.LimitReader(req.Body, smallBody))
	if err != nil || len(body) == smallBody || req.ContentLength > int64(len(body)) || int64(len(body)) > s.maxBody {
		return x.readOther(req, body, err, s.maxBody)
	}
	return x.understand(req, body)
}

// readOther goes on where the first bytes are not the whole body.
func (x *exchange) readOther(req *http.Request, head []byte, err error, max int64) bool {
	body := bytes.NewBuffer(head)
	if err == nil && len(head) == smallBody {
		var room bool
		if room, err = x.readLarge(req, body, max); !room {
			return x.busy()
		}
	}
	if err != nil || req.ContentLength > int64(body.Len()) {
		return x.no(wire.CodeIncomplete, "The request's body ended early.")
	}
	if int64(body.Len()) > max {
		return x.tooLarge(max)
	}
	return x.understand(req, body.Bytes())
}

// readLarge reads the rest of a body that is not small, or one byte more than
// max. The buffer grows with what arrives, never by what was announced. It
// reports whether there was room.
func (x *exchange) readLarge(req *http.Request, buf *bytes.Buffer, max int64) (bool, error) {
	x.share = &share{from: bodies, client: x.client}
	for step := int64(smallBody); ; step *= 2 {
		if left := max + 1 - int64(buf.Len()); step > left {
			step = left
		}
		if !x.share.grow(step) {
			return false, nil
		}
		n, err := io.CopyN(buf, req.Body, step)
		if n == step && int64(buf.Len()) <= max {
			continue
		}
		x.share.settle(int64(buf.Len()))
		if n < step && err != io.EOF {
			return true, err
		}
		return true, nil
	}
}

func (x *exchange) tooLarge(max int64) bool {
	return x.no(wire.CodeTooLarge, "The request's body is larger than the "+sizeText(max)+" that this route allows.")
}

func (x *exchange) busy() bool {
	return x.no(wire.CodeRateLimited, "Too many large requests are being sent at once.")
}

// understand finds the model in a JSON body. Keys are compared exactly, as
// engines do.
func (x *exchange) understand(req *http.Request, body []byte) bool {
	var fields map[string]json.RawMessage
	if json.Unmarshal(body, &fields) != nil || fields == nil {
		return x.noJSON("The request's body is not a JSON object.")
	}
	if !utf8.Valid(body) { // which encoding/json lets pass
		return x.noJSON("The request's body is not valid UTF-8.")
	}
	x.quoted = string(fields["model"])
	replace(req, body)
	return true
}

// unquote is the name in a model's JSON; ok is false if it is no string.
func unquote(quoted string) (name string, ok bool) {
	if quoted == "" || quoted == "null" {
		return "", true
	}
	err := json.Unmarshal([]byte(quoted), &name)
	return strings.TrimSpace(name), err == nil
}

// replace makes the buffered bytes the body, which can be had again: should a
// kept-alive connection to the sidecar turn out dead, or the sidecar be lost
// while it holds the request.
func replace(req *http.Request, body []byte) {
	req.Body = io.NopCloser(bytes.NewReader(body))
	req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	req.ContentLength = int64(len(body))
	req.TransferEncoding = nil
	delete(req.Header, "Transfer-Encoding")
	delete(req.Header, "Expect")
}
