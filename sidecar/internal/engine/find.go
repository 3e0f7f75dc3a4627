package engine

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
)

// FindLlamaServer returns the llama-server to use: the named one, that of
// LLAMA_SERVER, the PATH's, or one in a place where packages and container
// images put it. "" = there is none. A named one is returned as it is, so that
// its absence is told where it is used.
func FindLlamaServer(named string, getenv func(string) string) string {
	for _, path := range []string{named, getenv("LLAMA_SERVER")} {
		if path != "" {
			return path
		}
	}
	name := "llama-server"
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	for _, dir := range []string{"/app", "/usr/local/bin", "/opt/homebrew/bin", "/usr/lib/llama.cpp"} {
		path := filepath.Join(dir, name)
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
			return path
		}
	}
	return ""
}
