package token

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hal0-dev/hal0/plugin/wire"
)

func TestFirstStartMakesAToken(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sub", "token")
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	got := f.Tokens()
	if len(got) != 1 || !wire.ValidToken(got[0]) {
		t.Fatalf("tokens = %d, form valid: %v", len(got), wire.ValidToken(got[0]))
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o640 {
		t.Errorf("mode %o, want 640", info.Mode().Perm())
	}
	again, err := Open(path)
	if err != nil || again.Tokens()[0] != got[0] {
		t.Errorf("a second start does not keep the token (%v)", err)
	}
}

func TestBothTokensAreTakenForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "token")
		f, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		old := f.Tokens()[0]
		next := wire.TokenPrefix + strings.Repeat("A", 43)
		replace(t, path, next, time.Unix(1, 0))
		if got := f.Tokens(); len(got) != 2 || got[0] != next || got[1] != old {
			t.Errorf("after the change %d tokens are taken, want the new one and the old one", len(got))
		}
		replace(t, path, "rubbish", time.Unix(2, 0))
		if got := f.Tokens(); len(got) != 2 || got[0] != next {
			t.Error("a file without a token changed what is taken")
		}
		time.Sleep(Overlap)
		if got := f.Tokens(); len(got) != 1 || got[0] != next {
			t.Errorf("after the overlap %d tokens are taken, want one", len(got))
		}
	})
}

func TestAnotherFormIsRefusedWithoutEcho(t *testing.T) {
	path := filepath.Join(t.TempDir(), "token")
	replace(t, path, "hunter2", time.Unix(1, 0))
	_, err := Open(path)
	if err == nil || strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), path) {
		t.Errorf("error = %v, want one that names the file and not its content", err)
	}
}

func replace(t *testing.T, path, content string, changed time.Time) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content+"\n"), 0o640); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, changed, changed); err != nil {
		t.Fatal(err)
	}
}
