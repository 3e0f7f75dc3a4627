package relay

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"unicode/utf8"

	"github.com/gowebpki/jcs"

	"github.com/hal0-dev/hal0/sidecar/internal/hub"
)

const (
	// keyLimit bounds the bodies that are compared at all, long strings apart:
	// canonicalising larger ones costs more than a flight of their own.
	keyLimit = 1 << 20
	// longString is from where on a string is compared by its digest: an image
	// in a prompt is most of the body.
	longString = 1 << 10
)

// Why a request has no key.
var (
	errBigNumber = errors.New("a number is beyond what every reader of JSON keeps apart")
	errNotUTF8   = errors.New("body is not valid UTF-8")
	errTooBig    = errors.New("body is too big to be compared")
)

// inert are the members of a body that do not change the answer.
var inert = map[string]bool{
	"user": true, "safety_identifier": true, "metadata": true, "prompt_cache_key": true,
}

// keyOf identifies requests that are the same work. The key tells nothing about
// the body to those who do not have the secret.
func keyOf(secret []byte, r Request, o object, sent http.Header) (hub.Key, error) {
	body, err := canonical(secret, o)
	if err != nil {
		return "", err
	}
	mac := hmac.New(sha256.New, secret)
	write := func(part []byte) {
		var size [8]byte
		binary.BigEndian.PutUint64(size[:], uint64(len(part)))
		mac.Write(size[:])
		mac.Write(part)
	}
	for _, part := range []string{r.Scope, r.Endpoint.Method, r.Endpoint.Path, r.Slot, r.Model.Fingerprint()} {
		write([]byte(part))
	}
	write(body)
	for _, name := range answerHeaders {
		for _, value := range sent.Values(name) {
			write([]byte(name))
			write([]byte(value))
		}
	}
	return hub.Key(mac.Sum(nil)), nil
}

// canonical is the body by RFC 8785, without what is inert.
func canonical(secret []byte, o object) ([]byte, error) {
	switch {
	case !utf8.Valid(o.text):
		return nil, errNotUTF8
	case bigNumber(o.text):
		return nil, errBigNumber
	}
	rest := []byte{'{'}
	for _, m := range o.members {
		value := o.text[m.value:m.end]
		if inert[m.name] {
			continue
		}
		if m.name == "stream_options" && value[0] == '{' {
			if value = visible(value); value == nil {
				continue
			}
		}
		rest = appendMember(rest, m.name, value)
	}
	rest = digestLong(secret, append(rest, '}'))
	if len(rest) > keyLimit {
		return nil, errTooBig
	}
	out, err := jcs.Transform(rest)
	if err != nil {
		return nil, fmt.Errorf("canonicalise body: %w", err)
	}
	return out, nil
}

// visible is stream_options without its inert member; nil if nothing is left.
func visible(text []byte) []byte {
	o, err := parseObject(text)
	if err != nil { // part of a valid body
		return text
	}
	rest := []byte{'{'}
	for _, m := range o.members {
		if m.name != "include_obfuscation" {
			rest = appendMember(rest, m.name, o.text[m.value:m.end])
		}
	}
	if len(rest) == 1 {
		return nil
	}
	return append(rest, '}')
}

// digestLong puts digests in the place of long strings. Without the secret
// nobody can write a string that equals one.
func digestLong(secret, text []byte) []byte {
	if len(text) < longString {
		return text
	}
	out, from := make([]byte, 0, 4<<10), 0
	for i := 0; i < len(text); {
		if text[i] != '"' {
			i++
			continue
		}
		end := skipString(text, i)
		if value := text[i+1 : end-1]; len(value) >= longString && bytes.IndexByte(value, '\\') < 0 {
			mac := hmac.New(sha256.New, secret)
			mac.Write(value)
			out = append(out, text[from:i]...)
			out = fmt.Appendf(out, "\"%x\"", mac.Sum(nil))
			from = end
		}
		i = end
	}
	return append(out, text[from:]...)
}

// bigNumber reports whether valid JSON holds a number beyond ±2^53: the
// canonical form would make neighbours equal.
func bigNumber(text []byte) bool {
	for i := 0; i < len(text); {
		switch c := text[i]; {
		case c == '"':
			i = skipString(text, i)
		case c == '-' || c >= '0' && c <= '9':
			end := skip(text, i)
			v, err := strconv.ParseFloat(string(text[i:end]), 64)
			if err != nil || math.Abs(v) >= 1<<53 {
				return true
			}
			i = end
		default:
			i++
		}
	}
	return false
}
