package edge

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/hal0-dev/hal0/plugin/casetest"
)

// consul is as much of Consul's key-value API as Traefik asks for: all pairs
// below a prefix, once, and then nothing changes.
func consul(t *testing.T, pairs map[string]string) (address string) {
	t.Helper()
	type pair struct {
		Key         string
		Value       []byte // base64 in JSON, as Consul has it
		ModifyIndex uint64
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("index") == "1" { // a watch: it returns when something changes
			<-r.Context().Done()
			return
		}
		prefix := strings.TrimPrefix(r.URL.Path, "/v1/kv/")
		found := []pair{}
		for key, value := range pairs {
			if strings.HasPrefix(key, prefix) {
				found = append(found, pair{key, []byte(value), 1})
			}
		}
		w.Header().Set("X-Consul-Index", "1")
		w.Header().Set("X-Consul-KnownLeader", "true")
		w.Header().Set("X-Consul-LastContact", "0")
		if len(found) == 0 {
			w.WriteHeader(http.StatusNotFound)
		} else if err := json.NewEncoder(w).Encode(found); err != nil {
			t.Errorf("answer for Consul: %v", err)
		}
	}))
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	return s.Listener.Addr().String()
}

// pairs is a setup as KV pairs, with its router and service.
func pairs(s *casetest.Setup, into map[string]string) {
	router := "traefik/http/routers/" + s.ID + "/"
	into[router+"rule"] = rule(s)
	into[router+"entrypoints/0"] = "web"
	into[router+"middlewares/0"] = s.ID
	into[router+"service"] = s.ID
	into["traefik/http/services/"+s.ID+"/loadbalancer/servers/0/url"] = "http://" + s.Upstream
	for key, value := range s.Config.Pairs {
		into[key] = value
	}
}
