// Package decode reads the plugin's configuration the way Traefik does, with the
// libraries that Traefik uses: Docker labels, YAML, TOML and KV pairs become
// untyped maps by paerser, and those become a plugin.Config by mapstructure. It
// is for compiled code that must see what Traefik would see; the plugin itself
// never imports it. All functions are pure.
package decode

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"sort"
	"strings"

	"github.com/BurntSushi/toml"
	"github.com/hal0-dev/hal0/plugin"
	"github.com/mitchellh/mapstructure"
	"github.com/traefik/paerser/file"
	"github.com/traefik/paerser/parser"
	"gopkg.in/yaml.v3"
)

// Raw is the untyped configuration of one instance of the plugin.
type Raw = map[string]any

// Config decodes an untyped configuration over the plugin's defaults. Its error
// is what Traefik would log before the plugin is asked.
func Config(raw Raw) (*plugin.Config, error) {
	config := plugin.CreateConfig()
	if len(raw) == 0 {
		return config, nil
	}
	decoder, err := mapstructure.NewDecoder(&mapstructure.DecoderConfig{
		DecodeHook:       mapstructure.StringToSliceHookFunc(","),
		WeaklyTypedInput: true,
		Result:           config,
	})
	if err != nil {
		return nil, fmt.Errorf("make decoder: %w", err)
	}
	if err := decoder.Decode(raw); err != nil {
		return nil, fmt.Errorf("decode configuration: %w", err)
	}
	return config, nil
}

// document is as much of Traefik's dynamic configuration as matters here.
type document struct {
	HTTP *struct {
		Middlewares map[string]*struct {
			Plugin map[string]pluginConf
		}
	}
}

type pluginConf map[string]any

func (d document) instances(pluginName string) map[string]Raw {
	found := map[string]Raw{}
	if d.HTTP == nil {
		return found
	}
	for name, m := range d.HTTP.Middlewares {
		if m == nil {
			continue
		}
		if raw, ok := m.Plugin[pluginName]; ok {
			found[name] = Raw(raw)
		}
	}
	return found
}

// Labels finds every instance of the plugin in Docker labels, by the name of
// its middleware. Labels of other kinds are ignored.
func Labels(labels map[string]string, pluginName string) (map[string]Raw, error) {
	own := map[string]string{}
	for key, value := range labels {
		parts := strings.Split(strings.ToLower(key), ".")
		if len(parts) > 5 && strings.Join(parts[:3], ".") == "traefik.http.middlewares" && parts[4] == "plugin" {
			own[key] = value
		}
	}
	var d document
	if len(own) == 0 {
		return d.instances(pluginName), nil
	}
	if err := parser.Decode(own, &d, parser.DefaultRootName, "traefik.http"); err != nil {
		return nil, fmt.Errorf("decode labels: %w", err)
	}
	return d.instances(pluginName), nil
}

// YAML finds every instance of the plugin in a dynamic configuration.
func YAML(content []byte, pluginName string) (map[string]Raw, error) {
	whole := map[string]any{}
	if err := yaml.Unmarshal(content, &whole); err != nil {
		return nil, fmt.Errorf("parse YAML: %w", err)
	}
	return fromFile(whole, pluginName)
}

// TOML finds every instance of the plugin in a dynamic configuration.
func TOML(content []byte, pluginName string) (map[string]Raw, error) {
	whole := map[string]any{}
	if err := toml.Unmarshal(content, &whole); err != nil {
		return nil, fmt.Errorf("parse TOML: %w", err)
	}
	return fromFile(whole, pluginName)
}

// fromFile keeps the plugins' part of a file only, so that nothing else has to
// be known, and has paerser make the same strings of it that Traefik sees.
func fromFile(whole map[string]any, pluginName string) (map[string]Raw, error) {
	var d document
	middlewares := map[string]any{}
	for name, m := range table(table(whole, "http"), "middlewares") {
		if fields, ok := m.(map[string]any); ok {
			if p := table(fields, "plugin"); p != nil {
				middlewares[name] = map[string]any{"plugin": p}
			}
		}
	}
	if len(middlewares) == 0 {
		return d.instances(pluginName), nil
	}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(map[string]any{"http": map[string]any{"middlewares": middlewares}}); err != nil {
		return nil, fmt.Errorf("encode plugin's part: %w", err)
	}
	if err := file.DecodeContent(text.String(), ".json", &d); err != nil {
		return nil, fmt.Errorf("decode file: %w", err)
	}
	return d.instances(pluginName), nil
}

// table is the nested table of that name, in any case, or nil.
func table(in map[string]any, name string) map[string]any {
	for key, value := range in {
		if strings.EqualFold(key, name) {
			t, _ := value.(map[string]any)
			return t
		}
	}
	return nil
}

var digits = regexp.MustCompile(`^\d+$`)

// KV finds every instance of the plugin in the pairs of a key-value store below
// root ("traefik").
func KV(pairs map[string]string, root, pluginName string) (map[string]Raw, error) {
	keys := make([]string, 0, len(pairs))
	for key := range pairs {
		parts := strings.Split(strings.ToLower(key), "/")
		if len(parts) > 5 && strings.EqualFold(parts[0], root) && parts[1] == "http" && parts[2] == "middlewares" && parts[4] == "plugin" {
			keys = append(keys, key)
		}
	}
	sort.Strings(keys)
	var d document
	if len(keys) == 0 {
		return d.instances(pluginName), nil
	}
	tree := &parser.Node{Name: root}
	for _, key := range keys {
		grow(tree, strings.FieldsFunc(key[len(root)+1:], func(c rune) bool { return c == '/' }), pairs[key])
	}
	if err := parser.AddMetadata(&d, tree, parser.MetadataOpts{TagName: "kv"}); err != nil {
		return nil, fmt.Errorf("decode pairs: %w", err)
	}
	if err := parser.Fill(&d, tree, parser.FillerOpts{}); err != nil {
		return nil, fmt.Errorf("decode pairs: %w", err)
	}
	return d.instances(pluginName), nil
}

func grow(at *parser.Node, path []string, value string) {
	if len(path) == 0 {
		at.Value = value
		return
	}
	name := path[0]
	if digits.MatchString(name) {
		name = "[" + name + "]"
	}
	for _, child := range at.Children {
		if strings.EqualFold(child.Name, name) {
			grow(child, path[1:], value)
			return
		}
	}
	child := &parser.Node{Name: name}
	at.Children = append(at.Children, child)
	grow(child, path[1:], value)
}
