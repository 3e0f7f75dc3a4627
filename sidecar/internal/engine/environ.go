package engine

import "strings"

// Environ is what an engine inherits of the sidecar's environment: all but what
// belongs to the sidecar, and what would change the engine's flags behind the
// plan's back.
func Environ(own []string) []string {
	var out []string
	for _, kv := range own {
		if !withheld(kv) {
			out = append(out, kv)
		}
	}
	return out
}

func withheld(kv string) bool {
	for _, p := range []string{"HAL0_", "LLAMA_ARG_", "LLAMA_API_KEY=", "LLAMA_SERVER=", "HF_TOKEN=", "HUGGING_FACE_HUB_TOKEN=", "NOTIFY_SOCKET=", "OTEL_", "LISTEN_"} {
		if strings.HasPrefix(kv, p) {
			return true
		}
	}
	return false
}
