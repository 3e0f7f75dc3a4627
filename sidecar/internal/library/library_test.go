package library

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// shop is a hub with one repository, o/r.
type shop struct {
	*httptest.Server
	files map[string][]byte
	sums  map[string]string // instead of the true ones

	mu    sync.Mutex
	asked []string // "path@offset" of each download
	// serve, if set, answers a download in its own way.
	serve func(w http.ResponseWriter, r *http.Request, content []byte, offset int)
}

func newShop(t *testing.T, files map[string][]byte) *shop {
	t.Helper()
	s := &shop{files: files}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *shop) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/api/models/o/r/tree/main" {
		s.list(w)
		return
	}
	name, ok := strings.CutPrefix(r.URL.Path, "/o/r/resolve/main/")
	content, known := s.files[name]
	switch {
	case strings.Contains(r.URL.Path, "gated"):
		http.Error(w, "no", http.StatusUnauthorized)
		return
	case !ok || !known:
		http.NotFound(w, r)
		return
	}
	offset := 0
	if rng := r.Header.Get("Range"); rng != "" {
		if _, err := fmt.Sscanf(rng, "bytes=%d-", &offset); err != nil {
			http.Error(w, err.Error(), 400)
			return
		}
	}
	s.mu.Lock()
	s.asked = append(s.asked, fmt.Sprintf("%s@%d", name, offset))
	serve := s.serve
	s.mu.Unlock()
	if serve != nil {
		serve(w, r, content, offset)
		return
	}
	http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(content))
}

func (s *shop) list(w http.ResponseWriter) {
	type lfs struct {
		OID  string `json:"oid"`
		Size int    `json:"size"`
	}
	type entry struct {
		Type string `json:"type"`
		Path string `json:"path"`
		Size int    `json:"size"`
		LFS  *lfs   `json:"lfs,omitempty"`
	}
	entries := []entry{{Type: "directory", Path: "sub"}, {Type: "file", Path: "../evil-Q1.gguf", Size: 1}}
	for name, b := range s.files {
		sum := sha256.Sum256(b)
		hexed := hex.EncodeToString(sum[:])
		if wrong, ok := s.sums[name]; ok {
			hexed = wrong
		}
		entries = append(entries, entry{"file", name, 130, &lfs{hexed, len(b)}})
	}
	_ = json.NewEncoder(w).Encode(entries)
}

func (s *shop) downloads() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.asked...)
}

func (s *shop) serving(f func(w http.ResponseWriter, r *http.Request, content []byte, offset int)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.serve = f
}

func library(t *testing.T, s *shop, change func(*Config)) *Library {
	t.Helper()
	cfg := Config{Dir: filepath.Join(t.TempDir(), "models"), Hub: s.URL, Pause: time.Millisecond}
	if change != nil {
		change(&cfg)
	}
	l := New(cfg)
	t.Cleanup(l.Close)
	return l
}

func content(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i * 7 >> 3)
	}
	return b
}

const name = "hf:o/r:Q8_0"

