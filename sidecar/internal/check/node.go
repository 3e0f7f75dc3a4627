package check

import (
	"fmt"
	"sort"
	"strings"

	"github.com/traefik/paerser/parser"
)

// node is one key of a configuration: a scalar, a map or a list. Names are
// looked up without regard to case, as Traefik does. A nil node is an absent
// one; its methods work.
type node struct {
	name     string
	value    string  // of a scalar
	scalar   bool    // false with no children: an empty map, or null
	children []*node // of a map, by name
	items    []*node // of a list
	raw      any     // as decoded from a file; nil where it came from labels or flags
	at       Place
}

// lines finds the line of a path of keys; 0 = not known.
type lines func(path []string) int

// tree makes a node of what a YAML or TOML decoder returned.
func tree(file string, v any, find lines) *node {
	return grow(file, nil, v, find)
}

func grow(file string, path []string, v any, find lines) *node {
	n := &node{raw: v, at: Place{File: file, Line: find(path), Key: dotted(path)}}
	if len(path) > 0 {
		n.name = path[len(path)-1]
	}
	switch v := v.(type) {
	case nil:
	case map[string]any:
		for _, key := range sortedKeys(v) {
			n.children = append(n.children, grow(file, extend(path, key), v[key], find))
		}
	case []any:
		for i, item := range v {
			n.items = append(n.items, grow(file, extend(path, fmt.Sprintf("[%d]", i)), item, find))
		}
	case []map[string]any: // TOML's arrays of tables
		for i, item := range v {
			n.items = append(n.items, grow(file, extend(path, fmt.Sprintf("[%d]", i)), item, find))
		}
	default:
		n.scalar, n.value = true, fmt.Sprint(v)
	}
	return n
}

// labelTree makes a node of labels or flags, as Traefik splits their keys. Places are
// those of the labels, by lower-case key; a map's is that of its first label.
func labelTree(labels map[string]string, places map[string]Place) (*node, error) {
	root, err := parser.DecodeToNode(labels, parser.DefaultRootName)
	if err != nil || root == nil {
		return nil, err
	}
	return convert(root, nil, places), nil
}

func convert(p *parser.Node, path []string, places map[string]Place) *node {
	path = extend(path, p.Name)
	n := &node{name: p.Name, value: p.Value, scalar: len(p.Children) == 0}
	key := dotted(path)
	for _, c := range p.Children {
		child := convert(c, path, places)
		if strings.HasPrefix(c.Name, "[") {
			n.items = append(n.items, child)
		} else {
			n.children = append(n.children, child)
		}
		if n.at.Line == 0 || child.at.Line != 0 && child.at.Line < n.at.Line {
			n.at = child.at
		}
	}
	if at, ok := places[strings.ToLower(key)]; ok {
		n.at = at
	}
	n.at.Key = key
	return n
}

// dotted is a path as people write it, "http.services.hal0.servers[0]".
func dotted(path []string) string {
	return strings.ReplaceAll(strings.Join(path, "."), ".[", "[")
}

// child walks down by names.
func (n *node) child(names ...string) *node {
	for _, name := range names {
		if n == nil {
			return nil
		}
		n = n.pick(name)
	}
	return n
}

func (n *node) pick(name string) *node {
	for _, c := range n.children {
		if strings.EqualFold(c.name, name) {
			return c
		}
	}
	return nil
}

// text is a scalar's value, "" for all else.
func (n *node) text() string {
	if n == nil {
		return ""
	}
	return strings.TrimSpace(n.value)
}

// all is the children, none of a nil node.
func (n *node) all() []*node {
	if n == nil {
		return nil
	}
	return n.children
}

// list is a list's items; a text is split at its commas, as Traefik does.
func (n *node) list() []string {
	if n == nil {
		return nil
	}
	var out []string
	for _, item := range n.items {
		out = append(out, item.text())
	}
	if n.scalar && len(n.items) == 0 {
		for _, part := range strings.Split(n.value, ",") {
			if part = strings.TrimSpace(part); part != "" {
				out = append(out, part)
			}
		}
	}
	return out
}

// on says whether a boolean is true, or a section that may be empty is there.
func (n *node) on() bool {
	return n != nil && !strings.EqualFold(n.text(), "false")
}

// deepest follows a dotted path as far as it goes. Names that hold dots
// themselves are found too.
func (n *node) deepest(path string) *node {
	for _, c := range n.all() {
		if strings.EqualFold(c.name, path) {
			return c
		}
		if len(path) > len(c.name) && path[len(c.name)] == '.' && strings.EqualFold(path[:len(c.name)], c.name) {
			return c.deepest(path[len(c.name)+1:])
		}
	}
	return n
}

// walk visits the node and all below it.
func (n *node) walk(visit func(*node)) {
	if n == nil {
		return
	}
	visit(n)
	for _, c := range n.children {
		c.walk(visit)
	}
	for _, c := range n.items {
		c.walk(visit)
	}
}

// named is the first node of that name, or the node itself.
func (n *node) named(name string) *node {
	found := n
	n.walk(func(c *node) {
		if found == n && c.name == name {
			found = c
		}
	})
	return found
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

// extend appends to a copy.
func extend(path []string, name string) []string {
	return append(append(make([]string, 0, len(path)+1), path...), name)
}
