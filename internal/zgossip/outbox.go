package zgossip

import "github.com/go-zyre/zyre/internal/fifo"

// Tuple is one piece of news: a key has a new value, or nobody stands for it
// any more.
type Tuple struct {
	Key   string // 1 to 255 bytes
	Value string // the last known one when Gone
	Gone  bool   // nobody vouches for it any more
}

// outbox holds the news the application has not taken yet: the latest of each
// key, in the order in which the keys came up. It cannot outgrow the table,
// because what was never told need not be taken back.
type outbox struct {
	pending map[string]news
	queue   fifo.Queue[string] // keys; those no longer pending are skipped
}

type news struct {
	Tuple
	t *tuple
}

func newOutbox() outbox { return outbox{pending: map[string]news{}} }

// put adds what is to be told about t.
func (o *outbox) put(t *tuple) {
	n := news{Tuple{Key: t.key, Value: t.value, Gone: t.gone}, t}
	if t.gone {
		n.Value = t.prev
		if !t.told {
			o.drop(t.key)
			return
		}
	}
	old, ok := o.pending[t.key]
	if !ok {
		if o.queue.Len() > 2*len(o.pending)+64 {
			o.compact()
		}
		o.queue.Push(t.key)
	}
	// The application still has what an untold Gone would take back.
	t.told = t.told || ok && old.Gone
	o.pending[t.key] = n
}

// compact drops the keys that are no longer pending, and repeated ones.
func (o *outbox) compact() {
	seen := make(map[string]bool, len(o.pending))
	for range o.queue.Len() {
		key := o.queue.Pop()
		if _, ok := o.pending[key]; ok && !seen[key] {
			seen[key] = true
			o.queue.Push(key)
		}
	}
}

func (o *outbox) drop(key string) { delete(o.pending, key) }

// head gives the oldest news without taking it.
func (o *outbox) head() (Tuple, bool) {
	for o.queue.Len() > 0 {
		if n, ok := o.pending[*o.queue.Front()]; ok {
			return n.Tuple, true
		}
		o.queue.Pop()
	}
	return Tuple{}, false
}

// pop takes what head gave.
func (o *outbox) pop() {
	key := o.queue.Pop()
	n := o.pending[key]
	n.t.told = !n.Gone
	delete(o.pending, key)
}
