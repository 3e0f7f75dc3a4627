package demo

import (
	"context"
	"net/http"
	"time"
)

// job is one request being answered.
type job struct {
	s       *Server
	w       http.ResponseWriter
	r       *http.Request
	out     *http.ResponseController
	knobs   Knobs
	voice   voice
	request request
	answer  answered
	call    *toolCall // what is called instead of speaking
	speaker speaker
	prompt  int  // tokens
	begun   bool // the stream's head was sent
	events  int  // sent or due
}

// generate serves an endpoint that speaks.
func (s *Server) generate(k kind) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		j := &job{s: s, w: w, r: r, out: http.NewResponseController(w), voice: newVoice(k, s.launch.Name)}
		if !decode(w, r, &j.request) || !j.prepare(k) {
			return
		}
		if s.slots != nil {
			select { // silently, as llama-server does
			case s.slots <- struct{}{}:
				defer func() { <-s.slots }()
			case <-r.Context().Done():
				return
			}
		}
		j.run()
	}
}

// prepare decides what to answer, or refuses.
func (j *job) prepare(k kind) bool {
	prompt, tokens, err := j.request.prompt(k)
	stops, stopErr := j.request.stops()
	knobs, knobsErr := j.s.launch.Knobs.override(j.request.Knobs)
	for _, err := range []error{err, stopErr, knobsErr} {
		if err != nil {
			refuse(j.w, http.StatusBadRequest, "invalid_request_error", err.Error())
			return false
		}
	}
	j.prompt, j.knobs, j.speaker = tokens, knobs, j.speak(k)
	if t, ok := j.request.demanded(); ok && k == chat {
		pieces, call := t.call()
		j.answer, j.call = answered{pieces, "tool_calls"}, &call
		return true
	}
	j.answer = respond(prompt, j.request.limit(), stops)
	return true
}

func (j *job) run() {
	if j.faultAt(0) && !j.misbehave(append(j.speaker.opening(), j.speaker.closing()...)[0]) {
		return
	}
	if j.request.Stream {
		j.stream()
		return
	}
	if j.pace(nil, func(int) bool { return true }) {
		answer(j.w, j.speaker.whole())
	}
}

// stream sends the answer token by token.
func (j *job) stream() {
	j.begin()
	for _, e := range j.speaker.opening() {
		if !j.tell(e) {
			return
		}
	}
	if !j.pace(j.ping(), func(i int) bool { return j.tell(j.speaker.token(i)) }) {
		return
	}
	for _, e := range j.speaker.closing() {
		if !j.tell(e) {
			return
		}
	}
}

// tell sends one event of the answer, unless the knobs want something else in
// its place.
func (j *job) tell(event []byte) bool {
	j.events++
	if j.knobs.Fault != FaultNone && j.knobs.Event == j.events && !j.misbehave(event) {
		return false
	}
	return j.send(event)
}

// pace calls each for every token at its time, and misbehaves where the knobs
// say so. It returns false if the answer ended early. A fault beyond the last
// token comes after it.
func (j *job) pace(ping func() bool, each func(i int) bool) bool {
	began := time.Now().Add(time.Duration(j.knobs.DelayMS) * time.Millisecond)
	for i := range j.answer.tokens {
		due := began
		if j.knobs.Rate > 0 {
			due = began.Add(time.Duration(float64(i) / j.knobs.Rate * float64(time.Second)))
		}
		if !j.waitUntil(due, ping) {
			return false
		}
		if j.faultAt(i+1) && !j.misbehave(j.speaker.token(i)) {
			return false
		}
		if !each(i) {
			return false
		}
	}
	if j.knobs.Fault != FaultNone && j.knobs.At > len(j.answer.tokens) {
		return j.misbehave(j.speaker.closing()[0])
	}
	return true
}

// waitUntil waits for the time, with pings. It returns false if the client left.
func (j *job) waitUntil(due time.Time, ping func() bool) bool {
	ctx := j.r.Context()
	every := time.Duration(j.knobs.PingMS) * time.Millisecond
	for ping != nil && every > 0 && time.Until(due) > every {
		if sleep(ctx, every) != nil || !ping() {
			return false
		}
	}
	return sleep(ctx, time.Until(due)) == nil
}

// ping sends the comment that llama-server sends.
func (j *job) ping() func() bool { return func() bool { return j.send([]byte(":\n\n")) } }

func (j *job) begin() {
	if j.begun {
		return
	}
	j.begun = true
	j.w.Header().Set("Content-Type", "text/event-stream")
	j.w.Header().Set("Cache-Control", "no-cache")
	j.w.WriteHeader(http.StatusOK)
}

// send writes and flushes; false means that nobody reads any more.
func (j *job) send(b []byte) bool {
	if _, err := j.w.Write(b); err != nil {
		return false
	}
	return j.out.Flush() == nil && context.Cause(j.r.Context()) == nil
}
