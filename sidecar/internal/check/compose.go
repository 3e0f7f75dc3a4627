package check

import (
	"context"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
)

// stopPeriod is Docker's where compose says nothing.
const stopPeriod = 10 * time.Second

// project is what compose makes of the files of one project: overrides, variables
// and profiles are applied as by `docker compose -f a -f b --profile '*'`.
func project(ctx context.Context, documents []*document, environ []string) (*types.Project, error) {
	paths := make([]string, len(documents))
	for i, d := range documents {
		paths[i] = d.path
	}
	options, err := cli.NewProjectOptions(paths,
		cli.WithEnv(environ), cli.WithEnvFiles(), cli.WithDotEnv,
		cli.WithProfiles([]string{"*"}), cli.WithResolvedPaths(true), cli.WithName("check"),
		cli.WithLoadOptions(func(o *loader.Options) { o.SkipResolveEnvironment = true }))
	if err != nil {
		return nil, err
	}
	return options.LoadProject(ctx)
}

// containers turns services into what the rules look at.
func containers(p *types.Project, documents []*document) []*container {
	var out []*container
	for _, name := range sortedKeys(p.Services) {
		service := p.Services[name]
		c := &container{
			name: name, image: service.Image, command: service.Command, stop: stopPeriod,
			labels: map[string]string{}, env: map[string]string{}, volumes: map[string]string{}, contents: map[string]string{},
			places: map[string]Place{}, envs: map[string]Place{}, mounts: map[string]Place{},
			hosts: hostNames(name, service),
		}
		for key, value := range service.Labels {
			c.labels[key] = value
		}
		if service.Deploy != nil { // where Traefik's Swarm provider looks
			for key, value := range service.Deploy.Labels {
				c.labels[key] = value
			}
		}
		for key, value := range service.Environment {
			if value != nil {
				c.env[key] = *value
			}
		}
		for _, v := range service.Volumes {
			c.volumes[v.Target] = ""
			if v.Type == types.VolumeTypeBind {
				c.volumes[v.Target] = v.Source
			}
		}
		c.configs(p, service)
		if d := service.StopGracePeriod; d != nil {
			c.stop = time.Duration(*d)
		}
		c.locate(documents, service)
		out = append(out, c)
	}
	return out
}

func hostNames(name string, s types.ServiceConfig) []string {
	hosts := []string{name}
	for _, h := range []string{s.ContainerName, s.Hostname} {
		if h != "" {
			hosts = append(hosts, h)
		}
	}
	for _, network := range s.Networks {
		if network != nil {
			hosts = append(hosts, network.Aliases...)
		}
	}
	return hosts
}

// configs adds what compose mounts from its configs and secrets.
func (c *container) configs(p *types.Project, s types.ServiceConfig) {
	for _, ref := range s.Configs {
		target := ref.Target
		if target == "" {
			target = "/" + ref.Source
		}
		config := p.Configs[ref.Source]
		c.volumes[target] = config.File
		if config.Content != "" {
			c.contents[target] = config.Content
		}
	}
	for _, ref := range s.Secrets {
		target := ref.Target
		if !strings.HasPrefix(target, "/") {
			if target == "" {
				target = ref.Source
			}
			target = "/run/secrets/" + target
		}
		c.volumes[target] = ""
	}
}

// locate finds the places of what the rules may complain about. Of several
// files the last one that says it counts.
func (c *container) locate(documents []*document, s types.ServiceConfig) {
	c.at = Place{File: documents[0].path, Key: "services." + c.name}
	c.commands = make([]Place, len(c.command))
	for i := range c.commands {
		c.commands[i] = Place{File: c.at.File}
	}
	for _, d := range documents {
		n := d.root.child("services", c.name)
		if n == nil {
			continue
		}
		c.at = n.at
		if image := n.child("image"); image != nil {
			c.imageAt = image.at
		}
		for _, labels := range []*node{n.child("labels"), n.child("deploy", "labels")} {
			pairs(labels, func(key string, at Place) { at.Key = key; c.places[strings.ToLower(key)] = at })
		}
		pairs(n.child("environment"), func(key string, at Place) { at.Key = key; c.envs[key] = at })
		if command := n.child("command"); command != nil {
			for i := range c.commands {
				c.commands[i] = command.at
				if i < len(command.items) {
					c.commands[i] = command.items[i].at
				}
			}
		}
		for _, v := range n.child("volumes").listed() {
			for _, m := range s.Volumes {
				if t := v.child("target").text(); t == m.Target || strings.Contains(":"+v.text()+":", ":"+m.Target+":") {
					c.mounts[m.Target] = v.at
				}
			}
		}
	}
	for key := range c.labels {
		if _, known := c.places[strings.ToLower(key)]; !known {
			c.places[strings.ToLower(key)] = Place{File: c.at.File, Line: c.at.Line, Key: key}
		}
	}
}

// pairs visits a section that is a map, or a list of key=value.
func pairs(n *node, visit func(key string, at Place)) {
	for _, c := range n.all() {
		visit(c.name, c.at)
	}
	for _, item := range n.listed() {
		key, _, _ := strings.Cut(item.text(), "=")
		visit(key, item.at)
	}
}

// listed is the items of a list as nodes.
func (n *node) listed() []*node {
	if n == nil {
		return nil
	}
	return n.items
}

var (
	noSuchKey    = regexp.MustCompile(`^(\S+) false schema$`)
	namedService = regexp.MustCompile(`service "([^"]+)"`)
)

// composeError is a finding for what compose would refuse.
func composeError(d *document, err error) Finding {
	text := flat(err.Error())
	for _, prefix := range []string{d.path, filepath.Base(d.path)} {
		if i := strings.Index(text, prefix); i >= 0 {
			text = strings.TrimLeft(text[i+len(prefix):], "':, ")
		}
	}
	at := Place{File: d.path}
	if m := noSuchKey.FindStringSubmatch(text); m != nil {
		at.Line, at.Key, text = d.root.deepest(m[1]).at.Line, m[1], "there is no such key"
	} else if m := namedService.FindStringSubmatch(text); m != nil {
		at.Line = d.root.child("services").deepest(m[1]).at.Line
	} else if path, _, ok := strings.Cut(text, " "); ok {
		if n := d.root.deepest(strings.Trim(path, `'":`)); n != d.root {
			at.Line = n.at.Line
		}
	}
	return failure(at, "compose", "compose refuses this file: %s", strings.TrimSuffix(text, ": invalid compose project"))
}
