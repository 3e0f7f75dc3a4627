//go:build go1.21

package wire

import (
	"encoding/json"
	"errors"
	"strconv"
)

// ErrTooLarge is what reading a body gives that is larger than its route allows.
var ErrTooLarge = errors.New("body is too large")

// Failure is a coded error on its way to a client. Message is for people and
// holds no log line, path or internal address.
type Failure struct {
	Code    string
	Message string
	Param   string // the offending parameter, "" = none
	Details Details
}

// Details stand in the envelope beside the code, for programs.
type Details struct {
	Slot            string `json:"slot,omitempty"`
	State           string `json:"state,omitempty"`
	RequestID       string `json:"request_id,omitempty"`
	Retryable       bool   `json:"retryable"`
	RetryAfterS     int    `json:"retry_after_s,omitempty"`
	Exit            string `json:"exit,omitempty"` // class of the engine's exit
	EventsDelivered int    `json:"events_delivered,omitempty"`
}

// The key order of these structs is the order on the wire: some clients find
// an error only where "error" is the first key.
type openAIBody struct {
	Error openAIError `json:"error"`
}

type openAIError struct {
	Message string  `json:"message"`
	Type    string  `json:"type"`
	Param   *string `json:"param"`
	Code    string  `json:"code"`
	Details Details `json:"details"`
}

type responsesEvent struct {
	Type     string      `json:"type"`
	Sequence int         `json:"sequence_number"`
	Error    openAIError `json:"error"`
}

type anthropicBody struct {
	Type      string         `json:"type"`
	Error     anthropicError `json:"error"`
	RequestID string         `json:"request_id,omitempty"`
}

type anthropicError struct {
	Type    string  `json:"type"`
	Message string  `json:"message"`
	Code    string  `json:"code"`
	Details Details `json:"details"`
}

// NewFailure makes a failure whose Details.Retryable is what the table says.
func NewFailure(code, message string) Failure {
	return Failure{Code: code, Message: message, Details: Details{Retryable: Lookup(code).Retryable}}
}

// Status is the HTTP status that goes with the failure.
func (f Failure) Status() int { return Lookup(f.Code).Status }

// Body is the JSON body of an HTTP error in the shape of the family.
func (f Failure) Body(family string) []byte {
	if family == FamilyMessages {
		return encode(f.anthropic())
	}
	return encode(openAIBody{Error: f.openAI()})
}

// Event is the last SSE event of a stream that cannot go on, whole with its
// blank line. sequence is the next sequence number of FamilyResponses.
func (f Failure) Event(family string, sequence int) []byte {
	switch family {
	case FamilyMessages:
		return frame("error", encode(f.anthropic()))
	case FamilyResponses:
		return frame("error", encode(responsesEvent{Type: "error", Sequence: sequence, Error: f.openAI()}))
	}
	return frame("", encode(openAIBody{Error: f.openAI()}))
}

// RetryAfter is the value of the Retry-After header, "" = none. Every 503 and
// 429 has one.
func (f Failure) RetryAfter() string {
	if f.Details.RetryAfterS > 0 {
		return strconv.Itoa(f.Details.RetryAfterS)
	}
	if s := f.Status(); s == 503 || s == 429 {
		return "1"
	}
	return ""
}

func (f Failure) openAI() openAIError {
	c := Lookup(f.Code)
	e := openAIError{Message: f.Message, Type: c.Type, Code: f.Code, Details: f.Details}
	if f.Param != "" {
		e.Param = &f.Param
	}
	return e
}

func (f Failure) anthropic() anthropicBody {
	return anthropicBody{
		Type:      "error",
		Error:     anthropicError{Type: Lookup(f.Code).Anthropic, Message: f.Message, Code: f.Code, Details: f.Details},
		RequestID: f.Details.RequestID,
	}
}

func encode(v interface{}) []byte {
	b, err := json.Marshal(v)
	if err != nil { // plain structs of strings and numbers always marshal
		panic(err)
	}
	return b
}

func frame(event string, data []byte) []byte {
	head := "data: "
	if event != "" {
		head = "event: " + event + "\n" + head
	}
	out := make([]byte, 0, len(head)+len(data)+2)
	out = append(out, head...)
	out = append(out, data...)
	return append(out, '\n', '\n')
}
