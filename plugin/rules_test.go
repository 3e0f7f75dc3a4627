package plugin

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// interpreted are the packages that Yaegi runs.
var interpreted = []string{".", "wire"}

// TestRules looks for what compiles but does not run, or runs differently, in
// Yaegi v0.16.1.
func TestRules(t *testing.T) {
	files := 0
	for _, dir := range interpreted {
		paths, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			if strings.HasSuffix(path, "_test.go") {
				continue
			}
			files++
			src, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			for _, fault := range faults(t, path, src) {
				t.Error(fault)
			}
			if lines := bytes.Count(src, []byte("\n")); lines >= 300 {
				t.Errorf("%s: %d lines", path, lines)
			}
		}
	}
	if files < 20 {
		t.Fatalf("looked at %d files only", files)
	}
}

// TestRulesFind proves the lint itself with one planted defect each.
func TestRulesFind(t *testing.T) {
	const head = "//go:build go1.21\n\npackage p\n\n"
	for name, src := range map[string]string{
		"tag":       "package p\n",
		"import":    head + "import \"github.com/traefik/paerser/parser\"\n\nvar _ = parser.Decode\n",
		"slices":    head + "import \"slices\"\n\nvar _ = slices.Max[[]int]\n",
		"exec":      head + "import \"os/exec\"\n\nvar _ = exec.Command\n",
		"min":       head + "var x = min(1, 2)\n",
		"clear":     head + "func f(m map[string]int) { clear(m) }\n",
		"errors.As": head + "import \"errors\"\n\nvar _ = errors.As\n",
		"generic":   head + "func f[T any](v T) T { return v }\n",
		"type":      head + "type s[T any] struct{ v T }\n",
		"range":     head + "func f() {\n\tfor range 3 {\n\t}\n}\n",
		"unnamed":   head + "var f = func(int) {}\n",
		"error":     head + "type e struct{}\n\nfunc (e) Error() string { return \"\" }\n",
		"json":      head + "type e struct{}\n\nfunc (e) MarshalJSON() ([]byte, error) { return nil, nil }\n",
		"leak":      head + "type e struct {\n\tA string `json:\"a\"`\n\tb string\n}\n",
		"onceValue": head + "import \"sync\"\n\nvar _ = sync.OnceValue[int]\n",
		"pointer":   head + "import \"sync/atomic\"\n\nvar _ atomic.Pointer[int]\n",
		"any":       head + "var _ any\n",
		"assign":    head + "func f() (a, b int) {\n\ta, b = len(\"x\"), 2\n\treturn a, b\n}\n",
		"return":    head + "func f(s string) (string, int) {\n\treturn g(s), len(s)\n}\n",
		"case":      head + "func f(s string) {\n\tswitch {\n\tcase s == \"a\", s > \"b\" && s < \"c\":\n\t}\n}\n",
		"syscall":   head + "import \"syscall\"\n\nvar _ = syscall.SIGTERM\n",
	} {
		if len(faults(t, name+".go", []byte(src))) == 0 {
			t.Errorf("%s: not found", name)
		}
	}
	if found := faults(t, "good.go", []byte(head+"func f(m []int) {\n\tfor i := range m {\n\t\t_ = i\n\t}\n}\n")); len(found) != 0 {
		t.Errorf("good code: %v", found)
	}
}

// missing are packages that Yaegi's tables of the standard library lack, or
// whose functions are generic.
var missing = []string{"slices", "maps", "cmp", "iter", "unique", "weak", "structs", "embed", "os/exec", "syscall", "unsafe", "testing/synctest", "plugin"}

// undefined are names that Yaegi does not define.
var undefined = map[string]bool{"min": true, "max": true, "clear": true, "any": true}

// wrong are selectors that are missing or misbehave.
var wrong = []string{"errors.As", "errors.AsType", "sync.OnceValue", "sync.OnceValues", "sync.OnceFunc", "atomic.Pointer",
	"strings.SplitSeq", "strings.Lines", "strings.FieldsSeq", "bytes.SplitSeq", "bytes.Lines", "runtime.AddCleanup"}

