package zgossip

import "container/heap"

// host is the clients of a hub that are on one host. What they use up is charged to all of
// them together: an attacker makes as many connections as it likes. A hub that we are a client of
// counts as a host of its own: behind it are strangers too.
type host struct {
	clients int
	owned   int    // tuples
	latest  *tuple // the one that it owns for the shortest time; the others follow by tuple.earlier
	middle  *tuple // the one in the middle of them
	before  int    // how many are earlier than middle
	turns   uint64 // of all that it ever owned

	places [2]int // in the ranking of each that is counted, from 1; 0 for none
}

// addTuple charges a tuple to h.
func (h *host) addTuple(t *tuple) {
	t.earlier, t.later = h.latest, nil
	if h.latest != nil {
		h.latest.later = t
	}
	h.latest = t
	h.owned++
	h.turns++
	if t.turn = h.turns; h.middle == nil {
		h.middle = t
	}
	h.keepMiddle()
}

// removeTuple takes back addTuple.
func (h *host) removeTuple(t *tuple) {
	switch {
	case t == h.middle && t.later != nil:
		h.middle = t.later
	case t == h.middle:
		h.middle, h.before = t.earlier, max(0, h.before-1)
	case t.turn < h.middle.turn:
		h.before--
	}
	if t.later != nil {
		t.later.earlier = t.earlier
	} else {
		h.latest = t.earlier
	}
	if t.earlier != nil {
		t.earlier.later = t.later
	}
	t.earlier, t.later = nil, nil
	h.owned--
	h.keepMiddle()
}

// keepMiddle moves middle by one tuple if one more or less made it another.
func (h *host) keepMiddle() {
	for ; h.before < (h.owned-1)/2; h.before++ {
		h.middle = h.middle.later
	}
	for ; h.before > max(0, h.owned-1)/2; h.before-- {
		h.middle = h.middle.earlier
	}
}

// ranking is a heap of the hosts that have any of what it counts: who has most is found without
// a look at the others. Any frame may ask for it.
type ranking struct {
	counted counted
	hosts   []*host
	steps   int // comparisons, for tests
}

// counted is what a ranking counts.
type counted int

const (
	ofClients counted = iota
	ofTuples
)

func (r *ranking) count(h *host) int {
	if r.counted == ofTuples {
		return h.owned
	}
	return h.clients
}

func (r *ranking) place(h *host) *int { return &h.places[r.counted] }

// greediest returns a host that has most; nil if none has any.
func (r *ranking) greediest() *host {
	if len(r.hosts) == 0 {
		return nil
	}
	return r.hosts[0]
}

// update takes in that what h has is more or less than before.
func (r *ranking) update(h *host) {
	switch place, count := *r.place(h), r.count(h); {
	case place == 0 && count > 0:
		heap.Push(r, h)
	case place > 0 && count > 0:
		heap.Fix(r, place-1)
	case place > 0:
		heap.Remove(r, place-1)
	}
}

// Len, Less, Swap, Push and Pop are for package heap.
func (r *ranking) Len() int { return len(r.hosts) }

func (r *ranking) Less(i, j int) bool {
	r.steps++
	return r.count(r.hosts[i]) > r.count(r.hosts[j])
}

func (r *ranking) Swap(i, j int) {
	r.hosts[i], r.hosts[j] = r.hosts[j], r.hosts[i]
	*r.place(r.hosts[i]), *r.place(r.hosts[j]) = i+1, j+1
}

func (r *ranking) Push(h any) {
	r.hosts = append(r.hosts, h.(*host))
	*r.place(h.(*host)) = len(r.hosts)
}

func (r *ranking) Pop() any {
	last := len(r.hosts) - 1
	h := r.hosts[last]
	r.hosts[last] = nil
	r.hosts = r.hosts[:last]
	*r.place(h) = 0
	return h
}
