package bed

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
)

// Container is what a Docker API says about a running container.
type Container struct {
	Name   string
	Health string // "" = no health check
	Labels map[string]string
}

// Docker answers on a Unix socket, whose path it returns, what Traefik's Docker
// provider asks: there are these containers, and nothing happens to them.
func Docker(t testing.TB, containers ...Container) string {
	t.Helper()
	routes := http.NewServeMux()
	routes.HandleFunc("/_ping", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Api-Version", "1.44") })
	routes.HandleFunc("GET /version", func(w http.ResponseWriter, _ *http.Request) {
		answer(t, w, map[string]any{"Version": "29.0.0", "ApiVersion": "1.44", "MinAPIVersion": "1.40"})
	})
	routes.HandleFunc("GET /containers/json", func(w http.ResponseWriter, _ *http.Request) {
		list := []any{}
		for i, c := range containers {
			list = append(list, c.summary(i))
		}
		answer(t, w, list)
	})
	for i, c := range containers {
		routes.HandleFunc("GET /containers/"+containerID(i)+"/json", func(w http.ResponseWriter, _ *http.Request) {
			answer(t, w, c.description(i))
		})
	}
	routes.HandleFunc("GET /events", func(w http.ResponseWriter, r *http.Request) {
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	path := filepath.Join(t.TempDir(), "docker.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: unversioned(routes)}
	go s.Serve(l)
	t.Cleanup(func() { s.Close() })
	return path
}

// unversioned serves /v1.44/x as /x.
func unversioned(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if parts := strings.SplitN(r.URL.Path, "/", 3); len(parts) == 3 && strings.HasPrefix(parts[1], "v1.") {
			r.URL.Path = "/" + parts[2]
		}
		next.ServeHTTP(w, r)
	})
}

func answer(t testing.TB, w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(v); err != nil {
		t.Errorf("answer as Docker: %v", err)
	}
}

func containerID(i int) string { return fmt.Sprintf("%012x", i+1) }

func networks(i int) map[string]any {
	address := fmt.Sprintf("172.18.%d.%d", i/200, i%200+2)
	return map[string]any{"Networks": map[string]any{"hal0": map[string]any{"NetworkID": "n", "IPAddress": address}}}
}

func (c Container) summary(i int) map[string]any {
	return map[string]any{"Id": containerID(i), "Names": []string{"/" + c.Name}, "Labels": c.Labels, "State": "running", "NetworkSettings": networks(i)}
}

func (c Container) description(i int) map[string]any {
	state := map[string]any{"Status": "running", "Running": true}
	if c.Health != "" {
		state["Health"] = map[string]any{"Status": c.Health}
	}
	return map[string]any{
		"Id": containerID(i), "Name": "/" + c.Name, "State": state,
		"Config":     map[string]any{"Labels": c.Labels, "Env": []string{"SECRET=1"}},
		"HostConfig": map[string]any{"NetworkMode": "hal0"}, "NetworkSettings": networks(i),
	}
}