func faults(t *testing.T, path string, src []byte) []string {
	t.Helper()
	var found []string
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, path, src, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	add := func(at token.Pos, what string) { found = append(found, set.Position(at).String()+": "+what) }
	if !bytes.HasPrefix(src, []byte("//go:build go1.21\n")) {
		add(file.Pos(), "the first line is not //go:build go1.21")
	}
	for _, spec := range file.Imports {
		name := strings.Trim(spec.Path.Value, `"`)
		if strings.Contains(name, ".") && name != "github.com/hal0-dev/hal0/plugin/wire" {
			add(spec.Pos(), "imports "+name)
		}
		for _, m := range missing {
			if name == m {
				add(spec.Pos(), "imports "+name+", which Yaegi does not have")
			}
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		if n != nil {
			if what := fault(n); what != "" {
				add(n.Pos(), what)
			}
		}
		return true
	})
	return found
}

// fault says what is wrong with one node, "" = nothing.
func fault(n ast.Node) string {
	switch n := n.(type) {
	case *ast.Ident:
		if undefined[n.Name] && n.Obj == nil {
			return n.Name + " does not exist in Yaegi"
		}
	case *ast.SelectorExpr:
		if base, ok := n.X.(*ast.Ident); ok {
			for _, w := range wrong {
				if base.Name+"."+n.Sel.Name == w {
					return w + " does not work in Yaegi"
				}
			}
		}
	case *ast.FuncType:
		if n.TypeParams != nil {
			return "generic function"
		}
	case *ast.TypeSpec:
		if n.TypeParams != nil {
			return "generic type"
		}
	case *ast.RangeStmt:
		if _, ok := n.X.(*ast.BasicLit); ok {
			return "range over an integer"
		}
	case *ast.FuncLit:
		for _, p := range n.Type.Params.List {
			if len(p.Names) == 0 {
				return "a function literal with unnamed parameters"
			}
		}
	case *ast.FuncDecl:
		if n.Recv != nil && (n.Name.Name == "Error" || n.Name.Name == "MarshalJSON" || n.Name.Name == "UnmarshalJSON") {
			return "method " + n.Name.Name + ": compiled code does not see it"
		}
	case *ast.AssignStmt:
		if len(n.Rhs) > 1 && calls(n.Rhs) {
			return "an assignment of several values with a call among them: Yaegi loses one"
		}
	case *ast.ReturnStmt:
		if len(n.Results) > 1 && builtins(n.Results[1:]) {
			return "a builtin's call among several results: Yaegi puts it into the first"
		}
	case *ast.CaseClause:
		if len(n.List) > 1 && logic(n.List) {
			return "several conditions in one case: Yaegi does not see all"
		}
	case *ast.StructType:
		return leak(n)
	}
	return ""
}

func builtins(list []ast.Expr) bool {
	for _, e := range list {
		if call, ok := e.(*ast.CallExpr); ok {
			if name, ok := call.Fun.(*ast.Ident); ok && (name.Name == "len" || name.Name == "cap" || name.Name == "append" || name.Name == "copy") {
				return true
			}
		}
	}
	return false
}

func logic(list []ast.Expr) bool {
	for _, e := range list {
		if _, ok := e.(*ast.BinaryExpr); ok {
			return true
		}
	}
	return false
}

func calls(list []ast.Expr) bool {
	found := false
	for _, e := range list {
		ast.Inspect(e, func(n ast.Node) bool {
			if _, ok := n.(*ast.CallExpr); ok {
				found = true
			}
			return true
		})
	}
	return found
}

// leak finds a struct for JSON with an unexported field, which Yaegi would
// write.
func leak(s *ast.StructType) string {
	tagged, hidden := false, false
	for _, f := range s.Fields.List {
		if f.Tag != nil && strings.Contains(f.Tag.Value, "json:") {
			tagged = true
		}
		for _, name := range f.Names {
			hidden = hidden || !name.IsExported()
		}
	}
	if tagged && hidden {
		return "a struct for JSON with an unexported field"
	}
	return ""
}
