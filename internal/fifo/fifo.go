// Package fifo holds a queue: first in, first out.
package fifo

// keep is how many items an empty queue keeps memory for, and from how many items
// removed on a long queue moves its rest to the front.
const keep = 1024

// Queue is a queue in a slice. Once it has been emptied it keeps memory for 1,024 items at most.
// The zero value is an empty queue. It is not safe for use by several goroutines at once.
type Queue[T any] struct {
	items []T
	head  int // index of the oldest item
}

// Len returns how many items are in the queue.
func (q *Queue[T]) Len() int { return len(q.items) - q.head }

// Push adds v behind all others.
func (q *Queue[T]) Push(v T) { q.items = append(q.items, v) }

// Front points to the oldest item; the queue must not be empty. It is valid until the
// next Push or Pop.
func (q *Queue[T]) Front() *T { return &q.items[q.head] }

// Back points to the newest item; the queue must not be empty. It is valid until the next
// Push or Pop.
func (q *Queue[T]) Back() *T { return &q.items[len(q.items)-1] }

// Pop removes the oldest item and returns it; the queue must not be empty.
func (q *Queue[T]) Pop() T {
	var zero T
	v := q.items[q.head]
	q.items[q.head] = zero
	q.head++
	switch {
	case q.head == len(q.items) && cap(q.items) > keep:
		q.items, q.head = make([]T, 0, keep), 0
	case q.head == len(q.items):
		q.items, q.head = q.items[:0], 0
	case q.head >= keep && 2*q.head >= len(q.items):
		q.items = q.items[:copy(q.items, q.items[q.head:])]
		clear(q.items[len(q.items):cap(q.items)])
		q.head = 0
	}
	return v
}
