package zgossip

import "github.com/go-zyre/zyre/internal/fifo"

// Tuple is one piece of news: a key has a new value, or was taken back.
type Tuple struct {
	Key   string // 1 to 255 bytes
	Value string // the last known one when Gone
	Gone  bool   // it was taken back, or the member that published it is gone
	// From is what the host of the client that brought it is counted by, or the endpoint of
	// the hub; empty if Gone, and for a client over inproc or ipc.
	From string
}

// newsQueue holds the news that the application has not taken yet: only the latest of
// each key, in the order in which the keys first changed. It does not outgrow the table:
// the end of a tuple is no news if the application has not heard of the tuple.
type newsQueue struct {
	latest map[string]newsItem
	order  fifo.Queue[string] // keys; those that are not in latest are skipped
}

type newsItem struct {
	Tuple
	t *tuple
}

func newNewsQueue() newsQueue { return newsQueue{latest: map[string]newsItem{}} }

// put adds the present value of t, or that it is gone.
func (q *newsQueue) put(t *tuple) {
	n := newsItem{Tuple{Key: t.key, Value: t.value, Gone: t.gone}, t}
	if t.owner != nil {
		n.From = t.owner.address
	}
	if t.gone {
		n.Value = t.previous
		if !t.delivered {
			q.drop(t.key)
			return
		}
	}
	old, ok := q.latest[t.key]
	if !ok {
		if q.order.Len() > 2*len(q.latest)+64 {
			q.compact()
		}
		q.order.Push(t.key)
	}
	// If the end of the tuple waits here, the application still has it.
	t.delivered = t.delivered || ok && old.Gone
	q.latest[t.key] = n
}

// compact removes the keys that are not in latest, and all but the first of each key.
func (q *newsQueue) compact() {
	seen := make(map[string]bool, len(q.latest))
	for range q.order.Len() {
		key := q.order.Pop()
		if _, ok := q.latest[key]; ok && !seen[key] {
			seen[key] = true
			q.order.Push(key)
		}
	}
}

// drop removes the news of a key.
func (q *newsQueue) drop(key string) { delete(q.latest, key) }

// front returns the oldest news without removing it.
func (q *newsQueue) front() (Tuple, bool) {
	for q.order.Len() > 0 {
		if n, ok := q.latest[*q.order.Front()]; ok {
			return n.Tuple, true
		}
		q.order.Pop()
	}
	return Tuple{}, false
}

// pop removes what front returned, because the application has taken it.
func (q *newsQueue) pop() {
	key := q.order.Pop()
	n := q.latest[key]
	n.t.delivered = !n.Gone
	delete(q.latest, key)
}
