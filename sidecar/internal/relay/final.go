package relay

import (
	"bytes"
	"encoding/json"

	"github.com/hal0-dev/hal0/plugin/wire"
	"github.com/hal0-dev/hal0/sidecar/internal/sse"
)

// final is what /v1/responses needs to tell a failure in its stream.
type final struct {
	created []byte // data of response.created
	last    []byte // data of the event before
	events  int
}

// see notes an event that went to clients.
func (f *final) see(e *sse.Event) {
	if f.created == nil && kindOf(e) == "response.created" {
		f.created = e.Data
	}
	f.last = e.Data
	f.events++
}

// sequence is the number of the next event.
func (f *final) sequence() int {
	var numbered struct {
		N *int `json:"sequence_number"`
	}
	if json.Unmarshal(f.last, &numbered) == nil && numbered.N != nil {
		return *numbered.N + 1
	}
	return f.events
}

// Final is the last event of a stream that fails, in the family's shape.
// failure is o's, with what is known of the one client that reads it.
func (o Outcome) Final(family string, failure wire.Failure) []byte {
	sequence := 0
	if family == wire.FamilyResponses {
		sequence = max(o.final.sequence(), failure.Details.EventsDelivered)
		if event := failedResponse(o.final.created, sequence, failure); event != nil {
			return event
		}
	}
	return failure.Event(family, sequence)
}

// failedResponse is response.failed, made of the response that the stream
// began with; nil if there is none.
func failedResponse(created []byte, sequence int, failure wire.Failure) []byte {
	event, err := parseObject(created)
	if err != nil {
		return nil
	}
	response, err := parseObject(event.raw("response"))
	if err != nil {
		return nil
	}
	body := failure.Body(wire.FamilyResponses)
	problem := bytes.TrimSuffix(bytes.TrimPrefix(body, []byte(`{"error":`)), []byte("}"))
	response.text = edit{object: response, replace: map[string][]byte{
		"status": []byte(`"failed"`), "error": problem,
	}}.apply()
	number, err := json.Marshal(sequence)
	if err != nil { // an int always marshals
		panic(err)
	}
	data := []byte(`{"type":"response.failed"`)
	data = appendMember(data, "sequence_number", number)
	data = appendMember(data, "response", response.text)
	return sse.Encode("response.failed", append(data, '}')).Bytes
}
