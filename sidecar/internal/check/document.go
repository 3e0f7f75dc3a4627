package check

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/BurntSushi/toml"
	"github.com/pelletier/go-toml/v2/unstable"
	"gopkg.in/yaml.v3"
)

// kind is what a file is. The zero value is invalid.
type kind uint8

const (
	composeFile kind = iota + 1
	dynamicFile      // Traefik: routers, middlewares, services
	staticFile       // Traefik: entry points, providers
	sidecarFile      // hal0.yml
)

// document is a file that was read.
type document struct {
	path string
	kind kind
	root *node
	text []byte
}

// errTemplate: what Traefik makes of {{ }} depends on where it runs.
var errTemplate = errors.New("it is a template ({{ }}), which cannot be checked")

// parse reads a file's content and decides what it is.
func parse(path string, text []byte) (*document, error) {
	var v any
	var find lines
	var err error
	switch strings.ToLower(filepath.Ext(path)) {
	case ".yml", ".yaml", ".json":
		v, find, err = parseYAML(text)
	case ".toml":
		v, find, err = parseTOML(text)
	default:
		return nil, fmt.Errorf("read %s: not a .yml, .yaml, .json or .toml file", path)
	}
	if err != nil {
		if bytes.Contains(text, []byte("{{")) {
			err = fmt.Errorf("%w: %w", errTemplate, err)
		}
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	d := &document{path: path, text: text, root: tree(path, v, find)}
	if d.kind = kindOf(d.root); d.kind == 0 {
		return nil, fmt.Errorf("read %s: neither a compose file, nor Traefik's dynamic or static configuration, nor a sidecar's file", path)
	}
	if d.kind == dynamicFile && bytes.Contains(text, []byte("{{")) {
		return nil, fmt.Errorf("read %s: %w", path, errTemplate)
	}
	return d, nil
}

// kindOf decides by the keys at the top.
func kindOf(root *node) kind {
	for _, k := range []struct {
		kind kind
		keys []string
	}{
		{composeFile, []string{"services"}},
		{dynamicFile, []string{"http", "tcp", "udp"}},
		{staticFile, []string{"entryPoints", "providers", "experimental", "certificatesResolvers", "api", "serversTransport", "ping", "global", "accessLog"}},
		{sidecarFile, []string{"listen", "token", "state", "models", "devices", "reserve", "disk", "engines", "allow", "route", "limits", "llamaServer"}},
		{composeFile, []string{"include"}},
		{dynamicFile, []string{"tls"}},
		{staticFile, []string{"log", "metrics", "tracing"}},
	} {
		for _, key := range k.keys {
			if root.pick(key) != nil {
				return k.kind
			}
		}
	}
	return 0
}

func parseYAML(text []byte) (any, lines, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return nil, nil, err
	}
	if len(doc.Content) == 0 {
		return nil, nil, errors.New("it is empty")
	}
	v := map[string]any{}
	if err := doc.Decode(&v); err != nil {
		return nil, nil, err
	}
	return v, func(path []string) int { return yamlLine(doc.Content[0], path) }, nil
}

// yamlLine finds the line of a key, through aliases and merged maps. Where the path
// ends early, as in what a merge of several files added, it is 0.
func yamlLine(n *yaml.Node, path []string) int {
	line := n.Line
	for _, name := range path {
		for n.Kind == yaml.AliasNode {
			n = n.Alias
		}
		key, value := yamlChild(n, name)
		if value == nil {
			return 0
		}
		line, n = key.Line, value
	}
	return line
}

func yamlChild(n *yaml.Node, name string) (key, value *yaml.Node) {
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == name {
				return n.Content[i], n.Content[i+1]
			}
		}
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Tag != "!!merge" {
				continue
			}
			merged := []*yaml.Node{n.Content[i+1]}
			if n.Content[i+1].Kind == yaml.SequenceNode {
				merged = n.Content[i+1].Content
			}
			for _, m := range merged {
				for m.Kind == yaml.AliasNode {
					m = m.Alias
				}
				if key, value = yamlChild(m, name); value != nil {
					return key, value
				}
			}
		}
	case yaml.SequenceNode:
		if i, err := strconv.Atoi(strings.Trim(name, "[]")); err == nil && i >= 0 && i < len(n.Content) {
			return n.Content[i], n.Content[i]
		}
	}
	return nil, nil
}

// parseTOML decodes with the library that Traefik uses; that one keeps no
// positions, so they come from another one's parser.
func parseTOML(text []byte) (any, lines, error) {
	v := map[string]any{}
	if err := toml.Unmarshal(text, &v); err != nil {
		return nil, nil, err
	}
	at := tomlLines(text)
	return v, func(path []string) int { return at[strings.Join(path, "\x00")] }, nil
}

func tomlLines(text []byte) map[string]int {
	at := map[string]int{}
	arrays := map[string]int{} // path of an array of tables ─► how many so far
	var p unstable.Parser
	p.Reset(text)
	var table []string
	for p.NextExpression() {
		e := p.Expression()
		var base []string
		if e.Kind == unstable.KeyValue {
			base = table
		}
		path := base
		line := 0
		for it := e.Key(); it.Next(); {
			path = extend(path, string(it.Node().Data))
			if it.IsLast() && e.Kind == unstable.ArrayTable {
				break
			}
			if n, ok := arrays[strings.Join(path, "\x00")]; ok && e.Kind != unstable.KeyValue {
				path = extend(path, fmt.Sprintf("[%d]", n-1))
			}
			line = p.Shape(it.Node().Raw).Start.Line
			note(at, path, line)
		}
		switch e.Kind {
		case unstable.Table:
			table = path
		case unstable.ArrayTable:
			key := strings.Join(path, "\x00")
			arrays[key]++
			table = extend(path, fmt.Sprintf("[%d]", arrays[key]-1))
			note(at, path, line)
			note(at, table, line)
		}
	}
	return at
}

// note keeps the first line of a path.
func note(at map[string]int, path []string, line int) {
	key := strings.Join(path, "\x00")
	if _, known := at[key]; !known && line > 0 {
		at[key] = line
	}
}
