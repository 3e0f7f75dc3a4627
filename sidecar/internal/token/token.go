// Package token owns the secret that plugin and sidecar share. The sidecar makes
// it at its first start, in a folder that both can read; it never travels, only
// MACs made with it do.
package token

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/google/renameio/v2/maybe"
	"github.com/hal0-dev/hal0/plugin/wire"
)

// Overlap is how long a token that was replaced is still taken.
const Overlap = 2 * wire.Window

// File is a token in a file. Make it with Open.
type File struct {
	path string

	mu      sync.Mutex // guards what follows
	changed time.Time  // the file's own time of change
	current string
	former  string // "" = none
	until   time.Time
}

// Open reads the token at path, and makes it where there is none.
func Open(path string) (*File, error) {
	f := &File{path: path}
	s, changed, err := read(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err := create(path); err != nil {
			return nil, err
		}
		s, changed, err = read(path)
	}
	if err != nil {
		return nil, err
	}
	f.current, f.changed = s, changed
	return f, nil
}

// Path is where the token lies.
func (f *File) Path() string { return f.path }

// Tokens returns every token that is taken now, the current one first. A file
// that was replaced is read again, at once, since the plugin does so too; one
// that cannot be read changes nothing.
func (f *File) Tokens() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now()
	f.refreshLocked(now)
	if f.former != "" && now.Before(f.until) {
		return []string{f.current, f.former}
	}
	return []string{f.current}
}

// refreshLocked is a stat in the common case, which is cheap enough to do for
// each request, and under the lock.
func (f *File) refreshLocked(now time.Time) {
	info, err := os.Stat(f.path)
	if err != nil || info.ModTime().Equal(f.changed) {
		return
	}
	s, changed, err := read(f.path)
	if err != nil {
		return
	}
	if s != f.current {
		f.former, f.until, f.current = f.current, now.Add(Overlap), s
	}
	f.changed = changed
}

func read(path string) (string, time.Time, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", time.Time{}, fmt.Errorf("read token: %w", err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return "", time.Time{}, fmt.Errorf("read token: %w", err)
	}
	s := strings.TrimSpace(string(b))
	if !wire.ValidToken(s) {
		return "", time.Time{}, fmt.Errorf("read token: %s does not hold a token (%s and 43 characters); remove the file and a new one is made", path, wire.TokenPrefix)
	}
	return s, info.ModTime(), nil
}

// create writes a new token by rename, readable by the owner and the group:
// Traefik runs as the same user or shares the group.
func create(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return fmt.Errorf("make token: %w", err)
	}
	var secret [32]byte
	rand.Read(secret[:])
	s := wire.TokenPrefix + base64.RawURLEncoding.EncodeToString(secret[:])
	if err := maybe.WriteFile(path, []byte(s+"\n"), 0o640); err != nil {
		return fmt.Errorf("make token: %w", err)
	}
	return nil
}
