//go:build go1.21

package plugin

// Config is what labels, YAML, TOML or KV say, before it is checked. Scalars
// are strings, so that every wrong value reaches New and is reported together
// with all others; Traefik's decoder turns numbers and booleans into strings.
// Rest catches keys that nobody knows, which the decoder would drop silently.
type Config struct {
	// Sidecar is the control address ("http://sidecar:8091"). Empty means that
	// nothing runs in the background: no declaration, no probes, no signals.
	Sidecar   string
	TokenFile string
	// Default is the model of a request that names none.
	Default string
	// Keys are API keys as "name:sha256:<hex>"; empty = none is asked for.
	Keys   []string
	Models map[string]Model // by slot

	MaxBody       string // of a JSON body, size
	MaxUpload     string // of a multipart body, size
	Cors          []string
	Hosts         []string
	ScopeHeader   string
	CommitAfter   string // duration
	Heartbeat     string // duration
	ShutdownAfter string // duration

	Rest map[string]interface{} `mapstructure:",remain"`
}

// Model is what labels say about one slot.
type Model struct {
	Model        string
	Engine       string
	Aliases      []string
	Capabilities []string
	Context      string
	Parallel     string
	Device       string
	Memory       string
	UnloadAfter  string
	Pin          string
	Priority     string
	Preload      string
	PreloadAt    string
	Coalesce     string
	Args         []string
	Node         string
	Timeouts     Timeouts
	OnDisconnect string
	Params       Params
	Media        []string

	Rest map[string]interface{} `mapstructure:",remain"`
}

// Timeouts are durations; empty = the sidecar's own.
type Timeouts struct {
	Boot       string
	FirstToken string
	Idle       string
	Total      string

	Rest map[string]interface{} `mapstructure:",remain"`
}

// Params change the parameters of a request. Set and Default are JSON objects.
type Params struct {
	Set     string
	Default string
	Strip   []string

	Rest map[string]interface{} `mapstructure:",remain"`
}

// CreateConfig returns the defaults; Traefik decodes labels on top of them.
// Defaults of lists live in newSettings, because a decoder may merge lists.
func CreateConfig() *Config {
	return &Config{
		TokenFile:     "/run/hal0/token",
		MaxBody:       "64MiB",
		MaxUpload:     "1GiB",
		CommitAfter:   "20s",
		Heartbeat:     "10s",
		ShutdownAfter: "8s",
	}
}

// The keys of 3.1 as people write them, for messages about misspelt ones.
func routeKeys() []string {
	return []string{"sidecar", "tokenFile", "default", "keys", "models", "maxBody", "maxUpload", "cors", "hosts",
		"scopeHeader", "commitAfter", "heartbeat", "shutdownAfter"}
}

func modelKeys() []string {
	return []string{"model", "engine", "aliases", "capabilities", "context", "parallel", "device", "memory",
		"unloadAfter", "pin", "priority", "preload", "preloadAt", "coalesce", "args", "node", "timeouts",
		"onDisconnect", "params", "media"}
}

func timeoutKeys() []string { return []string{"boot", "firstToken", "idle", "total"} }

func paramKeys() []string { return []string{"set", "default", "strip"} }

// Keys returns every key of a route, those of models, timeouts and params by
// their full path: for references and completion.
func Keys() []string {
	keys := append([]string(nil), routeKeys()...)
	for _, k := range modelKeys() {
		keys = append(keys, "models.<slot>."+k)
	}
	for _, k := range timeoutKeys() {
		keys = append(keys, "models.<slot>.timeouts."+k)
	}
	for _, k := range paramKeys() {
		keys = append(keys, "models.<slot>.params."+k)
	}
	return keys
}
