package demo

import "time"

// kind is the endpoint that a job serves.
type kind uint8

const (
	chat kind = iota + 1
	completion
	responses
	messages
)

// envelope is OpenAI's answer, whole or a chunk of it.
type envelope struct {
	ID          string   `json:"id"`
	Object      string   `json:"object"`
	Created     int64    `json:"created"`
	Model       string   `json:"model"`
	Fingerprint string   `json:"system_fingerprint"`
	Choices     []choice `json:"choices"`
	Usage       *usage   `json:"usage,omitempty"`
}

type choice struct {
	Index        int       `json:"index"`
	Delta        *delta    `json:"delta,omitempty"`
	Message      *spoken   `json:"message,omitempty"`
	Text         *string   `json:"text,omitempty"`
	Logprobs     *struct{} `json:"logprobs"`
	FinishReason *string   `json:"finish_reason"`
}

type delta struct {
	Role      string     `json:"role,omitempty"`
	Content   *string    `json:"content,omitempty"`
	ToolCalls []toolCall `json:"tool_calls,omitempty"`
}

type spoken struct {
	Role      string     `json:"role"`
	Content   *string    `json:"content"`
	ToolCalls []toolCall `json:"tool_calls,omitempty"`
}

type usage struct {
	Prompt     int `json:"prompt_tokens"`
	Completion int `json:"completion_tokens"`
	Total      int `json:"total_tokens"`
}

func newUsage(prompt, completion int) *usage {
	return &usage{prompt, completion, prompt + completion}
}

// voice makes the envelopes of one answer.
type voice struct {
	kind    kind
	id      string
	model   string
	created int64
}

func newVoice(k kind, model string) voice {
	v := voice{kind: k, model: model, created: time.Now().Unix(), id: newID("chatcmpl-")}
	if k == completion {
		v.id = newID("cmpl-")
	}
	return v
}

func (v voice) envelope(object string, u *usage, choices ...choice) envelope {
	if choices == nil {
		choices = []choice{}
	}
	return envelope{v.id, object, v.created, v.model, "hal0-demo", choices, u}
}

// chunk is one event of a stream.
func (v voice) chunk(u *usage, choices ...choice) envelope {
	if v.kind == completion {
		return v.envelope("text_completion", u, choices...)
	}
	return v.envelope("chat.completion.chunk", u, choices...)
}

// token is the chunk with one token; finish ends the stream.
func (v voice) token(text string) envelope {
	if v.kind == completion {
		return v.chunk(nil, choice{Text: &text})
	}
	return v.chunk(nil, choice{Delta: &delta{Content: &text}})
}

func (v voice) role() envelope {
	empty := ""
	return v.chunk(nil, choice{Delta: &delta{Role: "assistant", Content: &empty}})
}

func (v voice) finish(reason string) envelope {
	if v.kind == completion {
		empty := ""
		return v.chunk(nil, choice{Text: &empty, FinishReason: &reason})
	}
	return v.chunk(nil, choice{Delta: &delta{}, FinishReason: &reason})
}

// whole is the answer in one piece.
func (v voice) whole(text string, calls []toolCall, reason string, u *usage) envelope {
	if v.kind == completion {
		return v.envelope("text_completion", u, choice{Text: &text, FinishReason: &reason})
	}
	said := &spoken{Role: "assistant", Content: &text, ToolCalls: calls}
	if calls != nil {
		said.Content = nil
	}
	return v.envelope("chat.completion", u, choice{Message: said, FinishReason: &reason})
}
