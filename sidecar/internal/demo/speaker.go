package demo

// speaker tells one answer in the manner of an endpoint.
type speaker interface {
	// opening returns the events before the first token, closing those after
	// the last one.
	opening() [][]byte
	token(i int) []byte
	closing() [][]byte
	// whole is the answer in one piece.
	whole() any
}

// speak chooses how the job's answer is told.
func (j *job) speak(k kind) speaker {
	switch k {
	case chat, completion:
		return chatSpeaker{j}
	case responses:
		return newResponsesSpeaker(j)
	case messages:
		return messagesSpeaker{j, newID("msg_")}
	}
	panic("a kind that is none")
}

// event is one SSE event.
func event(v any) []byte {
	return append(append([]byte("data: "), marshal(v)...), '\n', '\n')
}

// named is one SSE event with a name.
func named(name string, v any) []byte {
	return append([]byte("event: "+name+"\n"), event(v)...)
}

// chatSpeaker speaks as chat/completions and completions do.
type chatSpeaker struct{ *job }

func (s chatSpeaker) opening() [][]byte {
	if s.voice.kind == completion {
		return nil
	}
	if s.call == nil {
		return [][]byte{event(s.voice.role())}
	}
	head := *s.call
	head.Function.Arguments = ""
	return [][]byte{event(s.voice.chunk(nil, choice{Delta: &delta{Role: "assistant", ToolCalls: []toolCall{head}}}))}
}

func (s chatSpeaker) token(i int) []byte {
	if s.call == nil {
		return event(s.voice.token(s.answer.tokens[i]))
	}
	piece := toolCall{Function: toolFunction{Arguments: s.answer.tokens[i]}}
	return event(s.voice.chunk(nil, choice{Delta: &delta{ToolCalls: []toolCall{piece}}}))
}

func (s chatSpeaker) closing() [][]byte {
	events := [][]byte{event(s.voice.finish(s.answer.finish))}
	if s.request.StreamOptions.IncludeUsage {
		events = append(events, event(s.voice.chunk(s.usage())))
	}
	if !s.knobs.NoDone {
		events = append(events, []byte("data: [DONE]\n\n"))
	}
	return events
}

func (s chatSpeaker) whole() any {
	if s.call != nil {
		return s.voice.whole("", []toolCall{*s.call}, s.answer.finish, s.usage())
	}
	return s.voice.whole(s.answer.text(), nil, s.answer.finish, s.usage())
}

func (j *job) usage() *usage { return newUsage(j.prompt, len(j.answer.tokens)) }
