package proc

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/renameio/v2/maybe"
)

// markVar is the environment variable by which a process is known to be of a
// launch, wherever it moved to.
const markVar = "HAL0_LAUNCH"

// ErrJournal is a journal that cannot be written. Nothing is launched then: what
// could not be found again might outlive everything.
var ErrJournal = errors.New("the journal of launches cannot be written")

// Journal lists what has been launched and has not ended, in one file each, so
// that a later process can end what this one, killed, could not. One process
// uses a journal at a time.
type Journal struct {
	dir  string
	home home
}

// home is where process numbers mean something.
type home struct {
	Boot      string `json:"boot"`      // the boot's id, "" = unknown
	Namespace string `json:"namespace"` // of process ids, "" = unknown
}

// entry is one launch. It is written before the fork, and again with the numbers
// after it.
type entry struct {
	ID         string    `json:"id"` // the value of markVar
	Home       home      `json:"home"`
	Executable string    `json:"executable"`
	Launched   time.Time `json:"launched"`
	PID        int       `json:"pid,omitempty"`         // of the leader, and its group's number
	StartTicks uint64    `json:"start_ticks,omitempty"` // when the leader started, since boot
}

// OpenJournal uses the directory, which is made if need be.
func OpenJournal(dir string) (*Journal, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	return &Journal{dir: dir, home: currentHome()}, nil
}

// begin notes a launch that is about to happen.
func (j *Journal) begin(executable string) (*entry, error) {
	e := &entry{ID: rand.Text(), Home: j.home, Executable: executable, Launched: time.Now()}
	return e, j.write(e)
}

// started notes the numbers.
func (j *Journal) started(e *entry, pid int) error {
	e.PID, e.StartTicks = pid, startTicks(pid)
	return j.write(e)
}

func (j *Journal) write(e *entry) error {
	b, err := json.Marshal(e)
	if err == nil {
		err = maybe.WriteFile(j.path(e.ID), b, 0o600)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrJournal, err)
	}
	return nil
}

// end forgets a launch. A file that cannot be removed does no harm: its process
// will not be found.
func (j *Journal) end(e *entry) { _ = os.Remove(j.path(e.ID)) }

const entrySuffix = ".launch.json"

func (j *Journal) path(id string) string { return filepath.Join(j.dir, id+entrySuffix) }

// entries reads what is noted. Files that cannot be read are removed: nothing
// can be done by them.
func (j *Journal) entries() ([]*entry, error) {
	files, err := os.ReadDir(j.dir)
	if err != nil {
		return nil, fmt.Errorf("read journal: %w", err)
	}
	var all []*entry
	for _, f := range files {
		id, ok := strings.CutSuffix(f.Name(), entrySuffix)
		if !ok {
			continue
		}
		e := &entry{}
		b, err := os.ReadFile(j.path(id))
		if err == nil {
			err = json.Unmarshal(b, e)
		}
		if err != nil || e.ID != id {
			if err := os.Remove(j.path(id)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return nil, fmt.Errorf("clean journal: %w", err)
			}
			continue
		}
		all = append(all, e)
	}
	return all, nil
}

// Left is a process that an earlier sidecar left behind.
type Left struct {
	PID        int
	Executable string
	Launched   time.Time
	Gone       bool // it ended; false: it survived KILL
}
