package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/hal0-dev/hal0/"

// mayImport lists, for each package of the sidecar, the packages of ours that it
// may import, beside plugin/wire, which everybody may. package main, the one
// place that knows every concrete type, is not in it.
var mayImport = map[string][]string{
	"allow":     {"config"},
	"api":       {"dashboard", "device", "hub", "pool", "relay", "route", "slot"},
	"check":     {"plugin", "plugin/decode", "allow", "config", "engine"},
	"config":    {},
	"dashboard": {},
	"demo":      {},
	"device":    {},
	"doctor":    {"device"},
	"engine":    {"gguf"},
	"gguf":      {},
	"hub":       {},
	"library":   {"lockfile"},
	"lockfile":  {},
	"login":     {},
	"metrics":   {"api", "device", "hub", "pool", "slot"},
	"pool":      {"device", "slot"},
	"proc":      {},
	"relay":     {"hub", "pool", "slot", "sse"},
	"route":     {},
	"slot":      {},

	"relay/relaytest": {"hub", "pool", "relay", "slot", "sse"},
	"slot/slottest":   {"slot"},

	"socket": {},
	"sse":    {},
	"tail":   {},
	"token":  {},
	"trace":  {"api"},
	"watch":  {},
}

// mayNotImport are packages of others that would put a package where it does not
// belong.
var mayNotImport = map[string][]string{
	"hub":  {"net/http"},
	"sse":  {"net/http"},
	"slot": {"net/http", "os/exec"},
	"pool": {"net/http", "os/exec"},
	"proc": {"net/http"},
}

func TestDependenciesPointOneWay(t *testing.T) {
	for path, file := range sources(t, "internal") {
		pkg := strings.TrimPrefix(filepath.ToSlash(filepath.Dir(path)), "internal/")
		allowed, known := mayImport[pkg]
		if !known {
			t.Errorf("%s: package %s is not in mayImport", path, pkg)
			continue
		}
		for _, spec := range file.Imports {
			name := strings.Trim(spec.Path.Value, `"`)
			ours, inside := strings.CutPrefix(name, module)
			ours = strings.TrimPrefix(ours, "sidecar/internal/")
			if inside && ours != "plugin/wire" && !slices.Contains(allowed, ours) {
				t.Errorf("%s imports %s; it may import %v", path, ours, allowed)
			}
			if slices.Contains(mayNotImport[pkg], name) {
				t.Errorf("%s imports %s, which package %s has no business with", path, name, pkg)
			}
		}
	}
}

func TestPackagesSayWhatTheyAre(t *testing.T) {
	docs := map[string]int{}
	for path, file := range sources(t, ".") {
		dir := filepath.Dir(path)
		docs[dir] += 0
		if file.Doc != nil {
			docs[dir]++
		}
	}
	for dir, n := range docs {
		if n != 1 {
			t.Errorf("%s has %d package comments, want one", dir, n)
		}
	}
}

// Bounds of the house, in lines.
const (
	maxFile     = 300
	maxFunction = 60
)

func TestFilesAndFunctionsAreShort(t *testing.T) {
	set := token.NewFileSet()
	for _, root := range []string{".", "../plugin"} {
		for path, file := range parsed(t, set, root) {
			if n := set.Position(file.FileEnd).Line - 1; n > maxFile {
				t.Errorf("%s has %d lines, more than %d", path, n, maxFile)
			}
			for _, d := range file.Decls {
				f, ok := d.(*ast.FuncDecl)
				if !ok {
					continue
				}
				if n := set.Position(f.End()).Line - set.Position(f.Pos()).Line + 1; n > maxFunction {
					t.Errorf("%s: %s has %d lines, more than %d", path, f.Name.Name, n, maxFunction)
				}
			}
		}
	}
}

func sources(t *testing.T, root string) map[string]*ast.File {
	t.Helper()
	return parsed(t, token.NewFileSet(), root)
}

// parsed reads every Go file below root that is not a test.
func parsed(t *testing.T, set *token.FileSet, root string) map[string]*ast.File {
	t.Helper()
	files := map[string]*ast.File{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		files[path], err = parser.ParseFile(set, path, nil, parser.ParseComments)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Fatalf("no Go files below %s", root)
	}
	return files
}
