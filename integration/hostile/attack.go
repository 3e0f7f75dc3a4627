package hostile

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/hal0-dev/hal0/plugin/wire"
)

// Attack is one connection: what is sent on it, byte for byte, and what must
// come back.
type Attack struct {
	Name string `json:"name"`
	Why  string `json:"why,omitempty"`
	// To is where it is sent: "edge" (Traefik, the default), "slow" (an entry
	// point of it that gives a request one second), "sidecar" or "control" (its
	// listeners, as if from inside the network).
	To string `json:"to,omitempty"`

	// Lines are the request's head, each ended by CR LF, and an empty one after
	// the last; Raw is a head that is sent as it stands instead. Both, and Body,
	// may hold {{key}} (an API key that is good), {{length}} (the body's),
	// {{proof}}, {{forged}}, {{private}}, {{route}} (of the sidecar's control
	// listener), {{fill}} and {{hex ff00}}.
	Lines []string `json:"lines,omitempty"`
	Raw   string   `json:"raw,omitempty"`
	Body  string   `json:"body,omitempty"`
	Fill  Fill     `json:"fill"`
	Proof *Proof   `json:"proof,omitempty"`
	// Cut closes the sending half after the last byte; Hold sends nothing more and
	// keeps the connection. Otherwise the last request says Connection: close.
	Cut  bool `json:"cut,omitempty"`
	Hold bool `json:"hold,omitempty"`

	// Want are the answers, in order; none = the connection is closed without.
	Want []Answer `json:"want"`
	// Private is what the private server sees of it: "METHOD /path". It is for
	// requests that are its own.
	Private []string `json:"private,omitempty"`
}

// Fill is a text many times.
type Fill struct {
	Text  string `json:"text"`
	Times int    `json:"times"`
}

// Answer is a status and a code. No code = the answer is Traefik's own: its HTTP
// parser refuses what is no request before any middleware, and its router what
// no rule matches.
type Answer struct {
	Status int    `json:"status"`
	Code   string `json:"code,omitempty"`
}

// Proof is a proof as somebody would make it who has the token or not.
type Proof struct {
	Purpose string `json:"purpose"` // default request
	Method  string `json:"method"`  // default POST
	Path    string `json:"path"`    // default /v1/chat/completions
	Body    string `json:"body"`    // that it covers
	Route   string `json:"route"`   // default main@file
	Slot    string `json:"slot"`
	Age     string `json:"age"`   // duration, default 0
	Token   string `json:"token"` // default the sidecar's own
	Cut     int    `json:"cut"`   // bytes that its end lacks
}

// sign makes the header's value.
func (p Proof) sign(token string) (string, error) {
	s := wire.Subject{Purpose: or(p.Purpose, wire.PurposeRequest), Method: or(p.Method, "POST"), Path: or(p.Path, "/v1/chat/completions")}
	if s.Purpose == wire.PurposeDeclare {
		s.Body = []byte(p.Body)
	}
	age, err := time.ParseDuration(or(p.Age, "0s"))
	if err != nil {
		return "", fmt.Errorf("parse age of proof: %w", err)
	}
	header := wire.Sign(or(p.Token, token), s, wire.Proof{TimeMS: time.Now().Add(-age).UnixMilli(), Route: or(p.Route, "main@file"), Slot: p.Slot})
	return header[:len(header)-p.Cut], nil
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// bytes is what is sent; fill replaces what only the scene knows.
func (a Attack) bytes(fill *strings.Replacer, token string) ([]byte, error) {
	body := strings.ReplaceAll(fill.Replace(a.Body), "{{fill}}", strings.Repeat(a.Fill.Text, a.Fill.Times))
	body, err := unhex(body)
	if err != nil {
		return nil, err
	}
	head := a.Raw
	if a.Lines != nil {
		head = strings.Join(a.Lines, "\r\n") + "\r\n\r\n"
	}
	proof := ""
	if a.Proof != nil {
		if proof, err = a.Proof.sign(token); err != nil {
			return nil, err
		}
	}
	head = strings.NewReplacer("{{length}}", strconv.Itoa(len(body)), "{{proof}}", proof,
		"{{fill}}", strings.Repeat(a.Fill.Text, a.Fill.Times)).Replace(fill.Replace(head))
	head, err = unhex(head)
	return []byte(head + body), err
}

// unhex replaces {{hex ff}} by the byte.
func unhex(s string) (string, error) {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(s, "{{hex ")
		b.WriteString(before)
		if !found {
			return b.String(), nil
		}
		digits, after, _ := strings.Cut(rest, "}}")
		raw, err := hex.DecodeString(digits)
		if err != nil {
			return "", fmt.Errorf("parse bytes: %w", err)
		}
		b.Write(raw)
		s = after
	}
}

// load reads a list of cases from every file that matches. Unknown fields are
// errors.
func load[T any](pattern string) ([]T, error) {
	paths, err := filepath.Glob(pattern)
	if err != nil {
		return nil, fmt.Errorf("list cases: %w", err)
	}
	var all []T
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("read cases: %w", err)
		}
		var some []T
		d := json.NewDecoder(bytes.NewReader(text))
		d.DisallowUnknownFields()
		if err := d.Decode(&some); err != nil {
			return nil, fmt.Errorf("parse %s: %w", path, err)
		}
		all = append(all, some...)
	}
	return all, nil
}
