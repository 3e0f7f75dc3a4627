package watch

import (
	"os"
	"path/filepath"
	"strings"
)

// maxLinks is how many links may lead to a file, as in Linux.
const maxLinks = 40

// trail is the links that lead to the file of an absolute path, and at its end
// the file: each as a path without links before its last element. What is not
// there ends a trail as well as what is.
func trail(path string) []string {
	root := filepath.VolumeName(path) + string(filepath.Separator)
	at, rest := root, elements(path)
	var out []string
	for links := 0; len(rest) > 0; {
		entry := filepath.Join(at, rest[0])
		rest = rest[1:]
		target, err := os.Readlink(entry)
		if err != nil || links == maxLinks {
			at = entry
			continue
		}
		links++
		out = append(out, entry)
		if filepath.IsAbs(target) {
			at = root
		}
		rest = append(elements(target), rest...)
	}
	return append(out, at)
}

// elements are the names in a path.
func elements(path string) []string {
	path = strings.TrimPrefix(path, filepath.VolumeName(path))
	return strings.FieldsFunc(path, func(r rune) bool { return r == '/' || r == filepath.Separator })
}
