package relay

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/hal0-dev/hal0/plugin/wire"
)

// prepare makes the body that the engine is sent: the model's name becomes the
// one that the engine knows, and the model's parameters are applied: strip,
// then default, then set. Everything else keeps its bytes and its order.
func prepare(o object, model string, params wire.Params) ([]byte, error) {
	set, err := parseParams(params.Set)
	if err != nil {
		return nil, fmt.Errorf("apply params.set: %w", err)
	}
	fill, err := parseParams(params.Default)
	if err != nil {
		return nil, fmt.Errorf("apply params.default: %w", err)
	}
	e := edit{object: o, replace: map[string][]byte{}, strip: params.Strip}
	for _, m := range fill.members {
		if !o.has(m.name) || slices.Contains(params.Strip, m.name) {
			e.replace[m.name] = fill.text[m.value:m.end]
		}
	}
	for _, m := range set.members {
		e.replace[m.name] = set.text[m.value:m.end]
	}
	name, err := json.Marshal(model)
	if err != nil {
		return nil, fmt.Errorf("write the model's name: %w", err)
	}
	e.replace["model"] = name
	return e.apply(), nil
}

func parseParams(text string) (object, error) {
	if text == "" {
		return object{}, nil
	}
	return parseObject([]byte(text))
}

// edit is a change of an object's members.
type edit struct {
	object
	replace map[string][]byte // values by name; what is not there is added
	strip   []string
}

// apply returns the changed text. Where members only change their value, not
// even white space is touched.
func (e edit) apply() []byte {
	e.text = slices.Clip(e.text)
	out := make([]byte, 0, len(e.text)+256)
	from, seen := 0, map[string]bool{}
	for i, m := range e.members {
		value, ok := e.replace[m.name]
		switch {
		case ok:
			seen[m.name] = true
			out = append(out, e.text[from:m.value]...)
			out = append(out, value...)
			from = m.end
		case slices.Contains(e.strip, m.name):
			start, end := m.start, m.end
			if i+1 < len(e.members) { // with the comma behind it
				end = e.members[i+1].start
			}
			out = append(out, e.text[from:start]...)
			from = end
		}
	}
	closing := len(e.text) - 1
	for e.text[closing] != '}' {
		closing--
	}
	out = append(out, e.text[from:closing]...)
	out = trimComma(out)
	for _, name := range sortedKeys(e.replace) {
		if !seen[name] {
			out = appendMember(out, name, e.replace[name])
		}
	}
	return append(out, e.text[closing:]...)
}

// trimComma drops a comma that the last member's removal has left.
func trimComma(out []byte) []byte {
	end := len(out)
	for end > 0 && space(out[end-1:end], 0) == 1 {
		end--
	}
	if end > 0 && out[end-1] == ',' {
		return append(out[:end-1], out[end:]...)
	}
	return out
}

// appendMember adds a member to an object that is still open.
func appendMember(out []byte, name string, value []byte) []byte {
	end := len(out)
	for space(out[end-1:end], 0) == 1 {
		end--
	}
	if out[end-1] != '{' {
		out = append(out, ',')
	}
	quoted, err := json.Marshal(name)
	if err != nil { // strings always marshal
		panic(err)
	}
	out = append(out, quoted...)
	out = append(out, ':')
	return append(out, value...)
}

func sortedKeys(m map[string][]byte) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
