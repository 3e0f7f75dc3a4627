// Package casetest runs the plugin's cases, which are data: JSON files that say
// what a configuration makes of requests. A case runs the same way wherever the
// plugin runs: compiled into a process, interpreted by Yaegi, or inside a real
// Traefik; a Way hides the difference.
//
// Vocabulary. A Case has a configuration and some exchanges. A form is how the
// configuration is written: labels, yaml, toml or kv. A Setup is one case in one
// form, with a fake upstream, a fake sidecar and a token file of its own. A Way
// puts the middleware of each setup between a client and the setup's upstream.
//
// Everything is raw TCP on loopback: requests are sent byte by byte as the case
// says, and the upstream answers, stops or breaks off as its script says.
//
// Run and its subtests use one goroutine per test; a Setup belongs to one subtest.
package casetest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sort"
)

// Forms are the ways in which Traefik users write configuration.
var Forms = []string{"labels", "yaml", "toml", "kv"}

// Case is one configuration and what comes of it. Texts may hold {{token}} (the
// path of the token file), {{sidecar}} (address of the fake sidecar) and
// {{secret}} (the token).
type Case struct {
	Name string `json:"name"`
	Why  string `json:"why,omitempty"`
	// Ways restricts the case to some of compiled, yaegi, traefik.
	Ways []string `json:"ways,omitempty"`

	// Config is the plugin's configuration as a tree of strings, numbers,
	// booleans, lists and maps; it is written in each of Forms (default: all if
	// there are no exchanges, else labels). No config at all means Base.
	Config map[string]any `json:"config,omitempty"`
	Forms  []string       `json:"forms,omitempty"`
	// Instead of Config, one form as users would write it. Labels and KV have
	// keys relative to the plugin's own; YAML and TOML hold the lines below it.
	Labels map[string]string `json:"labels,omitempty"`
	YAML   []string          `json:"yaml,omitempty"`
	TOML   []string          `json:"toml,omitempty"`
	KV     map[string]string `json:"kv,omitempty"`

	// Token says what is wrong with the token file: "missing", "empty",
	// "malformed", "directory" or "" = nothing.
	Token string `json:"token,omitempty"`

	// Problems are texts that the refusal of the configuration holds, all of
	// them; Count is how many problems it names.
	Problems []string `json:"problems,omitempty"`
	Count    int      `json:"count,omitempty"`
	// Route is what is declared to the sidecar; fields that it does not name are
	// not looked at.
	Route map[string]any `json:"route,omitempty"`

	Exchanges []Exchange `json:"exchanges,omitempty"`
}

// Exchange is one request and what becomes of it.
type Exchange struct {
	Send     Request  `json:"send"`
	Upstream Script   `json:"upstream"`
	Want     Answer   `json:"want"`
	Saw      Sighting `json:"saw"`
}

// Request is sent as it stands.
type Request struct {
	Method  string      `json:"method,omitempty"` // default POST with a body, else GET
	Target  string      `json:"target,omitempty"` // default /v1/chat/completions
	Host    string      `json:"host,omitempty"`   // default hal0.lan
	Headers [][2]string `json:"headers,omitempty"`
	Body    string      `json:"body,omitempty"`
	// Repeat is a text that takes the place of "{{repeat}}" in the body, Times
	// times.
	Repeat string `json:"repeat,omitempty"`
	Times  int    `json:"times,omitempty"`
	// Form makes a multipart body of these fields, in order; a field "file" is a
	// file of its value. Repeat and Times apply.
	Form [][2]string `json:"form,omitempty"`
	// Length overrides Content-Length; the request ends where the body does.
	Length  int  `json:"length,omitempty"`
	Chunked bool `json:"chunked,omitempty"`
	// Leave closes the connection when the answer holds this text.
	Leave string `json:"leave,omitempty"`
}

// Script is what the upstream does.
type Script struct {
	Status  int         `json:"status,omitempty"` // default 200
	Headers [][2]string `json:"headers,omitempty"`
	// Chunks are sent one by one, each in a write of its own.
	Chunks []string `json:"chunks,omitempty"`
	// Plain sends the chunks as one body with a Content-Length.
	Plain bool `json:"plain,omitempty"`
	// Events is short for an event stream of these chunks.
	Events []string `json:"events,omitempty"`
	// End: "" = properly, "cut" = the connection is closed early, "reset" = it is
	// reset, "refuse" = nobody listens, "close" = closed before any answer,
	// "wait" = nothing more is sent until the client has gone.
	End string `json:"end,omitempty"`
}

// Answer is what the client must get. Zero fields are not looked at.
type Answer struct {
	Status  int               `json:"status,omitempty"`
	Headers map[string]string `json:"headers,omitempty"` // "" = absent, "*" = any value
	Body    *string           `json:"body,omitempty"`
	Has     []string          `json:"has,omitempty"`
	Lacks   []string          `json:"lacks,omitempty"`
	// Code is the coded error: of a JSON body, or of the one error event at the
	// end of a stream.
	Code string `json:"code,omitempty"`
	// Cut says that the answer must break off without its proper end; otherwise
	// it must not.
	Cut bool `json:"cut,omitempty"`
}

// Sighting is what the upstream must have seen. Zero fields are not looked at.
type Sighting struct {
	Nothing bool              `json:"nothing,omitempty"` // the request must not arrive
	Method  string            `json:"method,omitempty"`
	Target  string            `json:"target,omitempty"`
	Headers map[string]string `json:"headers,omitempty"` // "" = absent, "*" = any value
	Body    *string           `json:"body,omitempty"`
	Length  int               `json:"length,omitempty"` // of the body
	// Proof is what the signed header says; fields that it does not name are not
	// looked at. It is verified in any case, unless Unsigned.
	Proof    map[string]any `json:"proof,omitempty"`
	Unsigned bool           `json:"unsigned,omitempty"`
	// Left says that the upstream must notice that the client has gone.
	Left bool `json:"left,omitempty"`
}

// Base is the configuration of cases that bring none.
func Base() map[string]any {
	return map[string]any{
		"tokenFile": "{{token}}",
		"models": map[string]any{
			"primary": map[string]any{"model": "hf:a/primary", "aliases": "gpt-4o-mini,qwen3:0.6b"},
		},
	}
}

// Load reads every case of the files at a pattern, in the order of their names. Unknown
// fields and names that come twice are errors.
func Load(pattern string) ([]Case, error) {
	paths, err := filepath.Glob(pattern)
	if err != nil {
		return nil, fmt.Errorf("list cases: %w", err)
	}
	sort.Strings(paths)
	var all []Case
	seen := map[string]bool{}
	for _, path := range paths {
		content, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("read cases: %w", err)
		}
		var cases []Case
		d := json.NewDecoder(bytes.NewReader(content))
		d.DisallowUnknownFields()
		if err := d.Decode(&cases); err != nil {
			return nil, fmt.Errorf("parse %s: %w", path, err)
		}
		for _, c := range cases {
			if seen[c.Name] || c.Name == "" {
				return nil, fmt.Errorf("parse %s: a case is named %q twice or not at all", path, c.Name)
			}
			seen[c.Name] = true
			all = append(all, c)
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("load cases: none at %s", pattern)
	}
	return all, nil
}
