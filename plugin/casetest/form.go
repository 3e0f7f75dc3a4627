package casetest

import (
	"bytes"
	"fmt"
	"sort"
	"strconv"
	"strings"

	"github.com/BurntSushi/toml"
	"github.com/hal0-dev/hal0/plugin/decode"
	"gopkg.in/yaml.v3"
)

// PluginName is the plugin's key in the static configuration of every way.
const PluginName = "hal0"

// Written is one configuration as users write it, for a middleware of a name.
// Labels and KV are pairs; YAML and TOML are whole files with http.middlewares.
type Written struct {
	Form  string
	Pairs map[string]string
	Text  string
}

// forms returns the forms in which the case's configuration is to be written.
func (c Case) forms() []string {
	switch {
	case c.Labels != nil:
		return []string{"labels"}
	case c.YAML != nil:
		return []string{"yaml"}
	case c.TOML != nil:
		return []string{"toml"}
	case c.KV != nil:
		return []string{"kv"}
	case c.Forms != nil:
		return c.Forms
	case len(c.Exchanges) == 0:
		return Forms
	}
	return []string{"labels"}
}

// write writes the configuration in a form. fill replaces the placeholders.
func (c Case) write(form, middleware string, fill func(string) string) (Written, error) {
	w := Written{Form: form}
	config := c.Config
	if config == nil {
		config = Base()
	}
	switch form {
	case "labels":
		pairs := c.Labels
		if pairs == nil {
			pairs = map[string]string{}
			flatten(config, "", ".", pairs)
		}
		w.Pairs = prefixed(pairs, "traefik.http.middlewares."+middleware+".plugin."+PluginName+".", fill)
	case "kv":
		pairs := c.KV
		if pairs == nil {
			pairs = map[string]string{}
			flatten(config, "", "/", pairs)
		}
		w.Pairs = prefixed(pairs, "traefik/http/middlewares/"+middleware+"/plugin/"+PluginName+"/", fill)
	case "yaml":
		lines := c.YAML
		if lines == nil {
			text, err := yaml.Marshal(config)
			if err != nil {
				return w, fmt.Errorf("write YAML: %w", err)
			}
			lines = strings.Split(strings.TrimRight(string(text), "\n"), "\n")
		}
		w.Text = fill("http:\n  middlewares:\n    " + middleware + ":\n      plugin:\n        " + PluginName + ":\n          " + strings.Join(lines, "\n          ") + "\n")
	case "toml":
		head := "[http.middlewares." + middleware + ".plugin." + PluginName + "]\n"
		if c.TOML != nil {
			w.Text = fill(head + strings.Join(c.TOML, "\n") + "\n")
			break
		}
		var text bytes.Buffer
		tree := map[string]any{"http": map[string]any{"middlewares": map[string]any{middleware: map[string]any{"plugin": map[string]any{PluginName: config}}}}}
		if err := toml.NewEncoder(&text).Encode(tree); err != nil {
			return w, fmt.Errorf("write TOML: %w", err)
		}
		w.Text = fill(text.String())
	default:
		return w, fmt.Errorf("write configuration: no form %q", form)
	}
	return w, nil
}

func prefixed(pairs map[string]string, prefix string, fill func(string) string) map[string]string {
	out := map[string]string{}
	for key, value := range pairs {
		out[prefix+key] = fill(value)
	}
	return out
}

// flatten makes pairs of a tree. Lists get an index per item, in brackets for
// labels.
func flatten(at any, path, separator string, out map[string]string) {
	switch v := at.(type) {
	case map[string]any:
		keys := make([]string, 0, len(v))
		for key := range v {
			keys = append(keys, key)
		}
		sort.Strings(keys)
		for _, key := range keys {
			next := key
			if path != "" {
				next = path + separator + key
			}
			flatten(v[key], next, separator, out)
		}
	case []any:
		for i, item := range v {
			next := path + separator + strconv.Itoa(i)
			if separator == "." {
				next = path + "[" + strconv.Itoa(i) + "]"
			}
			flatten(item, next, separator, out)
		}
	case float64: // JSON knows no integers
		out[path] = strconv.FormatFloat(v, 'f', -1, 64)
	default:
		out[path] = fmt.Sprint(v)
	}
}

// Raw decodes the configuration as Traefik does before it asks the plugin.
func (w Written) Raw() (decode.Raw, error) {
	var found map[string]decode.Raw
	var err error
	switch w.Form {
	case "labels":
		found, err = decode.Labels(w.Pairs, PluginName)
	case "kv":
		found, err = decode.KV(w.Pairs, "traefik", PluginName)
	case "yaml":
		found, err = decode.YAML([]byte(w.Text), PluginName)
	case "toml":
		found, err = decode.TOML([]byte(w.Text), PluginName)
	}
	if err != nil {
		return nil, err
	}
	if len(found) != 1 {
		return nil, fmt.Errorf("decode %s: %d instances of the plugin", w.Form, len(found))
	}
	for _, raw := range found {
		return raw, nil
	}
	return nil, nil
}

// UsedForms returns the forms in which the case runs.
func (c Case) UsedForms() []string { return c.forms() }

// Keys returns the paths of all keys in Config, with <slot> for a slot's name.
func (c Case) Keys() []string {
	var keys []string
	collect(c.Config, "", &keys)
	return keys
}

func collect(at map[string]any, path string, keys *[]string) {
	for key, value := range at {
		next := key
		switch {
		case path == "models":
			next = "models.<slot>"
		case path != "":
			next = path + "." + key
		}
		*keys = append(*keys, next)
		if below, ok := value.(map[string]any); ok {
			collect(below, next, keys)
		}
	}
}
