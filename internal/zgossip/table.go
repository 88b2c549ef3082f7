package zgossip

import (
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/go-zyre/zyre/internal/backoff"
)

const (
	// echoWindow is how long a former value of a tuple that comes from a client
	// of CZMQ's kind is taken for an echo: such a client sends all it is
	// told back to its hub, so that two quick changes would chase each
	// other for ever.
	echoWindow = 2 * time.Second
	// tombstoneTTL is how long a tuple that was taken back is remembered, for
	// the links that were too slow to be told at once.
	tombstoneTTL = 30 * time.Second
	// A tuple that changes more often than that in a row is restless: two values
	// that chase each other round a ring of hubs would never end. It is told
	// later, so that they meet somewhere and only the last of them goes on.
	restless = 5
	// An owner waits so long before it repeats a tuple that somebody changed, and
	// others before they tell a restless one, and twice as long each time it
	// happens again.
	delayMin = 100 * time.Millisecond
	delayMax = 30 * time.Second
)

// link is one neighbour: a client of our ROUTER, or a hub of ours.
type link struct {
	hub   bool   // we are its client
	pings bool   // a client that pings, so that its silence means something
	id    []byte // routing id of a client

	heard  time.Time // last frame from it
	down   time.Time // connection lost since, zero while it lives
	probed time.Time // when we last asked libzmq whether it lives

	sent    uint64 // order of the last tuple handed to it
	floor   uint64 // taken back before it came: not told
	blocked bool   // takes nothing at present; the next tick tries again

	epoch  uint64    // counts HELLOs; a tuple not repeated in this epoch is stale
	resync time.Time // when to drop the stale ones, zero for never
	tuples int       // how many it vouches for
}

// tuple is one key of the table, live or taken back.
type tuple struct {
	key, value string
	prev       string // value before, to know echoes
	wasGone    bool   // before
	changed    time.Time
	order      uint64 // rises with each change; links are told in this order
	from       *link  // who vouches; nil when own, or when the link is gone
	epoch      uint64 // of from, when it was last repeated
	own        bool
	gone       bool
	local      bool // gone for us and our clients, but no news for hubs
	told       bool // the application has it

	changes int // in a row
	tellAt  time.Time
	wait    backoff.Backoff // before it is told, while it is delayed
}

func newTuple(key string) *tuple {
	return &tuple{key: key, wait: backoff.Backoff{Min: delayMin, Max: delayMax}}
}

// verdict is what became of a tuple that a link published.
type verdict int

const (
	tupleNew verdict = iota
	tupleChanged
	tupleGone
	tupleKnown
	tupleEcho
	tupleDefended
	tupleRefused
)

type entry struct {
	order uint64
	t     *tuple
}

// table is what a member knows: no sockets, no goroutine, no clock.
type table struct {
	max    int
	tuples map[string]*tuple
	live   int // tuples that are not gone
	owned  int
	seq    uint64
	log    []entry // tuples by order; entries overtaken by a change are skipped
	out    outbox

	delayed map[*tuple]struct{} // will be told, or repeated, at their time
}

func newTable(limit int) *table {
	return &table{
		max:     limit,
		tuples:  map[string]*tuple{},
		out:     newOutbox(),
		delayed: map[*tuple]struct{}{},
	}
}

// tombstone is the value that takes value back: no endpoint, the key kept.
func tombstone(value string) string {
	if i := strings.IndexByte(value, '|'); i >= 0 {
		return value[i:]
	}
	return ""
}

func isTombstone(value string) bool { return value == "" || value[0] == '|' }

// touch puts t last in the order: every link will be told.
func (tb *table) touch(t *tuple) {
	tb.seq++
	t.order = tb.seq
	tb.log = append(tb.log, entry{tb.seq, t})
	if len(tb.log) > 2*len(tb.tuples)+64 {
		tb.log = slices.DeleteFunc(tb.log, func(e entry) bool {
			return e.t.order != e.order || tb.tuples[e.t.key] != e.t
		})
	}
}

// since gives the tuples that changed after order, oldest first.
func (tb *table) since(order uint64) []entry {
	i := sort.Search(len(tb.log), func(i int) bool { return tb.log[i].order > order })
	return tb.log[i:]
}

// stale tells whether e was overtaken by a later change or forgotten.
func (tb *table) stale(e entry) bool {
	return e.t.order != e.order || tb.tuples[e.t.key] != e.t
}

func (t *tuple) vouch(l *link) {
	if t.from != nil {
		t.from.tuples--
	}
	if t.from = l; l != nil {
		l.tuples++
		t.epoch = l.epoch
	}
}

func (tb *table) set(t *tuple, value string, gone bool, now time.Time) {
	if t.gone != gone || t.order == 0 {
		if gone {
			tb.live--
		} else {
			tb.live++
		}
	}
	t.prev, t.wasGone = t.value, t.gone
	t.value, t.gone, t.local, t.changed = value, gone, false, now
}

// publish makes key ours.
func (tb *table) publish(key, value string, now time.Time) {
	t := tb.tuples[key]
	if t == nil {
		t = newTuple(key)
		tb.tuples[key] = t
	}
	if !t.own {
		t.own = true
		tb.owned++
		tb.out.drop(key)
	} else if t.value == value {
		return
	}
	t.vouch(nil)
	tb.set(t, value, false, now)
	tb.touch(t)
}

