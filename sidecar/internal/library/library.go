package library

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/hal0-dev/hal0/sidecar/internal/lockfile"
)

// DefaultHub is where names are looked up.
const DefaultHub = "https://huggingface.co"

// Config of a library. Dir must be set; the rest has defaults.
type Config struct {
	Dir     string // models directory
	Hub     string // base URL [DefaultHub]
	Token   string // for gated models
	Reserve int64  // bytes of disk to leave free
	Client  *http.Client
	Log     hclog.Logger

	Free  func(dir string) (int64, error) // bytes that may be written [what the system says]
	Stall time.Duration                   // without a byte, after which a download is begun again [60 s]
	Pause time.Duration                   // before the second attempt, doubling [1 s]
}

// Library keeps the files.
type Library struct {
	cfg  Config
	hub  hub
	quit context.Context // ends every fetch
	end  context.CancelFunc
	wg   sync.WaitGroup // of fetches

	mu      sync.Mutex // guards what follows
	fetches map[Name]*fetch
}

// New makes a library. It touches nothing until it is asked.
func New(cfg Config) *Library {
	if cfg.Hub == "" {
		cfg.Hub = DefaultHub
	}
	if cfg.Client == nil {
		cfg.Client = &http.Client{}
	}
	if cfg.Log == nil {
		cfg.Log = hclog.NewNullLogger()
	}
	if cfg.Free == nil {
		cfg.Free = freeSpace
	}
	if cfg.Stall <= 0 {
		cfg.Stall = time.Minute
	}
	if cfg.Pause <= 0 {
		cfg.Pause = time.Second
	}
	l := &Library{cfg: cfg, fetches: map[Name]*fetch{}}
	l.hub = hub{base: strings.TrimRight(cfg.Hub, "/"), token: cfg.Token, client: cfg.Client}
	l.quit, l.end = context.WithCancel(context.Background())
	return l
}

// Close ends what is being fetched and waits for it.
func (l *Library) Close() {
	l.end()
	l.wg.Wait()
}

// Progress of a fetch, in bytes.
type Progress struct{ Done, Total int64 }

// Fetch returns when the model is here, when it cannot be had, or when ctx ends.
// progress (nil = none) is called from this goroutine, a few times a second.
func (l *Library) Fetch(ctx context.Context, model string, progress func(Progress)) error {
	n, err := ParseName(model)
	if err != nil {
		return err
	}
	if _, err := l.Path(model); err == nil {
		return nil
	}
	f := l.join(n)
	defer l.leave(n, f)
	for {
		p, changed := f.state()
		if progress != nil && p.Total > 0 {
			progress(p)
		}
		select {
		case <-f.done:
			return f.err
		case <-ctx.Done():
			return fmt.Errorf("fetch %s: %w", n, context.Cause(ctx))
		case <-changed:
		}
	}
}

// join finds the fetch of a name that is under way, or begins one.
func (l *Library) join(n Name) *fetch {
	l.mu.Lock()
	defer l.mu.Unlock()
	if f := l.fetches[n]; f != nil {
		f.callers++
		return f
	}
	ctx, cancel := context.WithCancel(l.quit)
	f := &fetch{callers: 1, cancel: cancel, done: make(chan struct{}), changed: make(chan struct{})}
	l.fetches[n] = f
	l.wg.Go(func() {
		defer cancel()
		f.err = l.fetch(ctx, n, f)
		l.forget(n, f)
		close(f.done)
	})
	return f
}

// leave ends a fetch that nobody waits for.
func (l *Library) leave(n Name, f *fetch) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if f.callers--; f.callers == 0 {
		f.cancel()
		if l.fetches[n] == f {
			delete(l.fetches, n) // whoever comes now begins anew
		}
	}
}

func (l *Library) forget(n Name, f *fetch) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fetches[n] == f {
		delete(l.fetches, n)
	}
}

// fetch is one download of all of a model's files.
type fetch struct {
	callers int // guarded by Library.mu
	cancel  context.CancelFunc
	done    chan struct{}
	err     error // valid once done is closed

	mu      sync.Mutex // guards what follows
	at      Progress
	changed chan struct{} // closed at the next change
}

func (f *fetch) state() (Progress, <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.at, f.changed
}

func (f *fetch) report(p Progress) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.at = p
	close(f.changed)
	f.changed = make(chan struct{})
}

// fetch gets everything that a name needs.
func (l *Library) fetch(ctx context.Context, n Name, f *fetch) error {
	dir := filepath.Join(l.dir(n), ".hal0")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("fetch %s: %w", n, err)
	}
	lock, err := lockfile.Wait(ctx, filepath.Join(dir, "lock"), fmt.Sprintf("process %d", os.Getpid()))
	if err != nil {
		return fmt.Errorf("fetch %s: %w", n, err)
	}
	defer lock.Release()
	files, err := l.resolve(ctx, n)
	if err != nil {
		return err
	}
	meter := newMeter(files, f.report)
	for _, file := range files {
		if err := l.download(ctx, n, file, meter); err != nil {
			return fmt.Errorf("fetch %s: %s: %w", n, file.Path, err)
		}
	}
	return nil
}

// resolve finds out which files a name means: once, and ever after the same.
func (l *Library) resolve(ctx context.Context, n Name) ([]File, error) {
	m, err := l.readManifest(n)
	if err == nil {
		return m.Files, nil
	}
	if !errors.Is(err, ErrAbsent) {
		return nil, err
	}
	all, err := l.hub.files(ctx, n.Repo)
	if err != nil {
		return nil, fmt.Errorf("fetch %s: %w", n, err)
	}
	files, err := choose(n, all)
	if err != nil {
		return nil, err
	}
	return files, l.writeManifest(n, files)
}
