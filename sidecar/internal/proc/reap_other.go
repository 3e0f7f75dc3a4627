//go:build !linux

package proc

import "context"

func currentHome() home { return home{} }

func startTicks(int) uint64 { return 0 }

// Reap forgets what the journal's earlier users launched: here nothing tells
// whether a number is still the same process, and nobody is killed on suspicion.
func (j *Journal) Reap(context.Context) ([]Left, error) {
	entries, err := j.entries()
	for _, e := range entries {
		j.end(e)
	}
	return nil, err
}
