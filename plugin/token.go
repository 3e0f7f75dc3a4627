//go:build go1.21

package plugin

import (
	"io"
	"os"
	"strconv"
	"strings"
	"sync"

	"github.com/hal0-dev/hal0/plugin/wire"
)

// tokenCache keeps what the token files held, for all instances.
type tokenCache struct {
	mu    sync.Mutex
	files map[string]*tokenFile // by path
}

// tokenFile is what one file held when it was read last.
type tokenFile struct {
	modified int64 // unix nanoseconds
	token    string
	problem  string // for people; never holds content
}

var tokens = &tokenCache{files: map[string]*tokenFile{}}

// get returns the token, or why there is none. The file is read when first
// needed and again when it changed; only its state is asked each time.
func (c *tokenCache) get(path string) (token, problem string) {
	info, err := os.Stat(path)
	if err != nil {
		return "", unreadable(path, "it is not there")
	}
	c.mu.Lock()
	f := c.files[path]
	c.mu.Unlock()
	if f == nil || f.modified != info.ModTime().UnixNano() || f.problem != "" {
		f = c.read(path, info)
	}
	return f.token, f.problem
}

// read may be run by two requests at once; both find the same.
func (c *tokenCache) read(path string, info os.FileInfo) *tokenFile {
	fresh := readToken(path, info)
	c.mu.Lock()
	c.files[path] = fresh
	c.mu.Unlock()
	return fresh
}

func readToken(path string, info os.FileInfo) *tokenFile {
	fresh := &tokenFile{modified: info.ModTime().UnixNano()}
	if !info.Mode().IsRegular() || info.Size() > 4096 {
		fresh.problem = unreadable(path, "it is not a token file")
		return fresh
	}
	f, err := os.Open(path)
	if err != nil {
		fresh.problem = unreadable(path, "it cannot be opened")
		return fresh
	}
	content, err := io.ReadAll(io.LimitReader(f, 4096))
	_ = f.Close()
	if err != nil {
		fresh.problem = unreadable(path, "it cannot be read")
		return fresh
	}
	token := strings.TrimSpace(string(content))
	if !wire.ValidToken(token) {
		fresh.problem = unreadable(path, "its content does not have a token's form")
		return fresh
	}
	fresh.token = token
	return fresh
}

func unreadable(path, why string) string {
	return "The token file " + path + " gives no token to uid " + strconv.Itoa(os.Getuid()) + ": " + why + "."
}
