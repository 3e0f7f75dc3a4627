//go:build go1.21

package wire

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"time"
)

// Window is how far a proof's time may be from the verifier's clock.
const Window = 5 * time.Minute

// What a proof is good for; the MAC covers it.
const (
	PurposeRequest = "request"
	PurposeDeclare = "declare"
)

var (
	// ErrUntrusted is a proof whose form, MAC or time is wrong.
	ErrUntrusted = errors.New("proof is not valid")
	// ErrVersion is a proof of a version that this build does not know.
	ErrVersion = errors.New("proof has an unknown version")
)

// Proof is what the plugin decided about one request.
type Proof struct {
	TimeMS        int64  `json:"t"` // unix milliseconds
	RequestID     string `json:"id,omitempty"`
	Route         string `json:"route"`
	Fingerprint   string `json:"fp"`    // of the route
	Since         int64  `json:"since"` // of the route's instance, unix milliseconds
	Slot          string `json:"slot,omitempty"`
	Scope         string `json:"scope,omitempty"` // who may share a flight
	Lane          string `json:"lane,omitempty"`  // the fair queue
	Client        string `json:"client,omitempty"`
	CommitAfterMS int64  `json:"commit,omitempty"`
	HeartbeatMS   int64  `json:"beat,omitempty"`
	Model         *Model `json:"model,omitempty"`
}

// Subject is what a proof was made for. Path is the escaped path. Body is
// covered for PurposeDeclare and must be nil otherwise.
type Subject struct {
	Purpose string
	Method  string
	Path    string
	Body    []byte
}

// Sign makes the value of HeaderProof.
func Sign(token string, s Subject, p Proof) string {
	b, err := json.Marshal(p)
	if err != nil { // plain struct of strings, numbers and lists
		panic(err)
	}
	return seal(token, s, b)
}

// Moment is what differs between the proofs of one route and model.
type Moment struct {
	TimeMS    int64  `json:"t"`
	RequestID string `json:"id,omitempty"`
	Scope     string `json:"scope,omitempty"`
	Lane      string `json:"lane,omitempty"`
	Client    string `json:"client,omitempty"`
}

// Draft encodes what does not differ, once for many requests; the fields of
// Moment must be zero.
func (p Proof) Draft() string {
	b, err := json.Marshal(p)
	if err != nil { // plain struct of strings, numbers and lists
		panic(err)
	}
	return strings.Replace(string(b[:len(b)-1]), "\"t\":0,", "", 1)
}

// SignDraft is Sign for a draft and a moment.
func SignDraft(token string, s Subject, draft string, m Moment) string {
	b, err := json.Marshal(m)
	if err != nil { // plain struct of strings and a number
		panic(err)
	}
	return seal(token, s, []byte(draft+","+string(b[1:])))
}

func seal(token string, s Subject, b []byte) string {
	payload := base64.RawURLEncoding.EncodeToString(b)
	return "v1." + payload + "." + mac(token, s, payload)
}

// Verify checks a value of HeaderProof against each token and returns what it
// says. It returns ErrVersion or ErrUntrusted.
func Verify(tokens []string, s Subject, header string, now time.Time) (Proof, error) {
	var p Proof
	parts := strings.Split(header, ".")
	if len(parts) != 3 {
		return p, ErrUntrusted
	}
	if parts[0] != "v1" {
		return p, ErrVersion
	}
	trusted := false
	for _, t := range tokens {
		if t != "" && hmac.Equal([]byte(mac(t, s, parts[1])), []byte(parts[2])) {
			trusted = true
		}
	}
	if !trusted {
		return p, ErrUntrusted
	}
	b, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return p, ErrUntrusted
	}
	if err := json.Unmarshal(b, &p); err != nil {
		return p, ErrUntrusted
	}
	age := now.Sub(time.UnixMilli(p.TimeMS))
	if age > Window || age < -Window {
		return p, ErrUntrusted
	}
	return p, nil
}

func mac(token string, s Subject, payload string) string {
	body := ""
	if s.Purpose == PurposeDeclare {
		body = bodySum(s.Body)
	}
	h := hmac.New(sha256.New, []byte(token))
	_, _ = io.WriteString(h, strings.Join([]string{"v1", s.Purpose, s.Method, s.Path, body, payload}, "\n")) // a hash takes all
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

func bodySum(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}

// TokenPrefix begins every token; TokenLen is the length of a whole one.
const (
	TokenPrefix = "hal0_"
	TokenLen    = len(TokenPrefix) + 43
)

// ValidToken reports whether s has a token's form: the prefix and 43
// characters of base64url.
func ValidToken(s string) bool {
	if len(s) != TokenLen || !strings.HasPrefix(s, TokenPrefix) {
		return false
	}
	_, err := base64.RawURLEncoding.DecodeString(s[len(TokenPrefix):])
	return err == nil
}
