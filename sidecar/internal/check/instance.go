package check

import (
	"strings"
	"time"

	"github.com/hal0-dev/hal0/plugin"
	"github.com/hal0-dev/hal0/plugin/decode"
	"github.com/hal0-dev/hal0/plugin/wire"
)

// module is what Traefik loads the plugin by.
const module = "github.com/hal0-dev/hal0"

// instance is one use of the plugin: a middleware, and the configuration that New
// would get.
type instance struct {
	*part
	config   *node // below plugin.<name>
	decoded  *plugin.Config
	problems []string
	route    wire.Route
	err      error // Traefik would not even ask the plugin
}

// pluginNames are the names under which static configurations enable the plugin.
// Where none does, it is "hal0".
func (s *setup) pluginNames() []string {
	var names []string
	for _, st := range s.statics {
		for _, section := range []string{"plugins", "localPlugins"} {
			for _, n := range st.root.child("experimental", section).all() {
				if strings.HasPrefix(n.child("moduleName").text(), module) {
					names = append(names, n.name)
				}
			}
		}
	}
	if len(names) == 0 {
		names = []string{"hal0"}
	}
	return names
}

// isOurs says whether a middleware's plugin is ours: by name, or by keys that no
// other has where the name is enabled as nothing else.
func (s *setup) isOurs(n *node) bool {
	for _, name := range s.pluginNames() {
		if strings.EqualFold(name, n.name) {
			return true
		}
	}
	return n.child("models") != nil && (n.child("sidecar") != nil || n.child("tokenFile") != nil) || strings.EqualFold(n.name, "hal0")
}

// instances decodes every use of the plugin as Traefik does.
func (s *setup) findInstances() []*instance {
	var out []*instance
	for _, src := range s.sources {
		for _, m := range src.root.child("http", "middlewares").all() {
			for _, n := range m.child("plugin").all() {
				if s.isOurs(n) {
					i := &instance{part: &part{node: m, provider: src.provider, container: src.container}, config: n}
					i.decode(src)
					out = append(out, i)
				}
			}
		}
	}
	return out
}

func (i *instance) decode(src *source) {
	raw, err := src.raw(i.config.name, i.name)
	if err == nil {
		i.decoded, err = decode.Config(raw)
	}
	if err != nil {
		i.err = err
		return
	}
	i.problems = plugin.Problems(i.decoded)
	if len(i.problems) == 0 {
		i.route, i.err = plugin.Declaration(i.decoded, i.qualified(), time.Unix(0, 0))
	}
}

// raw is the untyped configuration of one middleware.
func (src *source) raw(pluginName, middleware string) (decode.Raw, error) {
	var found map[string]decode.Raw
	var err error
	switch {
	case src.document == nil:
		found, err = decode.Labels(src.labels, pluginName)
	case strings.HasSuffix(strings.ToLower(src.document.path), ".toml"):
		found, err = decode.TOML(src.document.text, pluginName)
	default:
		found, err = decode.YAML(src.document.text, pluginName)
	}
	if err != nil {
		return nil, err
	}
	for name, raw := range found {
		if strings.EqualFold(name, middleware) {
			return raw, nil
		}
	}
	return nil, nil
}

// shutdownAfter is the route's, or the plugin's default where it is wrong.
func (i *instance) shutdownAfter() time.Duration {
	if i.decoded != nil {
		if d, err := time.ParseDuration(strings.TrimSpace(i.decoded.ShutdownAfter)); err == nil {
			return d
		}
	}
	return 8 * time.Second
}
