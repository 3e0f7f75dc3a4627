package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/google/renameio/v2/maybe"
	"github.com/hal0-dev/hal0/sidecar/internal/pool"
)

// learnedFile keeps boot times and needs over a restart, in one JSON file that
// is replaced as a whole.
type learnedFile string

var _ pool.Store = learnedFile("")

func (f learnedFile) Load() (map[string]pool.Learned, error) {
	b, err := os.ReadFile(string(f))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read learned times: %w", err)
	}
	var known map[string]pool.Learned
	if err := json.Unmarshal(b, &known); err != nil {
		return nil, fmt.Errorf("read learned times %s: %w", f, err)
	}
	return known, nil
}

func (f learnedFile) Save(known map[string]pool.Learned) error {
	b, err := json.MarshalIndent(known, "", " ")
	if err != nil {
		return fmt.Errorf("write learned times: %w", err)
	}
	if err := maybe.WriteFile(string(f), append(b, '\n'), 0o600); err != nil {
		return fmt.Errorf("write learned times: %w", err)
	}
	return nil
}
