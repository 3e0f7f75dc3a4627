package check

import (
	"errors"
	"os"
	"path/filepath"
)

// mounted reads a file by its path in a container (or on this host, where there is
// no container). Without a document, readable says whether something is there that
// cannot be understood from here.
func (s *setup) mounted(c *container, path string) (d *document, there bool) {
	host := path
	if c != nil {
		if text, ok := c.contents[path]; ok {
			return s.inline(c, path, text)
		}
		if host = c.onHost(path); host == "" {
			return nil, c.mounted(path)
		}
		host = c.shown(host)
	}
	for _, known := range s.documents {
		if same(known.path, host) {
			return known, true
		}
	}
	if info, err := os.Stat(host); err != nil || !info.Mode().IsRegular() {
		return nil, c == nil || c.volumes[path] != ""
	}
	d, err := s.open(host)
	if err != nil {
		s.found = append(s.found, unreadable(Place{File: host}, err))
		return nil, true
	}
	return d, true
}

func unreadable(at Place, err error) Finding {
	if errors.Is(err, errTemplate) {
		return warning(at, "mounted-file", "%v", err)
	}
	return failure(at, "mounted-file", "%v", err)
}

// inline reads the content that the compose file itself holds.
func (s *setup) inline(c *container, path, text string) (d *document, there bool) {
	d, err := parse(path, []byte(text))
	if err != nil {
		s.found = append(s.found, unreadable(c.at, err))
		return nil, true
	}
	d.path = c.at.File
	d.root.walk(func(n *node) { n.at.File, n.at.Line = c.at.File, 0 })
	return d, true
}

// shown makes a path relative to the compose file's directory, as people wrote
// it.
func (c *container) shown(host string) string {
	abs, err := filepath.Abs(c.dir)
	if err != nil {
		return host
	}
	rel, err := filepath.Rel(abs, host)
	if err != nil {
		return host
	}
	return filepath.Join(c.dir, rel)
}
