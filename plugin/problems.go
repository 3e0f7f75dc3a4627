//go:build go1.21

package plugin

import (
	"errors"
	"fmt"
	"sort"
	"strings"
)

// problems collects everything that is wrong with a configuration, so that one
// message names it all.
type problems struct {
	list []string
}

// add notes what is wrong with the value of a key.
func (p *problems) add(key, what string) {
	p.list = append(p.list, key+": "+what)
}

// err is nil, or the one message.
func (p *problems) err(name string) error {
	switch len(p.list) {
	case 0:
		return nil
	case 1:
		return errors.New("configure " + name + ": " + p.list[0])
	}
	return fmt.Errorf("configure %s: %d problems: %s", name, len(p.list), strings.Join(p.list, "; "))
}

// unknown notes every key that nobody knows, with the nearest right one. A dot
// in a slot's name arrives as such a key, because a dot splits a label.
func (p *problems) unknown(path string, rest map[string]interface{}, known []string) {
	names := make([]string, 0, len(rest))
	for name := range rest {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		what := "unknown key"
		if near := nearest(name, known); near != "" {
			what += ", did you mean " + near + "?"
		} else if _, split := rest[name].(map[string]interface{}); split && strings.Count(path, ".") == 1 {
			what += " (a slot's name cannot hold a dot; give the dotted name as an alias)"
		}
		p.add(join(path, name), what)
	}
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// nearest returns the known name that is closest to name, "" = none is close.
func nearest(name string, known []string) string {
	low := strings.ToLower(strings.NewReplacer("_", "", "-", "").Replace(name))
	best := ""
	distance := len(low)/3 + 2
	for _, k := range known {
		d := edits(low, strings.ToLower(k))
		if len(low) > 2 && strings.HasPrefix(strings.ToLower(k), low) {
			d = 1
		}
		if d < distance {
			best, distance = k, d
		}
	}
	return best
}

// edits is the Levenshtein distance of two short names.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		left := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := left
			if a[i-1] != b[j-1] {
				cost++
			}
			left = row[j]
			if row[j]+1 < cost {
				cost = row[j] + 1
			}
			if row[j-1]+1 < cost {
				cost = row[j-1] + 1
			}
			row[j] = cost
		}
	}
	return row[len(b)]
}
