package check_test

import (
	"context"
	"flag"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"

	"github.com/hal0-dev/hal0/sidecar/internal/check"
)

var update = flag.Bool("update", false, "write the golden files anew")

// environ is what compose files of the tests see.
func environ() []string { return []string{"TRAEFIK_VERSION=v3.7.9"} }

// inputs are the files at the top of a case; what lies deeper is mounted by
// them.
func inputs(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var files []string
	for _, e := range entries {
		if e.Type().IsRegular() && e.Name() != "want.txt" {
			files = append(files, e.Name())
		}
	}
	sort.Strings(files)
	return files
}

func cases(t *testing.T, pattern string) []string {
	t.Helper()
	dirs, err := filepath.Glob(pattern)
	if err != nil || len(dirs) == 0 {
		t.Fatalf("no cases at %s: %v", pattern, err)
	}
	return dirs
}

// TestBroken holds each broken configuration against what check says of it. The
// name of a case begins with the rule that must find it.
func TestBroken(t *testing.T) {
	dirs := cases(t, "testdata/broken/*")
	if len(dirs) < 40 {
		t.Errorf("there are %d broken configurations, want 40", len(dirs))
	}
	for _, dir := range dirs {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			files := inputs(t, dir)
			t.Chdir(dir)
			findings, err := check.Files(context.Background(), files, environ())
			if err != nil {
				t.Fatal(err)
			}
			named := false
			for _, f := range findings {
				named = named || strings.HasPrefix(filepath.Base(dir)+"-", f.Rule+"-")
			}
			if !named {
				t.Errorf("no finding of the rule that the case is named after")
			}
			var got strings.Builder
			if err := check.Write(&got, findings); err != nil {
				t.Fatal(err)
			}
			golden(t, got.String())
		})
	}
}

func golden(t *testing.T, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile("want.txt", []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile("want.txt")
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

// TestClean: ordinary files are left in peace.
func TestClean(t *testing.T) {
	for _, dir := range cases(t, "testdata/clean/*") {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			files := inputs(t, dir)
			t.Chdir(dir)
			findings, err := check.Files(context.Background(), files, environ())
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range findings {
				t.Error(f)
			}
		})
	}
}

// TestOwn: the repository's own files are clean.
func TestOwn(t *testing.T) {
	t.Chdir("../../..")
	findings, err := check.Files(context.Background(), []string{"docker-compose.yml"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range findings {
		t.Error(f)
	}
}

// TestUnreadable: what cannot be checked is an error, never a clean bill.
func TestUnreadable(t *testing.T) {
	for _, dir := range cases(t, "testdata/unreadable/*") {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			if _, err := check.Files(context.Background(), []string{dir}, environ()); err == nil {
				t.Error("no error")
			}
		})
	}
	if _, err := check.Files(context.Background(), []string{"testdata/absent.yml"}, environ()); err == nil {
		t.Error("no error for a file that is not there")
	}
}