func TestFetch(t *testing.T) {
	want := content(3 << 20)
	s := newShop(t, map[string][]byte{"sub/m-Q8_0.gguf": want, "m-Q4_K_M.gguf": content(9)})
	l := library(t, s, nil)
	if _, err := l.Path(name); !errors.Is(err, ErrAbsent) {
		t.Fatal(err)
	}
	var last Progress
	if err := l.Fetch(t.Context(), name, func(p Progress) {
		if p.Done < last.Done || p.Total != int64(len(want)) {
			t.Errorf("%+v after %+v", p, last)
		}
		last = p
	}); err != nil {
		t.Fatal(err)
	}
	path, err := l.Path(name)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	s.CloseClientConnections()
	s.Config.Handler = http.NotFoundHandler() // from here on without a network
	if err := l.Fetch(t.Context(), name, nil); err != nil {
		t.Error("a second time:", err)
	}
	if n := len(s.downloads()); n != 1 {
		t.Errorf("%d downloads", n)
	}
	items, err := l.List()
	if err != nil || len(items) != 1 || items[0].Path != "hf/o/r/sub/m-Q8_0.gguf" || items[0].Names[0] != name || items[0].Partial {
		t.Errorf("%+v %v", items, err)
	}
	if err := l.Remove(name); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Path(name); !errors.Is(err, ErrAbsent) {
		t.Error(err)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

func TestSplitModel(t *testing.T) {
	s := newShop(t, map[string][]byte{"m-Q8_0-00001-of-00002.gguf": content(100), "m-Q8_0-00002-of-00002.gguf": content(200)})
	l := library(t, s, nil)
	var last Progress
	if err := l.Fetch(t.Context(), "hf:o/r", func(p Progress) { last = p }); err != nil {
		t.Fatal(err)
	}
	path, err := l.Path("hf:o/r")
	if err != nil || filepath.Base(path) != "m-Q8_0-00001-of-00002.gguf" || last.Total != 300 {
		t.Error(path, err, last)
	}
}

// A download that breaks off is continued where it ended.
func TestResume(t *testing.T) {
	want := content(1 << 20)
	s := newShop(t, map[string][]byte{"m-Q8_0.gguf": want})
	s.serving(func(w http.ResponseWriter, r *http.Request, c []byte, offset int) {
		w.Header().Set("Content-Length", fmt.Sprint(len(c)-offset))
		w.WriteHeader(http.StatusPartialContent)
		_, _ = w.Write(c[offset:min(offset+300<<10, len(c))])
	})
	l := library(t, s, nil)
	if err := l.Fetch(t.Context(), name, nil); err != nil {
		t.Fatal(err)
	}
	path, err := l.Path(name)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, want) {
		t.Error("content differs", err)
	}
	if n := len(s.downloads()); n != 4 {
		t.Errorf("%q", s.downloads())
	}
}

func TestServerThatCannotContinue(t *testing.T) {
	want := content(1 << 20)
	s := newShop(t, map[string][]byte{"m-Q8_0.gguf": want})
	l := library(t, s, nil)
	part := filepath.Join(l.cfg.Dir, "hf/o/r/m-Q8_0.gguf.part")
	if err := os.MkdirAll(filepath.Dir(part), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(part, want[:1000], 0o600); err != nil {
		t.Fatal(err)
	}
	s.serving(func(w http.ResponseWriter, _ *http.Request, c []byte, offset int) { _, _ = w.Write(c) })
	if err := l.Fetch(t.Context(), name, nil); err != nil {
		t.Fatal(err)
	}
	if got := s.downloads(); len(got) != 1 || got[0] != "m-Q8_0.gguf@1000" {
		t.Errorf("%q", got)
	}
}

func TestWrongChecksum(t *testing.T) {
	s := newShop(t, map[string][]byte{"m-Q8_0.gguf": content(1000)})
	s.sums = map[string]string{"m-Q8_0.gguf": strings.Repeat("0", 64)}
	l := library(t, s, nil)
	if err := l.Fetch(t.Context(), name, nil); !errors.Is(err, errCorrupt) {
		t.Error(err)
	}
	if _, err := l.Path(name); !errors.Is(err, ErrAbsent) {
		t.Error(err)
	}
}

func TestFailures(t *testing.T) {
	s := newShop(t, map[string][]byte{"m-Q8_0.gguf": content(1000)})
	fails := func(model string, want error, change func(*Config)) {
		t.Helper()
		if err := library(t, s, change).Fetch(t.Context(), model, nil); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", model, err, want)
		}
	}
	fails("hf:o/none", ErrNotFound, nil)
	fails("hf:o/r:Q2_K", ErrNotFound, nil)
	fails("hf:o/gated", ErrGated, nil)
	fails("nonsense", errNotHub, nil)
	fails(name, ErrNoDisk, func(c *Config) {
		c.Reserve = 500
		c.Free = func(string) (int64, error) { return 1499, nil }
	})
	s.serving(func(w http.ResponseWriter, _ *http.Request, _ []byte, _ int) { w.WriteHeader(http.StatusForbidden) })
	fails(name, ErrGated, nil)
	before := len(s.downloads())
	s.serving(func(w http.ResponseWriter, _ *http.Request, _ []byte, _ int) { w.WriteHeader(http.StatusBadGateway) })
	var status *statusError
	if err := library(t, s, nil).Fetch(t.Context(), name, nil); !errors.As(err, &status) || len(s.downloads())-before != attempts {
		t.Errorf("%v after %d attempts", err, len(s.downloads())-before)
	}
	s.serving(func(w http.ResponseWriter, r *http.Request, _ []byte, _ int) { <-r.Context().Done() })
	fails(name, errStalled, func(c *Config) { c.Stall = 5 * time.Millisecond })
}

// Many callers cause one download; each hears how it goes, and one that leaves
// takes nobody along.
func TestOneDownloadForAll(t *testing.T) {
	s := newShop(t, map[string][]byte{"m-Q8_0.gguf": content(1 << 20)})
	begun, goOn := make(chan struct{}), make(chan struct{})
	s.serving(func(w http.ResponseWriter, _ *http.Request, c []byte, _ int) {
		_, _ = w.Write(c[:1<<19])
		_ = http.NewResponseController(w).Flush()
		close(begun)
		<-goOn
		_, _ = w.Write(c[1<<19:])
	})
	l := library(t, s, nil)
	results := make(chan error, 10)
	impatient, leave := context.WithCancel(t.Context())
	left := make(chan error)
	go func() { left <- l.Fetch(impatient, name, nil) }()
	for range cap(results) {
		go func() { results <- l.Fetch(t.Context(), name, func(Progress) {}) }()
	}
	<-begun
	leave()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	close(goOn)
	for range cap(results) {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
	if got := s.downloads(); len(got) != 1 {
		t.Errorf("%q", got)
	}
}

// When the last caller leaves, the download ends; what has arrived is used by
// the next.
func TestAbandonedDownloadIsContinued(t *testing.T) {
	want := content(1 << 20)
	s := newShop(t, map[string][]byte{"m-Q8_0.gguf": want})
	s.serving(func(w http.ResponseWriter, r *http.Request, c []byte, _ int) {
		w.Header().Set("Content-Length", fmt.Sprint(len(c)))
		_, _ = w.Write(c[:700<<10])
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	l := library(t, s, nil)
	ctx, leave := context.WithCancel(t.Context())
	err := l.Fetch(ctx, name, func(p Progress) {
		if p.Done > 0 {
			leave()
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	s.serving(nil)
	if err := l.Fetch(t.Context(), name, nil); err != nil {
		t.Fatal(err)
	}
	got := s.downloads()
	if len(got) != 2 || got[1] == "m-Q8_0.gguf@0" {
		t.Errorf("%q", got)
	}
}

func TestRemoveKeepsWhatOthersNeed(t *testing.T) {
	s := newShop(t, map[string][]byte{"m-Q8_0.gguf": content(10)})
	l := library(t, s, nil)
	for _, n := range []string{"hf:o/r", name} {
		if err := l.Fetch(t.Context(), n, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Remove("hf:o/r"); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Path(name); err != nil {
		t.Error(err)
	}
	for _, bad := range []string{"../x.gguf", "/etc/passwd", "hf/o/r/.hal0/lock", "hf:o/r"} {
		if err := l.Remove(bad); err == nil {
			t.Errorf("%s was removed", bad)
		}
	}
	if err := l.Remove("hf/o/r/m-Q8_0.gguf"); err != nil {
		t.Error(err)
	}
}

func TestCloseEndsFetches(t *testing.T) {
	s := newShop(t, map[string][]byte{"m-Q8_0.gguf": content(10)})
	begun := make(chan struct{})
	s.serving(func(_ http.ResponseWriter, r *http.Request, _ []byte, _ int) { close(begun); <-r.Context().Done() })
	l := library(t, s, nil)
	done := make(chan error)
	go func() { done <- l.Fetch(t.Context(), name, nil) }()
	<-begun
	l.Close()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestDamagedManifestIsMadeAnew(t *testing.T) {
	s := newShop(t, map[string][]byte{"m-Q8_0.gguf": content(10)})
	l := library(t, s, nil)
	if err := l.Fetch(t.Context(), name, nil); err != nil {
		t.Fatal(err)
	}
	n, _ := ParseName(name)
	if err := os.WriteFile(l.manifestPath(n), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := l.Fetch(t.Context(), name, nil); err != nil {
		t.Error(err)
	}
}
