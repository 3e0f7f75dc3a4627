package demo

// spokenMessage is Anthropic's answer at /v1/messages.
type spokenMessage struct {
	ID           string        `json:"id"`
	Type         string        `json:"type"`
	Role         string        `json:"role"`
	Model        string        `json:"model"`
	Content      []textBlock   `json:"content"`
	StopReason   *string       `json:"stop_reason"`
	StopSequence *string       `json:"stop_sequence"`
	Usage        *messageUsage `json:"usage"`
}

type textBlock struct {
	Type string `json:"type"`
	Text string `json:"text"`
}

type messageUsage struct {
	Input  int `json:"input_tokens"`
	Output int `json:"output_tokens"`
}

// messageEvent is any event of the stream.
type messageEvent struct {
	Type    string         `json:"type"`
	Message *spokenMessage `json:"message,omitempty"`
	Index   *int           `json:"index,omitempty"`
	Block   *textBlock     `json:"content_block,omitempty"`
	Delta   any            `json:"delta,omitempty"`
	Usage   *messageUsage  `json:"usage,omitempty"`
}

type stopDelta struct {
	Reason   string  `json:"stop_reason"`
	Sequence *string `json:"stop_sequence"`
}

// messagesSpeaker speaks as /v1/messages does.
type messagesSpeaker struct {
	*job
	id string
}

func (s messagesSpeaker) opening() [][]byte {
	return typed(
		messageEvent{Type: "message_start", Message: s.message()},
		messageEvent{Type: "content_block_start", Index: new(int), Block: &textBlock{Type: "text"}},
	)
}

func (s messagesSpeaker) token(i int) []byte {
	return typed(messageEvent{Type: "content_block_delta", Index: new(int), Delta: textBlock{"text_delta", s.answer.tokens[i]}})[0]
}

func (s messagesSpeaker) closing() [][]byte {
	return typed(
		messageEvent{Type: "content_block_stop", Index: new(int)},
		messageEvent{Type: "message_delta", Delta: stopDelta{Reason: s.reason()}, Usage: s.spent()},
		messageEvent{Type: "message_stop"},
	)
}

func (s messagesSpeaker) whole() any {
	m, reason := s.message(), s.reason()
	m.Content, m.StopReason, m.Usage = []textBlock{{"text", s.answer.text()}}, &reason, s.spent()
	return m
}

func (s messagesSpeaker) message() *spokenMessage {
	return &spokenMessage{
		ID: s.id, Type: "message", Role: "assistant", Model: s.voice.model,
		Content: []textBlock{}, Usage: &messageUsage{Input: s.prompt},
	}
}

func (s messagesSpeaker) spent() *messageUsage { return &messageUsage{s.prompt, len(s.answer.tokens)} }

func (s messagesSpeaker) reason() string {
	if s.answer.finish == "length" {
		return "max_tokens"
	}
	return "end_turn"
}

func typed(events ...messageEvent) [][]byte {
	var out [][]byte
	for _, e := range events {
		out = append(out, named(e.Type, e))
	}
	return out
}
