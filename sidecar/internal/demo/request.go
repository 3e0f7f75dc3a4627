package demo

import (
	"encoding/json"
	"errors"
	"strings"
)

// request is what chat/completions and completions take, as far as a script
// needs it.
type request struct {
	Model         string          `json:"model"`
	Messages      []message       `json:"messages"`
	Prompt        json.RawMessage `json:"prompt"`
	Stream        bool            `json:"stream"`
	MaxTokens     *int            `json:"max_tokens"`
	MaxCompletion *int            `json:"max_completion_tokens"`
	Stop          json.RawMessage `json:"stop"`
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
	if k == completion {
		text, err = r.completionPrompt()
		return text, countTokens(text), err
	}
	if len(r.Messages) == 0 {
		return "", 0, errors.New("'messages' is required")
	}
	for _, m := range r.Messages {
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

// limit is the most tokens that the client wants, 0 = all.
func (r request) limit() int {
	for _, n := range []*int{r.MaxCompletion, r.MaxTokens} {
		if n != nil && *n > 0 {
			return *n
		}
	}
	return 0
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
