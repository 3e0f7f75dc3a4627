package library

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Item is one model file in the models directory.
type Item struct {
	Path     string // below the directory, with slashes: the name for a declaration
	Size     int64  // on disk it may be less: files can have holes
	Modified time.Time
	Names    []string // hub names that mean it
	Partial  bool     // not whole yet
}

// List walks the models directory.
func (l *Library) List() ([]Item, error) {
	var items []Item
	names := map[string][]string{}
	err := filepath.WalkDir(l.cfg.Dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(l.cfg.Dir, path)
		if err != nil || d.IsDir() {
			return err
		}
		rel = filepath.ToSlash(rel)
		if strings.HasSuffix(rel, ".json") && filepath.Base(filepath.Dir(path)) == ".hal0" {
			l.collectNames(path, names)
			return nil
		}
		whole, partial := strings.CutSuffix(rel, ".part")
		if !strings.HasSuffix(strings.ToLower(whole), ".gguf") {
			return nil
		}
		info, err := os.Stat(path) // through links
		if err != nil {
			return nil // a link to nowhere
		}
		items = append(items, Item{Path: whole, Size: info.Size(), Modified: info.ModTime(), Partial: partial})
		return nil
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list models: %w", err)
	}
	for i := range items {
		items[i].Names = names[items[i].Path]
	}
	return items, nil
}

// collectNames notes which files a manifest's name stands for.
func (l *Library) collectNames(path string, names map[string][]string) {
	repo, err := filepath.Rel(filepath.Join(l.cfg.Dir, "hf"), filepath.Dir(filepath.Dir(path)))
	if err != nil {
		return
	}
	quant := strings.TrimSuffix(filepath.Base(path), ".json")
	if quant == "default" {
		quant = ""
	}
	n := Name{filepath.ToSlash(repo), strings.ReplaceAll(quant, "+", "/")}
	m, err := l.readManifest(n)
	if err != nil {
		return
	}
	for _, f := range m.Files {
		rel := "hf/" + n.Repo + "/" + f.Path
		names[rel] = append(names[rel], n.String())
	}
}

// Remove deletes a model: a hub name with its files, or one file below the
// models directory. Files that another name needs stay.
func (l *Library) Remove(model string) error {
	if !IsHub(model) {
		return l.removeFile(model)
	}
	n, err := ParseName(model)
	if err != nil {
		return err
	}
	m, err := l.readManifest(n)
	if err != nil {
		return err
	}
	items, err := l.List()
	if err != nil {
		return err
	}
	if err := os.Remove(l.manifestPath(n)); err != nil {
		return fmt.Errorf("remove %s: %w", n, err)
	}
	var problems []error
	for _, f := range m.Files {
		if needed(items, "hf/"+n.Repo+"/"+f.Path, n.String()) {
			continue
		}
		for _, path := range []string{l.file(n, f), l.file(n, f) + ".part"} {
			if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
				problems = append(problems, err)
			}
		}
	}
	if err := errors.Join(problems...); err != nil {
		return fmt.Errorf("remove %s: %w", n, err)
	}
	return nil
}

// needed reports whether a name other than ours means the file.
func needed(items []Item, path, ours string) bool {
	for _, i := range items {
		for _, name := range i.Names {
			if i.Path == path && name != ours {
				return true
			}
		}
	}
	return false
}

func (l *Library) removeFile(name string) error {
	path := filepath.FromSlash(name)
	if !filepath.IsLocal(path) || !strings.HasSuffix(strings.ToLower(path), ".gguf") {
		return fmt.Errorf("remove %s: it is no model file below the models directory", name)
	}
	root, err := os.OpenRoot(l.cfg.Dir)
	if err != nil {
		return fmt.Errorf("remove %s: %w", name, err)
	}
	defer root.Close()
	if err := root.Remove(path); err != nil {
		return fmt.Errorf("remove %s: %w", name, err)
	}
	return nil
}
