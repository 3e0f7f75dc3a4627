package library

import "time"

// tick is the least time between two reports.
const tick = 200 * time.Millisecond

// meter adds up the progress of a model's files. It belongs to one fetch.
type meter struct {
	report func(Progress)
	done   map[string]int64 // by path
	at     Progress
	last   time.Time
}

func newMeter(files []File, report func(Progress)) *meter {
	m := &meter{report: report, done: map[string]int64{}}
	for _, f := range files {
		m.at.Total += f.Size
	}
	return m
}

// set says how much of a file is there.
func (m *meter) set(f File, size int64) {
	if size == m.done[f.Path] {
		return
	}
	m.at.Done += size - m.done[f.Path]
	m.done[f.Path] = size
	if now := time.Now(); now.Sub(m.last) >= tick || m.at.Done == m.at.Total {
		m.last = now
		m.report(m.at)
	}
}
