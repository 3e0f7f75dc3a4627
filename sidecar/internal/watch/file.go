package watch

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fsnotify/fsnotify"
)

const (
	// settle is how long nothing may happen to a file before it is read: who
	// writes one does so in several steps.
	settle = 200 * time.Millisecond
	// missing is how often a file that cannot be read is looked for: the folder
	// that was watched may be gone with it.
	missing = time.Second
)

// File is a watched file.
type File struct {
	path    string // absolute
	bell    bell
	trail   atomic.Pointer[map[string]bool] // the entries, and their folders, that matter; follow sets it
	heard   chan struct{}                   // something happened to one of them
	changed chan struct{}                   // one change that nobody has heard of yet
	quit    chan struct{}
	ended   sync.WaitGroup

	digest [sha256.Size]byte // of the content last told of; run owns it
}

// bell is what of an fsnotify.Watcher a File needs.
type bell interface {
	Add(path string) error
	Remove(path string) error
	WatchList() []string
	Close() error
	Heard() <-chan fsnotify.Event
	Failed() <-chan error
}

// kernel is the operating system's bell.
type kernel struct{ *fsnotify.Watcher }

func (k kernel) Heard() <-chan fsnotify.Event { return k.Events }
func (k kernel) Failed() <-chan error         { return k.Errors }

// Open watches a file from now on. It fails where there is nothing that can be
// watched; the file itself need not be there.
func Open(path string) (*File, error) {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, fmt.Errorf("watch %s: %w", path, err)
	}
	f, err := open(path, kernel{w})
	if err != nil {
		w.Close()
		return nil, fmt.Errorf("watch %s: %w", path, err)
	}
	return f, nil
}

func open(path string, b bell) (*File, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	f := &File{path: path, bell: b, heard: make(chan struct{}, 1), changed: make(chan struct{}, 1), quit: make(chan struct{})}
	if err := f.follow(); err != nil {
		return nil, err
	}
	if content, err := os.ReadFile(path); err == nil {
		f.digest = sha256.Sum256(content)
	}
	f.ended.Go(f.listen)
	f.ended.Go(f.run)
	return f, nil
}

// Changed brings a value when the content has changed and nothing has happened
// to the file for a moment; several changes may be told of by one value. A file
// that is not there, or is empty, as one is that somebody is writing, has not
// changed.
func (f *File) Changed() <-chan struct{} { return f.changed }

// Close ends the watch.
func (f *File) Close() error {
	close(f.quit)
	err := f.bell.Close()
	f.ended.Wait()
	return err
}

// listen hears the bell all the time: fsnotify holds a lock while it tells of
// some errors, which Add and Remove need.
func (f *File) listen() {
	for {
		select {
		case e, open := <-f.bell.Heard():
			if !open {
				return
			}
			if !(*f.trail.Load())[e.Name] {
				continue
			}
		case _, open := <-f.bell.Failed(): // events may have been lost
			if !open {
				return
			}
		}
		select {
		case f.heard <- struct{}{}:
		default:
		}
	}
}

func (f *File) run() {
	look := time.NewTimer(settle)
	defer look.Stop()
	for {
		select {
		case <-f.heard:
			look.Reset(settle)
		case <-look.C:
			if !f.look() {
				look.Reset(missing)
			}
		case <-f.quit:
			return
		}
	}
}

// look reports whether the file can be read, and tells if it has changed.
func (f *File) look() bool {
	_ = f.follow() // before it is read, so that no change falls between
	content, err := os.ReadFile(f.path)
	if err != nil || len(content) == 0 {
		return false
	}
	if d := sha256.Sum256(content); d != f.digest {
		f.digest = d
		select {
		case f.changed <- struct{}{}:
		default: // it is still to be heard
		}
	}
	return true
}

// follow watches what leads to the file now: the folder of each link on the way,
// the file's own, and the file, which may be mounted there from elsewhere.
// What was watched is forgotten first, for it may have been replaced by
// something of the same name.
func (f *File) follow() error {
	for _, p := range f.bell.WatchList() {
		_ = f.bell.Remove(p) // it may be gone
	}
	entries := trail(f.path)
	matter, places := map[string]bool{}, slices.Clone(entries[len(entries)-1:])
	for _, entry := range entries {
		dir := filepath.Dir(entry)
		if !matter[dir] {
			places = append(places, dir)
		}
		matter[entry], matter[dir] = true, true
	}
	f.trail.Store(&matter)
	var errs []error
	for _, p := range places {
		if err := f.bell.Add(p); err != nil {
			errs = append(errs, err) // the file, or a folder, is not there
		}
	}
	if len(errs) == len(places) {
		return errors.Join(errs...)
	}
	return nil
}
