package check

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"github.com/hal0-dev/hal0/sidecar/internal/config"
)

// Files reads files and returns what is wrong with them, by place. All files of one
// call are taken as one Traefik's; compose files of one directory, and of those
// below it, are merged as compose does, with the variables of environ. An error means that a file
// cannot be read, or is nothing that can be checked.
func Files(ctx context.Context, paths, environ []string) ([]Finding, error) {
	s, err := read(ctx, paths, environ)
	if err != nil {
		return nil, err
	}
	return s.findings(), nil
}

func read(ctx context.Context, paths, environ []string) (*setup, error) {
	s := &setup{}
	compose := map[string][]*document{} // by the directory of the first
	for _, path := range paths {
		d, err := s.open(path)
		switch {
		case err != nil:
			return nil, err
		case d == nil:
		case d.kind == composeFile:
			dir := projectOf(filepath.Dir(path), compose)
			compose[dir] = append(compose[dir], d)
		default:
			s.take(d, nil)
			s.load(d, nil)
		}
	}
	for _, dir := range sortedKeys(compose) {
		p, err := project(ctx, compose[dir], environ)
		if err != nil {
			s.found = append(s.found, composeError(compose[dir][len(compose[dir])-1], err))
			continue
		}
		for _, c := range containers(p, compose[dir]) {
			c.dir = dir
			s.containers = append(s.containers, c)
			s.takeLabels(c)
		}
	}
	for _, c := range s.containers {
		if c.isTraefik() {
			s.takeStatic(c)
		}
		s.takeSidecar(c)
	}
	for _, st := range s.statics {
		s.takeDynamic(st)
	}
	return s, nil
}

// projectOf is the directory of the project that has files in dir or above it,
// or dir itself for the first file of a project.
func projectOf(dir string, projects map[string][]*document) string {
	for _, above := range sortedKeys(projects) {
		if inner, err := filepath.Rel(above, dir); err == nil && filepath.IsLocal(inner) {
			return above
		}
	}
	return dir
}

// open reads a file once; a second time it returns nil.
func (s *setup) open(path string) (*document, error) {
	path = filepath.Clean(path)
	for _, d := range s.documents {
		if same(d.path, path) {
			return nil, nil
		}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read file: %w", err)
	}
	d, err := parse(path, text)
	if err != nil {
		return nil, err
	}
	s.documents = append(s.documents, d)
	return d, nil
}

func same(a, b string) bool {
	x, errX := filepath.Abs(a)
	y, errY := filepath.Abs(b)
	return errX == nil && errY == nil && x == y
}

// take adds a document that is not a compose file.
func (s *setup) take(d *document, c *container) {
	switch d.kind {
	case composeFile:
	case dynamicFile:
		s.sources = append(s.sources, &source{provider: byFile, root: d.root, document: d})
	case staticFile:
		s.statics = append(s.statics, &static{root: d.root, container: c})
		s.complete = true
	case sidecarFile:
		if s.engines == nil {
			s.engines = map[string]bool{}
		}
		for _, e := range d.root.child("engines").all() {
			s.engines[e.name] = true
		}
	}
}

// takeLabels adds the labels of a container that Traefik would read.
func (s *setup) takeLabels(c *container) {
	own := map[string]string{}
	for key, value := range c.labels {
		low := strings.ToLower(key)
		for _, prefix := range []string{"traefik.http", "traefik.tcp", "traefik.udp", "traefik.tls.stores.default"} {
			if strings.HasPrefix(low, prefix) {
				own[key] = value
			}
		}
	}
	root, err := labelTree(own, c.places)
	if err != nil {
		s.found = append(s.found, failure(c.at, "label", "Traefik ignores all labels of this service: %v", err))
		return
	}
	if root != nil {
		s.sources = append(s.sources, &source{provider: byLabels, container: c, root: root, labels: own})
	}
}

// takeStatic finds the static configuration of a Traefik container: its file
// wins over flags, and those over variables.
func (s *setup) takeStatic(c *container) {
	flags, err := flagTree(c.command, c.commands)
	if err != nil {
		s.found = append(s.found, failure(c.at, "flag", "%v", err))
		return
	}
	spell := len(flags.children)
	file, named := flags.child("configFile"), false
	candidates := []string{"/etc/traefik/traefik.toml", "/etc/traefik/traefik.yaml", "/etc/traefik/traefik.yml"}
	if file != nil {
		candidates, named = []string{file.text()}, true
		spell--
	}
	for _, target := range candidates {
		if !named && !c.mounted(target) {
			continue
		}
		d, readable := s.mounted(c, target)
		if d != nil {
			s.statics = append(s.statics, &static{root: d.root, container: c})
			s.complete = true
			if spell > 0 {
				s.found = append(s.found, failure(c.commands[0], "static-mixed",
					"Traefik reads %s and then ignores all flags but --configFile; move them into the file", d.path))
			}
			return
		}
		if named || readable {
			return // it has a file that cannot be seen from here
		}
	}
	if spell > 0 {
		s.statics = append(s.statics, &static{root: flags, container: c})
		s.complete = true
		return
	}
	variables, err := variableTree(c.env, c.envs)
	if err == nil && len(variables.children) > 0 {
		s.statics = append(s.statics, &static{root: variables, container: c})
		s.complete = true
	}
}

// takeDynamic follows a static configuration to the files of its file provider.
func (s *setup) takeDynamic(st *static) {
	file := st.root.child("providers", "file")
	if name := file.child("filename").text(); name != "" {
		s.follow(st.container, name)
	}
	dir := file.child("directory").text()
	if dir == "" {
		return
	}
	host := dir
	if st.container != nil {
		for _, target := range sortedKeys(st.container.contents) {
			if within(target, dir) {
				s.follow(st.container, target)
			}
		}
		if host = st.container.onHost(dir); host == "" {
			return
		}
	}
	entries, err := os.ReadDir(host)
	if err != nil {
		return
	}
	sort.Slice(entries, func(i, j int) bool { return entries[i].Name() < entries[j].Name() })
	for _, e := range entries {
		switch strings.ToLower(filepath.Ext(e.Name())) {
		case ".yml", ".yaml", ".toml":
			s.follow(st.container, dir+"/"+e.Name())
		}
	}
}

func (s *setup) follow(c *container, path string) {
	if d, _ := s.mounted(c, path); d != nil && d.kind == dynamicFile {
		s.take(d, c)
	}
}

// takeSidecar reads the sidecar's own file where a container mounts one.
func (s *setup) takeSidecar(c *container) {
	path := c.env["HAL0_CONFIG"]
	for i, arg := range c.command {
		if value, ok := strings.CutPrefix(arg, "--config="); ok {
			path = value
		} else if arg == "--config" && i+1 < len(c.command) {
			path = c.command[i+1]
		}
	}
	if path == "" {
		return
	}
	if d, _ := s.mounted(c, path); d != nil && d.kind == sidecarFile {
		s.take(d, c)
		s.load(d, c)
	}
}

// load reads a sidecar's file as the sidecar does, with the variables of its
// container.
func (s *setup) load(d *document, in *container) {
	if d.kind != sidecarFile {
		return
	}
	for _, known := range s.sidecars {
		if known.document == d {
			return
		}
	}
	var environ []string
	if in != nil {
		for _, name := range sortedKeys(in.env) {
			environ = append(environ, name+"="+in.env[name])
		}
	}
	c := config.Default()
	err := config.Load(c, []string{"--config=" + d.path}, environ)
	s.sidecars = append(s.sidecars, &sidecar{document: d, config: c, err: err})
}
