//go:build go1.21

package plugin

import (
	"net/url"
	"regexp"
	"sort"
	"strings"
	"time"

	"github.com/hal0-dev/hal0/plugin/wire"
)

// settings are a Config, checked and with defaults.
type settings struct {
	sidecar       string // scheme and host, "" = none
	tokenFile     string
	route         wire.Route // Name and Since are the instance's
	keys          []apiKey
	maxBody       int64
	maxUpload     int64
	cors          []string
	hosts         *regexp.Regexp
	scopeHeader   string
	commitMS      int64
	heartbeatMS   int64
	shutdownAfter time.Duration
}

// Declaration checks a configuration and returns what a route of that name
// declares. Its error names every problem.
func Declaration(cfg *Config, name string, since time.Time) (wire.Route, error) {
	s, err := newSettings(cfg, name, since)
	return s.route, err
}

// Problems lists what New would refuse, each as "key: what is wrong".
func Problems(cfg *Config) []string {
	p := &problems{}
	p.settings(cfg, "", time.Time{})
	return p.list
}

func newSettings(cfg *Config, name string, since time.Time) (*settings, error) {
	p := &problems{}
	s := p.settings(cfg, name, since)
	return s, p.err(name)
}

func (p *problems) settings(cfg *Config, name string, since time.Time) *settings {
	if cfg == nil {
		cfg = CreateConfig()
	}
	p.unknown("", cfg.Rest, routeKeys())
	s := &settings{
		sidecar:       p.address("sidecar", cfg.Sidecar),
		tokenFile:     strings.TrimSpace(cfg.TokenFile),
		keys:          p.apiKeys(cfg.Keys),
		maxBody:       p.size("maxBody", cfg.MaxBody),
		maxUpload:     p.size("maxUpload", cfg.MaxUpload),
		cors:          p.origins(cfg.Cors),
		hosts:         p.hosts(cfg.Hosts),
		scopeHeader:   p.headerName("scopeHeader", cfg.ScopeHeader),
		commitMS:      p.durationWithin("commitAfter", cfg.CommitAfter, 20*time.Second, 0, 4*time.Minute).Milliseconds(),
		heartbeatMS:   p.durationWithin("heartbeat", cfg.Heartbeat, 10*time.Second, time.Second, time.Minute).Milliseconds(),
		shutdownAfter: p.durationWithin("shutdownAfter", cfg.ShutdownAfter, 8*time.Second, 0, time.Hour),
	}
	if !strings.HasPrefix(s.tokenFile, "/") {
		p.add("tokenFile", "is not an absolute path")
	}
	if s.maxBody == 0 {
		s.maxBody = 64 << 20
	}
	if s.maxUpload == 0 {
		s.maxUpload = 1 << 30
	}
	s.route = wire.Route{Name: name, Since: since.UnixMilli(), Models: p.models(cfg.Models)}
	s.route.Default = p.fallback(strings.TrimSpace(cfg.Default), s.route)
	return s
}

// models checks every slot, in the order of their names, and that no two of
// them claim a name.
func (p *problems) models(config map[string]Model) []wire.Model {
	slots := make([]string, 0, len(config))
	for slot := range config {
		slots = append(slots, slot)
	}
	sort.Strings(slots)
	models := make([]wire.Model, 0, len(slots))
	claimed := map[string]string{} // name ─► slot
	for _, slot := range slots {
		claimed[slot] = slot
		claimed["hal0/"+slot] = slot
	}
	for _, slot := range slots {
		m := p.model(slot, config[slot])
		for _, alias := range m.Aliases {
			if owner, taken := claimed[alias]; taken {
				p.add("models."+slot+".aliases", "\""+alias+"\" is taken by "+owner)
			}
			claimed[alias] = slot
		}
		models = append(models, m)
	}
	if len(models) == 0 {
		p.add("models", "none is declared (models.<slot>.model)")
	}
	return models
}

// fallback resolves the default to a slot.
func (p *problems) fallback(name string, r wire.Route) string {
	if name == "" {
		return ""
	}
	i, ok := r.Names()[name]
	if !ok {
		p.add("default", "\""+name+"\" is no slot of this route")
		return ""
	}
	return r.Models[i].Slot
}

// address checks the sidecar's control address.
func (p *problems) address(key, text string) string {
	text = strings.TrimSuffix(strings.TrimSpace(text), "/")
	if text == "" {
		return ""
	}
	u, err := url.Parse(text)
	if err != nil {
		p.add(key, "is not an address such as http://sidecar:8091")
		return ""
	}
	switch {
	case (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "":
		p.add(key, "is not an address such as http://sidecar:8091")
	case u.User != nil:
		p.add(key, "carries a user or password")
	case u.Path != "" || u.RawQuery != "" || u.Fragment != "":
		p.add(key, "carries a path; it must be scheme, host and port")
	}
	return text
}

func (p *problems) headerName(key, text string) string {
	text = strings.TrimSpace(text)
	for i := 0; i < len(text); i++ {
		c := text[i]
		if c != '-' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			p.add(key, "\""+text+"\" is not a header's name")
			return ""
		}
	}
	if ours(text) {
		p.add(key, "\""+text+"\" is removed from every request")
	}
	return text
}
