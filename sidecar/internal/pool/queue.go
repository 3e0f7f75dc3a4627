package pool

import "slices"

// queue holds what waits for one slot: first in first out per lane, lanes in
// turn. The zero value is empty.
type queue[T comparable] struct {
	ring []*lane[T] // lanes that have somebody, in the order of their turns
	len  int
}

type lane[T comparable] struct {
	name  string
	items []T
}

// push puts v at the end of its lane, or at its head.
func (q *queue[T]) push(name string, v T, front bool) {
	q.len++
	i := slices.IndexFunc(q.ring, func(l *lane[T]) bool { return l.name == name })
	if i < 0 {
		q.ring = append(q.ring, &lane[T]{name: name, items: []T{v}})
		return
	}
	at := len(q.ring[i].items)
	if front {
		at = 0
	}
	q.ring[i].items = slices.Insert(q.ring[i].items, at, v)
}

// pop takes the head of the first lane in turn whose head may go, and ends
// that lane's turn.
func (q *queue[T]) pop(may func(T) bool) (v T, ok bool) {
	for i, l := range q.ring {
		if !may(l.items[0]) {
			continue
		}
		v = l.items[0]
		l.items = slices.Delete(l.items, 0, 1)
		q.ring = slices.Delete(q.ring, i, i+1)
		if len(l.items) > 0 {
			q.ring = append(q.ring, l)
		}
		q.len--
		return v, true
	}
	return v, false
}

// remove takes v out, wherever it waits.
func (q *queue[T]) remove(v T) bool {
	for i, l := range q.ring {
		j := slices.Index(l.items, v)
		if j < 0 {
			continue
		}
		l.items = slices.Delete(l.items, j, j+1)
		if len(l.items) == 0 {
			q.ring = slices.Delete(q.ring, i, i+1)
		}
		q.len--
		return true
	}
	return false
}

// all yields everything that waits, lane by lane.
func (q *queue[T]) all(yield func(T) bool) {
	for _, l := range q.ring {
		for _, v := range l.items {
			if !yield(v) {
				return
			}
		}
	}
}

// clear empties the queue and returns what waited.
func (q *queue[T]) clear() []T {
	out := slices.Collect(q.all)
	q.ring, q.len = nil, 0
	return out
}

// unpop puts back what pop took, at the head of everything.
func (q *queue[T]) unpop(name string, v T) {
	q.push(name, v, true)
	i := slices.IndexFunc(q.ring, func(l *lane[T]) bool { return l.name == name })
	l := q.ring[i]
	q.ring = slices.Insert(slices.Delete(q.ring, i, i+1), 0, l)
}
