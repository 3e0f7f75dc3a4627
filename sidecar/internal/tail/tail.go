// Package tail keeps the last lines that each slot's engine wrote, over its
// restarts, and lets people follow them.
//
// Concurrency: a Book is safe for concurrent use; one mutex guards each slot's
// lines. A follower that is too slow loses lines and is told how many.
package tail

import (
	"fmt"
	"sync"
)

const (
	kept   = 1000 // lines per slot
	behind = 256  // lines that a follower may lag
)

// Book holds the lines of every slot. The zero value is empty and ready.
type Book struct {
	mu    sync.Mutex
	slots map[string]*lines // guarded by mu; never removed: a slot's name is a setting
}

type lines struct {
	mu        sync.Mutex
	ring      []string // oldest at next once it is full
	next      int
	followers map[*follower]struct{}
}

type follower struct {
	ch     chan string
	missed int // since the last line that fitted
}

func (b *Book) of(slot string) *lines {
	b.mu.Lock()
	defer b.mu.Unlock()
	l := b.slots[slot]
	if l == nil {
		l = &lines{followers: map[*follower]struct{}{}}
		if b.slots == nil {
			b.slots = map[string]*lines{}
		}
		b.slots[slot] = l
	}
	return l
}

// Add appends a line.
func (b *Book) Add(slot, line string) {
	l := b.of(slot)
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.ring) < kept {
		l.ring = append(l.ring, line)
	} else {
		l.ring[l.next] = line
		l.next = (l.next + 1) % kept
	}
	for f := range l.followers {
		f.offer(line)
	}
}

// offer never waits: the engine's output must not depend on who looks at it.
func (f *follower) offer(line string) {
	if f.missed > 0 {
		select {
		case f.ch <- fmt.Sprintf("[%d lines missed]", f.missed):
			f.missed = 0
		default:
			f.missed++
			return
		}
	}
	select {
	case f.ch <- line:
	default:
		f.missed++
	}
}

// Lines returns what is kept, oldest first.
func (b *Book) Lines(slot string) []string {
	l := b.of(slot)
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.allLocked()
}

func (l *lines) allLocked() []string {
	return append(append(make([]string, 0, len(l.ring)), l.ring[l.next:]...), l.ring[:l.next]...)
}

// Follow returns what is kept and a channel of what comes; no line is lost or
// doubled between the two. stop must be called; it is idempotent.
func (b *Book) Follow(slot string) (past []string, coming <-chan string, stop func()) {
	l := b.of(slot)
	f := &follower{ch: make(chan string, behind)}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.followers[f] = struct{}{}
	return l.allLocked(), f.ch, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.followers, f)
	}
}
