package demo

import (
	"encoding/json"
	"errors"
	"strings"
)

// request is what the endpoints that speak take, as far as a script needs it.
type request struct {
	Model         string          `json:"model"`
	Messages      []message       `json:"messages"`
	Prompt        json.RawMessage `json:"prompt"`
	Input         json.RawMessage `json:"input"`
	Stream        bool            `json:"stream"`
	MaxTokens     *int            `json:"max_tokens"`
	MaxCompletion *int            `json:"max_completion_tokens"`
	MaxOutput     *int            `json:"max_output_tokens"`
	Stop          json.RawMessage `json:"stop"`
	StopSequences json.RawMessage `json:"stop_sequences"`
	StreamOptions struct {
		IncludeUsage bool `json:"include_usage"`
	} `json:"stream_options"`
	Tools      []tool          `json:"tools"`
	ToolChoice json.RawMessage `json:"tool_choice"`
	Knobs      json.RawMessage `json:"hal0_demo"`
}

type message struct {
	Role    string          `json:"role"`
	Content json.RawMessage `json:"content"`
}

// text is the message's content: a string, or the text parts of a list.
func (m message) text() string {
	var s string
	if json.Unmarshal(m.Content, &s) == nil {
		return s
	}
	var parts []struct {
		Text string `json:"text"`
	}
	if json.Unmarshal(m.Content, &parts) != nil {
		return ""
	}
	for _, p := range parts {
		s += p.Text
	}
	return s
}

// prompt is what the client wants answered, and how many tokens it is taken for.
func (r request) prompt(k kind) (text string, tokens int, err error) {
	said := r.Messages
	switch k {
	case completion:
		text, err = r.completionPrompt()
		return text, countTokens(text), err
	case responses:
		if said, err = r.inputMessages(); err != nil {
			return "", 0, err
		}
	case chat, messages:
		if len(said) == 0 {
			return "", 0, errors.New("'messages' is required")
		}
	}
	for _, m := range said {
		if m.Role == "" {
			return "", 0, errors.New("a message has no 'role'")
		}
		tokens += countTokens(m.text()) + 2 // the role and the end
		if m.Role == "user" {
			text = m.text()
		}
	}
	return text, tokens, nil
}

func (r request) completionPrompt() (string, error) {
	list, err := stringOrList(r.Prompt)
	if err != nil || len(list) != 1 {
		return "", errors.New("'prompt' must be one string")
	}
	return list[0], nil
}

// inputMessages reads the input of /v1/responses: a text, or a list of messages.
func (r request) inputMessages() ([]message, error) {
	var text string
	if json.Unmarshal(r.Input, &text) == nil {
		return []message{{"user", r.Input}}, nil
	}
	var list []message
	if json.Unmarshal(r.Input, &list) != nil || len(list) == 0 {
		return nil, errors.New("'input' must be a string or a list of messages")
	}
	return list, nil
}

// limit is the most tokens that the client wants, 0 = all.
func (r request) limit() int {
	for _, n := range []*int{r.MaxCompletion, r.MaxOutput, r.MaxTokens} {
		if n != nil && *n > 0 {
			return *n
		}
	}
	return 0
}

// stops are the texts before which the answer ends.
func (r request) stops() ([]string, error) {
	if len(r.StopSequences) > 0 { // as Anthropic calls them
		return stringOrList(r.StopSequences)
	}
	return stringOrList(r.Stop)
}

// stringOrList reads what OpenAI takes both ways; nothing is an empty list.
func stringOrList(raw json.RawMessage) ([]string, error) {
	if len(raw) == 0 || string(raw) == "null" {
		return nil, nil
	}
	var one string
	if json.Unmarshal(raw, &one) == nil {
		return []string{one}, nil
	}
	var many []string
	err := json.Unmarshal(raw, &many)
	return many, err
}

// countTokens takes each word for a token.
func countTokens(s string) int { return len(strings.Fields(s)) }
