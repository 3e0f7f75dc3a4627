package login

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/bcrypt"
)

func TestPassword(t *testing.T) {
	path := filepath.Join(t.TempDir(), "password")
	k, made, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile(`^[a-z2-7]{4}(-[a-z2-7]{4}){3}$`).MatchString(made) {
		t.Errorf("made %q", made)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if b, _ := os.ReadFile(path); strings.Contains(string(b), made) {
		t.Error("the password itself is kept")
	}
	session, _ := k.Session()
	again, shown, err := Open(path)
	if err != nil || shown != "" {
		t.Errorf("opened again: %q, %v", shown, err)
	}
	if !again.Valid(session) {
		t.Error("a session ends with the sidecar")
	}
}

func TestCheck(t *testing.T) {
	path := filepath.Join(t.TempDir(), "password")
	made, err := create(path, bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	k, _, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if ok, _ := k.Check(made); !ok {
		t.Error("the password is refused")
	}
	if ok, _ := k.Check(made + "x"); ok {
		t.Error("another is taken")
	}
}

func TestSession(t *testing.T) {
	path := filepath.Join(t.TempDir(), "password")
	if _, err := create(path, bcrypt.MinCost); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		k, _, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		session, until := k.Session()
		if !k.Valid(session) || !until.Equal(time.Now().Add(Lasting)) {
			t.Error("a new session is not valid")
		}
		end, mac, _ := strings.Cut(session, ".")
		for _, wrong := range []string{"", ".", end, end + ".", end + "." + mac + "A", "9" + session, "x." + mac} {
			if k.Valid(wrong) {
				t.Errorf("%q is taken for a session", wrong)
			}
		}
		time.Sleep(Lasting)
		if k.Valid(session) {
			t.Error("the session is good after its end")
		}
		session, _ = k.Session()
		if _, err := create(path, bcrypt.MinCost); err != nil {
			t.Fatal(err)
		}
		// The file's time is the real clock's: set one that differs for sure.
		if err := os.Chtimes(path, time.Unix(5, 0), time.Unix(5, 0)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(recheck)
		if k.Valid(session) {
			t.Error("the session outlives its password")
		}
	})
}

func TestTooManyTries(t *testing.T) {
	path := filepath.Join(t.TempDir(), "password")
	made, err := create(path, bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		k, _, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		for range tries {
			if ok, retry := k.Check("wrong"); ok || retry != 0 {
				t.Fatalf("a wrong password: %t, %s", ok, retry)
			}
		}
		time.Sleep(10 * time.Second)
		if ok, retry := k.Check(made); ok || retry != tryWindow-10*time.Second {
			t.Errorf("after too many: %t, %s", ok, retry)
		}
		time.Sleep(tryWindow - 10*time.Second)
		if ok, retry := k.Check(made); !ok || retry != 0 {
			t.Errorf("after the pause: %t, %s", ok, retry)
		}
	})
}

func TestUnreadable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(path, []byte("hunter2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Open(path); err == nil || !strings.Contains(err.Error(), "remove it") || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("error is %v", err)
	}
}
