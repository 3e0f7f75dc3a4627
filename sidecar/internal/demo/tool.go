package demo

import (
	"encoding/json"
	"slices"
	"strings"
)

// tool is a function that the client offers.
type tool struct {
	Function struct {
		Name       string          `json:"name"`
		Parameters json.RawMessage `json:"parameters"`
	} `json:"function"`
}

// toolCall is a call of one, whole or a piece of it.
type toolCall struct {
	Index    int          `json:"index"`
	ID       string       `json:"id,omitempty"`
	Type     string       `json:"type,omitempty"`
	Function toolFunction `json:"function"`
}

type toolFunction struct {
	Name      string `json:"name,omitempty"`
	Arguments string `json:"arguments"`
}

// demanded is the tool that the client insists on: by name, or the first one
// where any will do. A script calls no tool of its own accord.
func (r request) demanded() (tool, bool) {
	var named struct {
		Function struct {
			Name string `json:"name"`
		} `json:"function"`
	}
	if len(r.Tools) == 0 || len(r.ToolChoice) == 0 {
		return tool{}, false
	}
	if string(r.ToolChoice) == `"required"` {
		return r.Tools[0], true
	}
	if json.Unmarshal(r.ToolChoice, &named) != nil || named.Function.Name == "" {
		return tool{}, false
	}
	i := slices.IndexFunc(r.Tools, func(t tool) bool { return t.Function.Name == named.Function.Name })
	if i < 0 {
		return tool{}, false
	}
	return r.Tools[i], true
}

// arguments fills the tool's parameters in by their type.
func (t tool) arguments() string {
	var schema struct {
		Properties map[string]struct {
			Type string            `json:"type"`
			Enum []json.RawMessage `json:"enum"`
		} `json:"properties"`
	}
	_ = json.Unmarshal(t.Function.Parameters, &schema) // none, or of an unknown form: no arguments
	args := map[string]any{}
	for name, p := range schema.Properties {
		switch {
		case len(p.Enum) > 0:
			args[name] = p.Enum[0]
		case p.Type == "integer", p.Type == "number":
			args[name] = 1
		case p.Type == "boolean":
			args[name] = true
		case p.Type == "array":
			args[name] = []any{}
		case p.Type == "object":
			args[name] = map[string]any{}
		default:
			args[name] = "demo"
		}
	}
	return string(marshal(args))
}

// call is the answer that calls the tool: one piece per token.
func (t tool) call() (tokens []string, whole toolCall) {
	args := t.arguments()
	tokens = strings.SplitAfter(args, ",")
	return tokens, toolCall{ID: newID("call_"), Type: "function", Function: toolFunction{t.Function.Name, args}}
}
