//go:build go1.21

package wire

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
)

// Policies of coalescing, per model.
const (
	CoalesceCold          = "cold"
	CoalesceDeterministic = "deterministic"
	CoalesceAlways        = "always"
)

// What happens upstream when the last reader of a flight has gone.
const (
	DisconnectCancel = "cancel"
	DisconnectFinish = "finish"
)

// Model is what a route declares about one model: the labels below
// "models.<slot>", parsed and with defaults filled in. Durations are in
// milliseconds, sizes in bytes.
type Model struct {
	Slot          string   `json:"slot"`
	Model         string   `json:"model,omitempty"`
	Engine        string   `json:"engine,omitempty"`
	Aliases       []string `json:"aliases,omitempty"`
	Capabilities  []string `json:"capabilities,omitempty"`
	Context       int64    `json:"context,omitempty"`
	Parallel      int64    `json:"parallel,omitempty"`
	Device        string   `json:"device,omitempty"`
	Memory        int64    `json:"memory,omitempty"`
	UnloadAfterMS int64    `json:"unload_after_ms"` // 0 = never
	Pin           bool     `json:"pin,omitempty"`
	Priority      int64    `json:"priority,omitempty"`
	Preload       bool     `json:"preload,omitempty"`
	PreloadAt     string   `json:"preload_at,omitempty"`
	Coalesce      string   `json:"coalesce,omitempty"`
	Args          []string `json:"args,omitempty"`
	Node          string   `json:"node,omitempty"`
	OnDisconnect  string   `json:"on_disconnect,omitempty"`
	Media         []string `json:"media,omitempty"`

	Timeouts Timeouts `json:"timeouts"`
	Params   Params   `json:"params"`
}

// Timeouts of one model, in milliseconds; 0 = the sidecar's default.
type Timeouts struct {
	BootMS       int64 `json:"boot_ms,omitempty"`
	FirstTokenMS int64 `json:"first_token_ms,omitempty"`
	IdleMS       int64 `json:"idle_ms,omitempty"`
	TotalMS      int64 `json:"total_ms,omitempty"`
}

// Params changes the parameters of a request's body before the engine sees it.
// Set and Default are JSON objects as text, "" = none.
type Params struct {
	Set     string   `json:"set,omitempty"`
	Default string   `json:"default,omitempty"`
	Strip   []string `json:"strip,omitempty"`
}

// Fingerprint identifies what the model declares: two models with the same
// fingerprint are the same slot.
func (m Model) Fingerprint() string {
	b, err := json.Marshal(m)
	return digest(b, err)
}

// Route is what one instance of the middleware declares: PUT /api/routes/{name}.
type Route struct {
	Name    string  `json:"name"`
	Since   int64   `json:"since"` // when the instance was made, unix milliseconds
	Default string  `json:"default,omitempty"`
	Models  []Model `json:"models"` // by slot, ascending
}

// Fingerprint identifies the content of the route, its name and time aside.
func (r Route) Fingerprint() string {
	r.Name, r.Since = "", 0
	b, err := json.Marshal(r)
	return digest(b, err)
}

// digest is a function of bytes, not of any value: Yaegi passes an interpreted
// struct to encoding/json as it is only where its type is known.
func digest(b []byte, err error) string {
	if err != nil { // plain structs of strings, numbers and lists always marshal
		panic(err)
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:8])
}

// Names maps every name that a client may use for a model of the route (slot,
// "hal0/<slot>", aliases) to the model's index in r.Models.
func (r Route) Names() map[string]int {
	names := map[string]int{}
	for i, m := range r.Models {
		for _, a := range m.Aliases {
			names[a] = i
		}
	}
	for i, m := range r.Models { // a slot's own name wins over an alias
		names[m.Slot] = i
		names["hal0/"+m.Slot] = i
	}
	return names
}
