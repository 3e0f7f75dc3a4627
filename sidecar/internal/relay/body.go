package relay

import (
	"errors"
	"io"
	"strconv"
)

const (
	// holdBody is how much of a JSON answer is held back until it is whole, so
	// that one that is cut short can still be told as an error, or be made again.
	holdBody  = 1 << 20
	bodyBlock = 32 << 10
)

// relayJSON relays an answer that is one JSON document.
func (c *call) relayJSON(head Head, body io.Reader) ending {
	held, err := io.ReadAll(io.LimitReader(body, holdBody))
	if err != nil {
		return ending{how: torn, err: err}
	}
	if len(held) == holdBody {
		return c.relayBytes(head, body, held)
	}
	if mentionsError(held) && isError(held) && !isResponse(held) {
		return ending{how: complains, failure: readComplaint(0, held).failure()}
	}
	if len(held) == 0 {
		return ending{how: clipped, err: io.EOF}
	}
	head.Header.Set("Content-Length", strconv.Itoa(len(held)))
	c.begin(head)
	if _, err := c.push(held); err != nil {
		return ending{how: torn, err: err}
	}
	return ending{how: whole}
}

// isResponse reports whether a document is a response object, which carries
// its own error.
func isResponse(text []byte) bool {
	o, err := parseObject(text)
	return err == nil && string(o.raw("object")) == `"response"`
}

// relayBytes relays an answer as it comes, after what was read of it before.
func (c *call) relayBytes(head Head, body io.Reader, before []byte) ending {
	if len(before) > 0 {
		c.begin(head)
		if _, err := c.push(before); err != nil {
			return ending{how: torn, err: err}
		}
	}
	var block []byte
	for {
		if len(block) < bodyBlock/4 {
			block = make([]byte, bodyBlock)
		}
		n, err := body.Read(block)
		if n > 0 || errors.Is(err, io.EOF) {
			c.begin(head)
		}
		if n > 0 {
			kept, err := c.push(block[:n:n])
			if err != nil {
				return ending{how: torn, err: err}
			}
			if kept {
				block = block[n:]
			}
		}
		if errors.Is(err, io.EOF) {
			return ending{how: whole}
		}
		if err != nil {
			return ending{how: torn, err: err}
		}
	}
}
