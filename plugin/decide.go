//go:build go1.21

package plugin

import (
	"encoding/json"
	"net"
	"net/http"
	"path"
	"strings"

	"github.com/hal0-dev/hal0/plugin/wire"
)

// endpoint is a row of the table of endpoints, or what stands for a path that
// is in none.
type endpoint struct {
	wire.Endpoint
	code      string // of the refusal, "" = it is served
	asks      bool   // its body names a model
	chatty    bool   // the family's events have no names: chat and completions
	anthropic bool
}

func newEndpoint(e wire.Endpoint, code string) *endpoint {
	row := &endpoint{Endpoint: e, code: code}
	row.asks = e.Family != wire.FamilyModels
	row.chatty = e.Family == wire.FamilyChat || e.Family == wire.FamilyCompletions
	row.anthropic = e.Family == wire.FamilyMessages
	return row
}

// table answers what wire.Match and wire.Route answer, from maps: interpreted
// loops over the tables would cost more than the rest of a decision.
type table struct {
	choices  []*choice
	names    map[string]int
	quoted   map[string]*choice   // by names as they stand in JSON
	fallback int                  // index of the default model, -1 = none
	draft    string               // of a proof that is about no model
	exact    map[string]*endpoint // by "METHOD path"
}

// choice is one model that requests may be for.
type choice struct {
	model *wire.Model
	draft string          // of a proof that is about it
	able  map[string]bool // what endpoints may need of it; "" always
}

func newTable(s *settings) *table {
	r := s.route
	p := wire.Proof{Route: r.Name, Fingerprint: r.Fingerprint(), Since: r.Since, CommitAfterMS: s.commitMS, HeartbeatMS: s.heartbeatMS}
	t := &table{draft: p.Draft(), names: r.Names(), quoted: map[string]*choice{}, fallback: -1, exact: map[string]*endpoint{}}
	for i := range r.Models {
		m := r.Models[i]
		p.Model = &m
		p.Slot = m.Slot
		c := &choice{model: &m, draft: p.Draft(), able: map[string]bool{"": true}}
		for _, capability := range m.Capabilities {
			c.able[capability] = true
		}
		t.choices = append(t.choices, c)
	}
	for name, i := range t.names {
		if quoted, err := json.Marshal(name); err == nil {
			t.quoted[string(quoted)] = t.choices[i]
		}
	}
	if i, ok := t.names[r.Default]; ok {
		t.fallback = i
	}
	for _, e := range wire.Endpoints() {
		t.exact[e.Method+" "+e.Path] = newEndpoint(e, "")
	}
	return t
}

// match finds what is in none of the table's rows as it stands; nil = none of
// ours. Paths of the table itself hold nothing hostile.
func (t *table) match(req *http.Request, escaped string) *endpoint {
	e, code := wire.Match(req.Method, escaped)
	if code == wire.PathOutside {
		if !disguised(req.URL.Path) {
			return nil
		}
		code = wire.CodePath
	}
	if code != "" {
		e.Family = familyOf(escaped)
	}
	return newEndpoint(e, code)
}

// methods is the Allow header for a path of the table.
func (t *table) methods(escaped string) string {
	if t.exact["POST "+escaped] != nil {
		return http.MethodPost
	}
	return "GET, HEAD"
}

// disguised reports whether a path outside /v1 would be one under it to a hop
// that decodes or cleans it.
func disguised(decoded string) bool {
	if !strings.Contains(decoded, "v1") {
		return false
	}
	plain := "/" + strings.TrimLeft(strings.ReplaceAll(decoded, "\\", "/"), "/") + "/"
	return strings.HasPrefix(plain, "/v1/") || strings.HasPrefix(path.Clean(plain)+"/", "/v1/")
}

// choose finds the model of a request: the one that it names, else the route's
// default, else, for a form whose model comes too late to be seen, the only one
// that can do it.
func (t *table) choose(x *exchange) bool {
	c := t.quoted[x.quoted]
	if c == nil || !c.able[x.e.Capability] {
		return t.chooseOther(x)
	}
	x.model = c.model
	x.draft = c.draft
	return true
}

// chooseOther is choose for what is not the common case.
func (t *table) chooseOther(x *exchange) bool {
	name, ok := unquote(x.quoted)
	if !ok {
		return x.noJSON("The request's model is not a string.")
	}
	if name == "" {
		return t.chooseUnnamed(x)
	}
	i, ok := t.names[name]
	if !ok {
		return x.noParam(wire.CodeModelNotFound, "The model '"+shorten(name)+"' does not exist on this route; GET /v1/models lists what does.", "model")
	}
	return t.take(x, t.choices[i])
}

func (t *table) chooseUnnamed(x *exchange) bool {
	if t.fallback >= 0 {
		return t.take(x, t.choices[t.fallback])
	}
	if !x.e.Multipart {
		return x.noParam(wire.CodeModelRequired, "The request names no model, and this route has no default.", "model")
	}
	if i := t.only(x.e.Capability); i >= 0 {
		return t.take(x, t.choices[i])
	}
	return x.noParam(wire.CodeModelRequired, "The form names no model in its first MiB, and this route has no default; put the model before the file.", "model")
}

// take checks that the model declares what the endpoint needs.
func (t *table) take(x *exchange, c *choice) bool {
	x.model = c.model
	x.draft = c.draft
	if !c.able[x.e.Capability] {
		return x.noParam(wire.CodeCapability, "The model '"+c.model.Slot+"' does not offer "+x.e.Capability+", which "+x.e.Path+" needs.", "model")
	}
	return true
}

// only is the index of the one model with a capability, -1 = none or several.
func (t *table) only(capability string) int {
	found := -1
	for i, c := range t.choices {
		if !c.able[capability] {
			continue
		}
		if found >= 0 {
			return -1
		}
		found = i
	}
	return found
}

// clientAddress is the address of the peer, without its port.
func clientAddress(remote string) string {
	host, _, err := net.SplitHostPort(remote)
	if err != nil {
		return remote
	}
	return host
}

// familyOf is the shape of errors for a path that is in no table.
func familyOf(escaped string) string {
	if strings.HasPrefix(escaped, "/v1/messages") {
		return wire.FamilyMessages
	}
	return wire.FamilyPlain
}

func shorten(s string) string {
	if len(s) > 100 {
		return strings.ToValidUTF8(s[:100], "") + "…"
	}
	return s
}
