package library

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/renameio/v2/maybe"
)

// manifest is what a name stands for.
type manifest struct {
	Name  string `json:"name"`
	Files []File `json:"files"`
}

// ErrAbsent is a model whose files are not all here.
var ErrAbsent = errors.New("the model has not been fetched")

// dir is where a repository's files are.
func (l *Library) dir(n Name) string {
	return filepath.Join(l.cfg.Dir, "hf", filepath.FromSlash(n.Repo))
}

func (l *Library) manifestPath(n Name) string {
	quant := strings.ReplaceAll(n.Quant, "/", "+")
	if quant == "" {
		quant = "default"
	}
	return filepath.Join(l.dir(n), ".hal0", quant+".json")
}

func (l *Library) readManifest(n Name) (manifest, error) {
	var m manifest
	b, err := os.ReadFile(l.manifestPath(n))
	if errors.Is(err, fs.ErrNotExist) {
		return m, fmt.Errorf("%s: %w", n, ErrAbsent)
	}
	if err == nil {
		err = json.Unmarshal(b, &m)
	}
	if err != nil || len(m.Files) == 0 { // a damaged one is made anew
		return m, fmt.Errorf("%s: %w: its manifest cannot be read", n, ErrAbsent)
	}
	for _, f := range m.Files {
		if !filepath.IsLocal(filepath.FromSlash(f.Path)) {
			return m, fmt.Errorf("%s: its manifest leaves the directory: %s", n, f.Path)
		}
	}
	return m, nil
}

func (l *Library) writeManifest(n Name, files []File) error {
	b, err := json.MarshalIndent(manifest{n.String(), files}, "", "  ")
	if err != nil {
		return fmt.Errorf("write manifest: %w", err)
	}
	path := l.manifestPath(n)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("write manifest: %w", err)
	}
	if err := maybe.WriteFile(path, append(b, '\n'), 0o644); err != nil {
		return fmt.Errorf("write manifest: %w", err)
	}
	return nil
}

// Path returns the file to give to an engine: the first part of a split model.
// ErrAbsent means that Fetch is needed.
func (l *Library) Path(model string) (string, error) {
	n, err := ParseName(model)
	if err != nil {
		return "", err
	}
	m, err := l.readManifest(n)
	if err != nil {
		return "", err
	}
	for _, f := range m.Files {
		if !l.has(n, f) {
			return "", fmt.Errorf("%s: %w: %s is missing", n, ErrAbsent, f.Path)
		}
	}
	return l.file(n, m.Files[0]), nil
}

func (l *Library) file(n Name, f File) string {
	return filepath.Join(l.dir(n), filepath.FromSlash(f.Path))
}

func (l *Library) has(n Name, f File) bool {
	info, err := os.Stat(l.file(n, f))
	return err == nil && info.Mode().IsRegular() && info.Size() == f.Size
}
