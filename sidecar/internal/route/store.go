package route

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/google/renameio/v2/maybe"
)

// Kept is what outlives a restart.
type Kept struct {
	Routes []Entry         `json:"routes"`
	Pins   map[string]bool `json:"pins,omitempty"` // by slot, as said by hand
}

// Store keeps routes over a restart.
type Store interface {
	Load() (Kept, error)
	Save(Kept) error
}

// File is a Store in one JSON file, replaced as a whole.
type File string

// Load reads the file; one that is not there holds nothing.
func (f File) Load() (Kept, error) {
	b, err := os.ReadFile(string(f))
	if errors.Is(err, fs.ErrNotExist) {
		return Kept{}, nil
	}
	if err != nil {
		return Kept{}, fmt.Errorf("read routes: %w", err)
	}
	var kept Kept
	if err := json.Unmarshal(b, &kept); err != nil {
		return Kept{}, fmt.Errorf("read routes %s: %w", f, err)
	}
	return kept, nil
}

// Save replaces the file.
func (f File) Save(kept Kept) error {
	b, err := json.MarshalIndent(kept, "", " ")
	if err != nil {
		return fmt.Errorf("write routes: %w", err)
	}
	if err := maybe.WriteFile(string(f), append(b, '\n'), 0o600); err != nil {
		return fmt.Errorf("write routes: %w", err)
	}
	return nil
}
