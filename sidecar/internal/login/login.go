// Package login keeps the dashboard's password: one, made at the first start,
// shown once, and kept as a bcrypt hash in a file that only its owner reads.
//
// A session is a value that carries its own end and a MAC whose key comes from
// the hash: it outlives a restart, needs no table, and ends when the password
// changes.
//
// Concurrency: a Keeper is safe for concurrent use; its mutex guards what it
// last read, and the count of wrong tries. Passwords are compared one at a time,
// because comparing is made to be slow.
package login

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/renameio/v2/maybe"
	"golang.org/x/crypto/bcrypt"
)

const (
	// Lasting is how long a session is good for.
	Lasting = 30 * 24 * time.Hour
	// tries is how many wrong passwords are looked at in a tryWindow.
	tries     = 10
	tryWindow = time.Minute
	recheck   = time.Second // how often the file's time of change is looked at
)

// Keeper is the password in a file. Make it with Open.
type Keeper struct {
	path    string
	compare sync.Mutex // held while a password is compared

	mu      sync.Mutex // guards what follows
	hash    []byte
	changed time.Time // the file's own time of change
	checked time.Time
	wrong   int
	window  time.Time // when counting began
}

// Open reads the password's hash at path. Where there is none, it makes a
// password and returns it, for the one time that it can be seen.
func Open(path string) (k *Keeper, made string, err error) {
	k = &Keeper{path: path}
	k.hash, k.changed, err = read(path)
	if errors.Is(err, fs.ErrNotExist) {
		if made, err = Make(path); err != nil {
			return nil, "", err
		}
		k.hash, k.changed, err = read(path)
	}
	if err != nil {
		return nil, "", err
	}
	k.checked = time.Now()
	return k, made, nil
}

// Make makes a new password, writes its hash to path by rename, and returns it.
// A running sidecar takes it within a second; its sessions end.
func Make(path string) (string, error) { return create(path, bcrypt.DefaultCost) }

func create(path string, cost int) (string, error) {
	var random [10]byte
	rand.Read(random[:])
	letters := strings.ToLower(base32.StdEncoding.EncodeToString(random[:])) // 80 bits
	password := letters[0:4] + "-" + letters[4:8] + "-" + letters[8:12] + "-" + letters[12:16]
	hash, err := bcrypt.GenerateFromPassword([]byte(password), cost)
	if err != nil {
		return "", fmt.Errorf("make password: %w", err)
	}
	if err := maybe.WriteFile(path, append(hash, '\n'), 0o600); err != nil {
		return "", fmt.Errorf("make password: %w", err)
	}
	return password, nil
}

func read(path string) ([]byte, time.Time, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("read password: %w", err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("read password: %w", err)
	}
	hash := []byte(strings.TrimSpace(string(b)))
	if _, err := bcrypt.Cost(hash); err != nil {
		return nil, time.Time{}, fmt.Errorf("read password: %s holds no bcrypt hash; remove it and a new password is made", path)
	}
	return hash, info.ModTime(), nil
}

// current is the hash, read again where the file was replaced. A file that
// cannot be read changes nothing.
func (k *Keeper) current() []byte {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := time.Now()
	if now.Sub(k.checked) < recheck {
		return k.hash
	}
	k.checked = now
	// A stat, once a second: cheap enough to do under the lock.
	if info, err := os.Stat(k.path); err != nil || info.ModTime().Equal(k.changed) {
		return k.hash
	}
	if hash, changed, err := read(k.path); err == nil {
		k.hash, k.changed = hash, changed
	}
	return k.hash
}

// Check compares a password. After too many wrong ones none is looked at until
// retry has passed.
func (k *Keeper) Check(password string) (ok bool, retry time.Duration) {
	k.compare.Lock()
	defer k.compare.Unlock()
	if retry := k.barred(time.Now()); retry > 0 {
		return false, retry
	}
	if bcrypt.CompareHashAndPassword(k.current(), []byte(password)) == nil {
		return true, 0
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.wrong++
	return false, 0
}

// barred is how long no password is looked at.
func (k *Keeper) barred(now time.Time) time.Duration {
	k.mu.Lock()
	defer k.mu.Unlock()
	if now.Sub(k.window) >= tryWindow {
		k.window, k.wrong = now, 0
	}
	if k.wrong < tries {
		return 0
	}
	return k.window.Add(tryWindow).Sub(now)
}

// Session makes a session.
func (k *Keeper) Session() (value string, until time.Time) {
	until = time.Now().Add(Lasting)
	end := strconv.FormatInt(until.Unix(), 10)
	return end + "." + k.mac(end), until
}

// Valid reports whether a session is ours and has not ended.
func (k *Keeper) Valid(session string) bool {
	end, mac, ok := strings.Cut(session, ".")
	if !ok || !hmac.Equal([]byte(mac), []byte(k.mac(end))) {
		return false
	}
	unix, err := strconv.ParseInt(end, 10, 64)
	return err == nil && time.Now().Unix() < unix
}

func (k *Keeper) mac(end string) string {
	h := hmac.New(sha256.New, k.current())
	h.Write([]byte("hal0 session until " + end))
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}
