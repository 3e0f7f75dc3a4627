package check

import (
	"fmt"
	"strings"
)

// flagTree makes a node of Traefik's command line. A flag stands alone, or has
// its value behind a "=" or in the next argument. A list may be repeated.
func flagTree(args []string, places []Place) (*node, error) {
	values, at := map[string]string{}, map[string]Place{}
	names := map[string]string{} // lower-case ─► as first written
	for i := 0; i < len(args); i++ {
		place := places[i]
		name, value, has := strings.Cut(strings.TrimLeft(args[i], "-"), "=")
		if !strings.HasPrefix(args[i], "-") || name == "" {
			continue
		}
		if !has {
			value = "true"
			if i+1 < len(args) && !strings.HasPrefix(args[i+1], "-") {
				i++
				value = args[i]
			}
		}
		low := strings.ToLower("traefik." + name)
		key, known := names[low]
		if !known {
			key = "traefik." + name
			names[low] = key
		}
		if known {
			value = values[key] + "," + value
		} else {
			at[low] = place
		}
		values[key] = value
	}
	if len(values) == 0 {
		return &node{}, nil
	}
	root, err := labelTree(values, at)
	if err != nil {
		return nil, fmt.Errorf("read flags: %w", err)
	}
	spell(root, "--")
	return root, nil
}

// variableTree makes a node of TRAEFIK_ variables.
func variableTree(env map[string]string, places map[string]Place) (*node, error) {
	values, at := map[string]string{}, map[string]Place{}
	for _, name := range sortedKeys(env) {
		if rest, ok := strings.CutPrefix(name, "TRAEFIK_"); ok && rest != "" {
			key := "traefik." + strings.ToLower(strings.ReplaceAll(rest, "_", "."))
			values[key], at[key] = env[name], places[name]
		}
	}
	if len(values) == 0 {
		return &node{}, nil
	}
	root, err := labelTree(values, at)
	if err != nil {
		return nil, fmt.Errorf("read variables: %w", err)
	}
	spell(root, "")
	return root, nil
}

// spell gives the nodes the keys that people wrote, without the root's name.
func spell(root *node, prefix string) {
	root.walk(func(n *node) {
		n.at.Key = prefix + strings.TrimPrefix(strings.TrimPrefix(n.at.Key, "traefik"), ".")
	})
}
