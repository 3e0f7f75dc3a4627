package main

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/hal0-dev/hal0/sidecar/internal/pool"
)

func TestLearnedFile(t *testing.T) {
	f := learnedFile(filepath.Join(t.TempDir(), "learned.json"))
	if known, err := f.Load(); err != nil || len(known) != 0 {
		t.Errorf("before the first boot: %v, %v", known, err)
	}
	want := map[string]pool.Learned{"print": {Boots: []time.Duration{3 * time.Second, 5 * time.Second}, Need: 1 << 30}}
	if err := f.Save(want); err != nil {
		t.Fatal(err)
	}
	got, err := f.Load()
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	if eta, budget := got["print"].ETA(), got["print"].Budget(); eta != 3*time.Second || budget != 30*time.Second {
		t.Errorf("ETA %v, budget %v", eta, budget)
	}
	if err := os.WriteFile(string(f), []byte(`{"print":`), 0o644); err != nil {
		t.Fatal(err)
	}
	if known, err := f.Load(); err == nil || len(known) != 0 {
		t.Errorf("a damaged file: %v, %v", known, err)
	}
	if err := f.Save(want); err != nil { // and is replaced
		t.Error(err)
	}
}
