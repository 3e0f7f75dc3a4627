package relay

import (
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

// keyLimit bounds the bodies that are compared at all: larger ones are not
// coalesced, since canonicalising them costs more than a flight of their own.
const keyLimit = 4 << 20

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
	if len(o.text) > keyLimit {
		return "", errTooBig
	}
	body, err := canonical(o)
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
func canonical(o object) ([]byte, error) {
	if !utf8.Valid(o.text) {
		return nil, errNotUTF8
	}
	if bigNumber(o.text) {
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
	out, err := jcs.Transform(append(rest, '}'))
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
