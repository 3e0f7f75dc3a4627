package route

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/google/renameio/v2/maybe"
)

// Store keeps entries over a restart.
type Store interface {
	Load() ([]Entry, error)
	Save([]Entry) error
}

// File is a Store in one JSON file, replaced as a whole.
type File string

// Load reads the file; one that is not there holds nothing.
func (f File) Load() ([]Entry, error) {
	b, err := os.ReadFile(string(f))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read routes: %w", err)
	}
	var entries []Entry
	if err := json.Unmarshal(b, &entries); err != nil {
		return nil, fmt.Errorf("read routes %s: %w", f, err)
	}
	return entries, nil
}

// Save replaces the file.
func (f File) Save(entries []Entry) error {
	b, err := json.MarshalIndent(entries, "", " ")
	if err != nil {
		return fmt.Errorf("write routes: %w", err)
	}
	if err := maybe.WriteFile(string(f), append(b, '\n'), 0o600); err != nil {
		return fmt.Errorf("write routes: %w", err)
	}
	return nil
}
