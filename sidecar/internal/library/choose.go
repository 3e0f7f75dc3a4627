package library

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
)

// File is one file of a repository.
type File struct {
	Path   string `json:"path"` // with slashes, below the repository
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256,omitempty"` // hex; "" = the hub does not say
}

// usual are the quantisations that are taken where none is named, best first:
// what llama.cpp takes, then what most boxes can run.
func usual() []string {
	return []string{"Q4_K_M", "Q8_0", "Q4_0", "Q4_K_S", "Q5_K_M", "Q6_K", "MXFP4", "F16", "BF16"}
}

// partOf is the mark of one part of a split model.
var partOf = regexp.MustCompile(`-(\d{5})-of-(\d{5})\.gguf$`)

// model is one model of a repository: a file, or all the parts of one.
type model struct {
	base  string // path without the mark of a part and the suffix
	files []File // in order
	parts string // how many the marks speak of, "" = it is not split
}

// choose finds the files that a name means.
func choose(n Name, files []File) ([]File, error) {
	models := models(files)
	if len(models) == 0 {
		return nil, fmt.Errorf("%s: %w: the repository has no GGUF model", n, ErrNotFound)
	}
	found := matching(models, n.Quant)
	switch {
	case len(found) == 1:
		return found[0].whole(n)
	case len(found) == 0:
		return nil, fmt.Errorf("%s: %w: there are %s", n, ErrNotFound, bases(models))
	}
	return nil, fmt.Errorf("%s: %w: it could be %s; name one of them after the colon", n, ErrNotFound, bases(found))
}

// matching lists the models that a quantisation can mean; none named means the
// usual one.
func matching(models []model, quant string) []model {
	if quant != "" {
		return named(models, quant)
	}
	if len(models) == 1 {
		return models
	}
	for _, q := range usual() {
		if found := named(models, q); len(found) > 0 {
			return found
		}
	}
	return models
}

// named prefers a model's whole name to a quantisation in it.
func named(models []model, quant string) []model {
	var exact, marked []model
	for _, m := range models {
		switch want := strings.TrimSuffix(quant, ".gguf"); {
		case strings.EqualFold(m.base, want), strings.EqualFold(path.Base(m.base), want):
			exact = append(exact, m)
		case hasMark(m.base, want):
			marked = append(marked, m)
		}
	}
	if len(exact) > 0 {
		return exact
	}
	return marked
}

// hasMark reports whether quant stands in base between separators, so that Q4_K
// is not found in Q4_K_M.
func hasMark(base, quant string) bool {
	base, quant = strings.ToLower(base), strings.ToLower(quant)
	separates := func(s string) bool { return s == "" || strings.ContainsRune("-./", rune(s[0])) }
	for i := 0; ; {
		at := strings.Index(base[i:], quant)
		if at < 0 {
			return false
		}
		i += at
		before := ""
		if i > 0 {
			before = base[i-1 : i]
		}
		if separates(before) && separates(base[i+len(quant):]) {
			return true
		}
		i++
	}
}

// models groups files; projectors and importance matrices are no models.
func models(files []File) []model {
	var out []model
	for _, f := range files {
		name := strings.ToLower(path.Base(f.Path))
		if !strings.HasSuffix(name, ".gguf") || strings.HasPrefix(name, "mmproj") || strings.Contains(name, "imatrix") {
			continue
		}
		base, parts := strings.TrimSuffix(f.Path, path.Ext(f.Path)), ""
		if m := partOf.FindStringSubmatch(f.Path); m != nil {
			base, parts = partOf.ReplaceAllString(f.Path, ""), m[2]
		}
		i := slices.IndexFunc(out, func(m model) bool { return m.base == base && m.parts == parts })
		if i < 0 {
			out = append(out, model{base: base, parts: parts})
			i = len(out) - 1
		}
		out[i].files = append(out[i].files, f)
	}
	for _, m := range out {
		slices.SortFunc(m.files, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	}
	return out
}

// whole returns the model's files if none is missing.
func (m model) whole(n Name) ([]File, error) {
	if m.parts != "" && fmt.Sprintf("%05d", len(m.files)) != m.parts {
		return nil, fmt.Errorf("%s: %w: %s has %d of its %s parts", n, ErrNotFound, m.base, len(m.files), m.parts)
	}
	return m.files, nil
}

func bases(models []model) string {
	var out []string
	for i, m := range models {
		if i == 20 {
			out = append(out, "…")
			break
		}
		out = append(out, path.Base(m.base))
	}
	return strings.Join(out, ", ")
}
