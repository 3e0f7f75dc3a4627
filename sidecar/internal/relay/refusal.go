package relay

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/hal0-dev/hal0/plugin/wire"
)

// complaint is an engine's error, from whatever shape it came in.
type complaint struct {
	status  int    // HTTP status, or what the error states; 0 = unknown
	kind    string // the engine's type and code, in lower case
	message string
}

// readComplaint finds the error in an engine's words: {"error":{…}},
// {"error":"…"}, {"object":"error",…}, {"detail":…}, plain text. HTML has
// nothing to say to API clients.
func readComplaint(status int, text []byte) complaint {
	c := complaint{status: status}
	text = bytes.TrimSpace(text)
	if len(text) == 0 || text[0] != '{' {
		if len(text) > 0 && text[0] != '<' && utf8.Valid(text) {
			c.message = firstLine(string(text))
		}
		return c
	}
	var outer map[string]json.RawMessage
	if json.Unmarshal(text, &outer) != nil {
		return c
	}
	inner := outer
	if raw, ok := outer["error"]; ok && !c.say(raw) {
		inner = nil
		if json.Unmarshal(raw, &inner) != nil {
			return c
		}
	}
	for _, name := range []string{"message", "detail", "error"} {
		if c.message == "" {
			c.say(inner[name])
		}
	}
	for _, name := range []string{"type", "code", "error_type"} {
		var v any
		if json.Unmarshal(inner[name], &v) == nil {
			switch v := v.(type) {
			case string:
				c.kind += strings.ToLower(v) + " "
			case float64:
				c.state(v)
			}
		}
	}
	var code float64
	if json.Unmarshal(inner["http_status_code"], &code) == nil {
		c.state(code)
	}
	return c
}

// say takes the message from a JSON string.
func (c *complaint) say(raw json.RawMessage) bool {
	var s string
	if json.Unmarshal(raw, &s) != nil || s == "" {
		return false
	}
	c.message = s
	return true
}

// state takes a status that the error's text states, where HTTP gave none.
func (c *complaint) state(code float64) {
	if c.status < 400 && code >= 400 && code < 600 {
		c.status = int(code)
	}
}

var (
	tooLong = regexp.MustCompile(`(?i)exceeds? the (available |model'?s? )?(maximum )?context|maximum context length|context (length|window|size) (is )?exceed|exceed_context|context_length_exceeded|input (is )?too (long|large)|inputs? tokens? .* must be`)
	noModel = regexp.MustCompile(`(?i)model .*(not found|does not exist|not exist)|no such model`)
	parse   = regexp.MustCompile(`(?i)^(failed to parse|invalid (message|request|json))`)
)

// failure is the complaint in our words.
func (c complaint) failure() wire.Failure {
	code := c.code()
	message := presentable(c.message)
	switch {
	case code == wire.CodeCapability && c.status != 501: // "File Not Found" is of no use to anybody
		message = "the model's engine does not serve this endpoint"
	case message == "":
		message = "the engine answered with an error that it did not explain"
	}
	return wire.NewFailure(code, message)
}

func (c complaint) code() string {
	switch {
	case tooLong.MatchString(c.message) || tooLong.MatchString(c.kind):
		return wire.CodeContextLength
	case c.status == 404 && noModel.MatchString(c.message):
		return wire.CodeModelNotFound
	case c.status == 400 && noModel.MatchString(c.message):
		return wire.CodeModelNotFound
	case c.status == 404, c.status == 405, c.status == 501:
		return wire.CodeCapability
	case c.status == 401, c.status == 403:
		return wire.CodeEngine // our key, not the client's
	case c.status == 413:
		return wire.CodeTooLarge
	case c.status == 429:
		return wire.CodeRateLimited
	case c.status >= 400 && c.status < 500:
		return wire.CodeRejected
	case parse.MatchString(c.message):
		return wire.CodeRejected // llama.cpp says 500 to some wrong requests
	case c.status == 0 && strings.Contains(c.kind, "invalid_request"):
		return wire.CodeRejected
	}
	return wire.CodeEngine
}

// isLoading reports whether the engine says that it is not ready yet.
func (c complaint) isLoading() bool {
	return c.status == 503 && (strings.Contains(strings.ToLower(c.message), "loading") || strings.Contains(c.kind, "unavailable"))
}

var private = []*regexp.Regexp{
	regexp.MustCompile(`\b[a-z][a-z0-9+.-]*://[^\s"']+`),
	regexp.MustCompile(`\b(localhost|\d{1,3}(\.\d{1,3}){3})(:\d+)?\b`),
	regexp.MustCompile(`(^|[\s"'(=:])(/[A-Za-z0-9._~+-]+){2,}/?`),
	regexp.MustCompile(`(^|[\s"'(=:])[A-Za-z]:\\[^\s"']+`),
}

const maxMessage = 500 // runes

// presentable is what clients may read of an engine's message: no addresses, no
// paths, one line, not endless.
func presentable(message string) string {
	message = strings.Join(strings.Fields(message), " ")
	for _, p := range private {
		message = p.ReplaceAllString(message, "${1}…")
	}
	if utf8.RuneCountInString(message) > maxMessage {
		message = string([]rune(message)[:maxMessage]) + "…"
	}
	return message
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return strings.TrimSpace(line)
}