// unpublish takes back a key of our own; another's is only forgotten here.
func (tb *table) unpublish(key string, now time.Time) {
	t := tb.tuples[key]
	switch {
	case t == nil || t.gone:
	case t.own:
		t.own = false
		tb.owned--
		delete(tb.delayed, t)
		tb.set(t, tombstone(t.value), true, now)
		tb.touch(t)
	default:
		tb.out.drop(key)
		tb.forget(t)
	}
}

func (tb *table) forget(t *tuple) {
	if !t.gone {
		tb.live--
	}
	t.vouch(nil)
	delete(tb.delayed, t)
	delete(tb.tuples, t.key)
}

// learn takes in what l published. The strings are copied when they are kept.
func (tb *table) learn(l *link, key, value []byte, now time.Time) verdict {
	t := tb.tuples[string(key)]
	gone := len(value) == 0 || value[0] == '|'
	switch {
	case t == nil:
		if gone {
			return tupleKnown
		}
		if tb.live >= tb.max || !l.hub && l.tuples >= tb.max/2 {
			return tupleRefused
		}
		t = newTuple(string(key))
		tb.tuples[t.key] = t
		tb.accept(t, l, string(value), now)
		return tupleNew
	case t.own:
		if t.value != string(value) {
			tb.delay(t, now)
			return tupleDefended
		}
		return tupleKnown
	case gone && t.gone:
		return tupleKnown
	case !t.gone && t.value == string(value):
		tb.confirm(t, l)
		return tupleKnown
	case !l.hub && !l.pings && now.Sub(t.changed) < echoWindow &&
		t.from != l && (gone && t.wasGone || !gone && t.prev == string(value)):
		return tupleEcho
	case gone:
		tb.bury(t, l, string(value), now)
		return tupleGone
	case t.gone && tb.live >= tb.max, t.from != l && !l.hub && l.tuples >= tb.max/2:
		return tupleRefused
	}
	tb.accept(t, l, string(value), now)
	return tupleChanged
}

func (tb *table) accept(t *tuple, l *link, value string, now time.Time) {
	t.vouch(l)
	tb.relay(t, value, false, now)
	tb.out.put(t)
}

// relay sets what came from a link, and has all others told, at once unless it is
// restless.
func (tb *table) relay(t *tuple, value string, gone bool, now time.Time) {
	if t.calm(now) {
		t.changes = 0
	}
	t.changes++
	later := t.changes > restless
	if later {
		tb.delay(t, now)
	}
	tb.set(t, value, gone, now)
	if !later {
		tb.touch(t)
	}
}

// calm tells whether t was left alone for twice the last wait: what comes now is
// another matter.
func (t *tuple) calm(now time.Time) bool { return now.Sub(t.changed) > 2*t.wait.Current()+time.Second }

// confirm notes that l repeated what we know. Another link takes over from one
// that is down, and the word of a client that pings is worth more than the echo
// of one that does not. Nobody takes over from a client that pings: who repeats its
// word may have it from us, by way of another hub, and both would vouch for it for
// ever. If it lives, and has lost only its way to us, it says its tuple again when it
// hears the end of it.
func (tb *table) confirm(t *tuple, l *link) {
	switch f := t.from; {
	case f == l:
		t.epoch = l.epoch
	case f == nil, !f.down.IsZero() && (f.hub || !f.pings), !f.hub && !f.pings && l.pings:
		t.vouch(l)
	}
}

// bury takes t back. l, who said so, is not told again; nil tells everybody.
func (tb *table) bury(t *tuple, l *link, value string, now time.Time) {
	if len(tb.tuples)-tb.live > tb.max {
		tb.purge(now)
	}
	t.vouch(l)
	tb.relay(t, value, true, now)
	tb.out.put(t)
}

// purge forgets the tombstones that are older than now.
func (tb *table) purge(now time.Time) {
	for _, t := range tb.tuples {
		if t.gone && !t.changed.After(now) {
			tb.forget(t)
		}
	}
}

// lose takes back what l vouched for: all of it, or only what it has not
// repeated since its last HELLO. Hubs are not told of a hub's loss: they know
// better what they hold.
func (tb *table) lose(l *link, staleOnly bool, now time.Time) (n int) {
	if l.tuples == 0 {
		return 0
	}
	for _, t := range tb.tuples {
		switch {
		case t.from != l || staleOnly && t.epoch == l.epoch:
		case t.gone:
			if !staleOnly {
				t.vouch(nil)
			}
		default:
			tb.bury(t, nil, tombstone(t.value), now)
			t.local = l.hub
			n++
		}
	}
	return n
}

// delay has t told later.
func (tb *table) delay(t *tuple, now time.Time) {
	if _, ok := tb.delayed[t]; ok {
		return
	}
	if t.calm(now) {
		t.wait.Reset()
	}
	t.tellAt = now.Add(t.wait.Next())
	tb.delayed[t] = struct{}{}
}

// tick tells what was delayed and forgets old tombstones.
func (tb *table) tick(now time.Time) {
	for t := range tb.delayed {
		if !t.tellAt.After(now) {
			delete(tb.delayed, t)
			t.changed = now
			tb.touch(t)
		}
	}
	if len(tb.tuples) > tb.live {
		tb.purge(now.Add(-tombstoneTTL))
	}
}

// probe gives an own tuple to repeat, each one in its turn.
func (tb *table) probe(turn int) *tuple {
	if tb.owned == 0 {
		return nil
	}
	turn %= tb.owned
	for _, e := range tb.log {
		if e.t.own && !tb.stale(e) {
			if turn == 0 {
				return e.t
			}
			turn--
		}
	}
	return nil
}
