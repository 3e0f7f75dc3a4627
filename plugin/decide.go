//go:build go1.21

package plugin

import (
	"net"
	"path"
	"strings"

	"github.com/hal0-dev/hal0/plugin/wire"
)

// table answers what wire.Match and wire.Route answer, from maps: interpreted
// loops over the tables would cost more than the rest of a decision.
type table struct {
	route     wire.Route
	endpoints map[string]wire.Endpoint // by "METHOD path"
	names     map[string]int
}

func newTable(r wire.Route) table {
	t := table{route: r, endpoints: map[string]wire.Endpoint{}, names: r.Names()}
	for _, e := range wire.Endpoints() {
		t.endpoints[e.Method+" "+e.Path] = e
	}
	return t
}

// endpoint is wire.Match; paths of the table itself hold nothing hostile.
func (t table) endpoint(method, escaped string) (wire.Endpoint, string) {
	if e, ok := t.endpoints[method+" "+escaped]; ok {
		return e, ""
	}
	return wire.Match(method, escaped)
}

// methods is the Allow header for a path of the table.
func (t table) methods(escaped string) string {
	if e, ok := t.endpoints["POST "+escaped]; ok {
		return e.Method
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
func (t table) choose(e wire.Endpoint, n named) (wire.Model, wire.Failure) {
	var none wire.Model
	if n.model != "" {
		i, ok := t.names[n.model]
		if !ok {
			f := wire.NewFailure(wire.CodeModelNotFound, "The model '"+shorten(n.model)+"' does not exist on this route; GET /v1/models lists what does.")
			f.Param = "model"
			return none, f
		}
		return t.capable(e, t.route.Models[i])
	}
	if i, ok := t.names[t.route.Default]; ok {
		return t.capable(e, t.route.Models[i])
	}
	if i := t.only(e.Capability); e.Multipart && i >= 0 {
		return t.route.Models[i], wire.Failure{}
	}
	f := wire.NewFailure(wire.CodeModelRequired, "The request names no model, and this route has no default.")
	if e.Multipart {
		f.Message = "The form names no model in its first MiB, and this route has no default; put the model before the file."
	}
	f.Param = "model"
	return none, f
}

// capable checks that the model declares what the endpoint needs.
func (t table) capable(e wire.Endpoint, m wire.Model) (wire.Model, wire.Failure) {
	if e.Capability == "" || contains(m.Capabilities, e.Capability) {
		return m, wire.Failure{}
	}
	f := wire.NewFailure(wire.CodeCapability, "The model '"+m.Slot+"' does not offer "+e.Capability+", which "+e.Path+" needs.")
	f.Param = "model"
	f.Details.Slot = m.Slot
	return wire.Model{}, f
}

// only is the index of the one model with a capability, -1 = none or several.
func (t table) only(capability string) int {
	found := -1
	for i, m := range t.route.Models {
		if !contains(m.Capabilities, capability) {
			continue
		}
		if found >= 0 {
			return -1
		}
		found = i
	}
	return found
}

// scope says who may share a flight; the words before the colon keep a header's
// value from passing for a key's name.
func scope(key, header, route string) string {
	switch {
	case key != "":
		return "key:" + key
	case header != "":
		return "header:" + header
	}
	return "route:" + route
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
