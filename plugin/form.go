//go:build go1.21

package plugin

import (
	"bytes"
	"encoding/json"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/hal0-dev/hal0/plugin/wire"
)

// formHead is how far into a form the model is looked for.
const formHead = 1 << 20

// upload is the body of a form: what was read in search of the model, then the
// rest as it comes, up to a bound.
type upload struct {
	head io.Reader
	rest io.ReadCloser

	mu       sync.Mutex // the transport reads in a goroutine of its own
	left     int64
	exceeded bool
}

// Read implements io.Reader.
func (u *upload) Read(p []byte) (int, error) {
	n, err := u.head.Read(p)
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.left -= int64(n); u.left < 0 {
		u.exceeded = true
		return 0, wire.ErrTooLarge
	}
	return n, err
}

// Close implements io.Closer.
func (u *upload) Close() error { return u.rest.Close() }

func (u *upload) tooLarge() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.exceeded
}

// readForm reads a form up to its model and leaves the whole of it readable.
// Without a model in the first MiB, the model stays open.
func (x *exchange) readForm(req *http.Request, max int64) bool {
	if req.ContentLength > max {
		return x.tooLarge(max)
	}
	kind, params, err := mime.ParseMediaType(req.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/form-data" || params["boundary"] == "" || req.Body == nil {
		return x.noJSON("The request's body is not a form (multipart/form-data).")
	}
	x.share = &share{from: bodies, client: x.client}
	if !x.share.grow(formHead) {
		return x.busy()
	}
	var head bytes.Buffer
	model := formModel(multipart.NewReader(io.TeeReader(io.LimitReader(req.Body, formHead), &head), params["boundary"]))
	x.share.settle(int64(head.Len()))
	if model != "" {
		if quoted, err := json.Marshal(model); err == nil {
			x.quoted = string(quoted)
		}
	}
	x.upload = &upload{rest: req.Body, left: max}
	x.upload.head = io.MultiReader(&head, req.Body)
	var body io.ReadCloser = x.upload
	req.Body = body
	req.Header.Del("Expect")
	return true
}

// formModel looks for the part named model; "" = not among what could be read.
func formModel(r *multipart.Reader) string {
	for {
		part, err := r.NextPart()
		if err != nil {
			return ""
		}
		if part.FormName() != "model" {
			continue
		}
		value, err := io.ReadAll(io.LimitReader(part, 4096))
		if err != nil {
			return ""
		}
		return strings.TrimSpace(string(value))
	}
}

func sizeText(n int64) string {
	switch {
	case n >= 1<<30 && n%(1<<30) == 0:
		return strconv.FormatInt(n>>30, 10) + " GiB"
	case n >= 1<<20 && n%(1<<20) == 0:
		return strconv.FormatInt(n>>20, 10) + " MiB"
	case n >= 1<<10 && n%(1<<10) == 0:
		return strconv.FormatInt(n>>10, 10) + " KiB"
	}
	return strconv.FormatInt(n, 10) + " bytes"
}
