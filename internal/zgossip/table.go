package zgossip

import (
	"slices"
	"sort"
	"time"

	"github.com/go-zyre/zyre/internal/backoff"
)

const (
	// reflectionWindow is the time after which what we sent over a link is taken to be read.
	// What comes over it before may be older, see isReflected.
	reflectionWindow = 2 * time.Second
	// tombstoneTTL is how long a tuple that was taken back is remembered. It is longer than a
	// link that is lost keeps its tuples: until then an old copy may come back with it.
	tombstoneTTL = 2 * time.Minute
	// resyncGrace is how long a neighbour has time, while it is connected, to repeat the
	// tuples that it owns after a HELLO that is not its first.
	resyncGrace = 10 * time.Second
	// minRefillDelay is how long after a tuple found no place its neighbour is asked for all
	// again, if there is room by then. It doubles up to maxDelay.
	minRefillDelay = time.Second
	// A tuple that changes more than flappingChanges times in a row is flapping. In a ring
	// of hubs two values may follow each other round without end. A value of a flapping
	// tuple is sent after a delay, so that the two meet somewhere and only the later one
	// goes on.
	flappingChanges = 5
	// minDelay is the delay of the first change of a flapping tuple, and of the first
	// repetition of an own tuple that somebody else changed. It doubles each time up to
	// maxDelay.
	minDelay = 100 * time.Millisecond
	maxDelay = 30 * time.Second
)

// tuple is a key of the table with its value, or with a tombstone after it was taken back.
//
// Its life: it begins when a neighbour publishes it, and that link is its owner. It ends when
// any neighbour sends a tombstone, when its owner is lost, or when its owner says HELLO and
// does not repeat it. We pass its end on to all neighbours to which we may have sent it.
//
// After its end it begins again only with a value that is later than its tombstone. Who told
// us of the end, or was lost, knows of it. Any other neighbour may have sent the value before
// it read our tombstone, on another way round a ring of hubs. Such a value is reflected: it is
// not taken in, and the neighbour is told the tombstone if it has not been, and asked for all
// its tuples a little later. If the publisher lives, the tombstone reaches it and it publishes
// again. A new connection starts without a tombstone read: what was sent on the last one may
// be lost.
type tuple struct {
	key, value string
	previous   string    // the value before the last change, to recognize it when it is reflected
	wasGone    bool      // whether it was gone before the last change
	changed    time.Time // when the last change was
	order      uint64    // the place in the order of changes; tuples are sent in this order
	ours       bool      // we published it
	gone       bool      // it was taken back: value is a tombstone
	local      bool      // it is gone for us and our clients only: it is not sent to hubs
	delivered  bool      // the application has been told that there is such a tuple

	// owner is the link that brought the tuple: when that link is lost, the tuple is taken
	// back. It is nil for a tuple of ours and for one that is gone.
	owner   *link
	epoch   uint64        // the epoch of owner when it sent the tuple last
	awaited time.Duration // how long owner has been connected since its HELLO without repeating it

	earlier, later *tuple // among those of the owner's host, in the order in which it came to own them
	turn           uint64 // the place in that order

	from    *link // the link to which the last change is not sent, because it came from there
	endedBy *link // the link that took it back or was lost; nil if we took it back

	changes int             // the number of changes in a row
	delay   backoff.Backoff // how long a change is held back
	sendAt  time.Time       // when the change that is held back is sent

	other      string // what another member published last in place of ours
	otherTimes int    // how often in a row
}

// contestedTimes is how often another member publishes a value in place of ours until that is
// no former value of ours, which a member may still have.
const contestedTimes = 5

func newTuple(key string) *tuple {
	return &tuple{key: key, delay: backoff.Backoff{Min: minDelay, Max: maxDelay}}
}

// noteOther notes that another member has published a value in place of ours.
func (t *tuple) noteOther(value string) {
	if value != t.other {
		t.other, t.otherTimes = value, 0
	}
	t.otherTimes++
}

// isStable reports whether t has not changed for so long that the next change does not
// count as one in a row.
func (t *tuple) isStable(now time.Time) bool {
	return now.Sub(t.changed) > 2*t.delay.Current()+time.Second
}

// outcome is what became of a tuple that a neighbour published.
type outcome int

const (
	tupleNew       outcome = iota
	tupleChanged           // it has another value now
	tupleGone              // the neighbour took it back
	tupleKnown             // it says nothing new
	tupleReflected         // it is a value that the tuple had before
	tupleDefended          // it is ours and will be published again
	tupleContested         // the same, and another member publishes it again and again
	tupleRefused           // it is above a limit
)

// entry is a tuple in the order of changes. It is superseded, and skipped, if the tuple
// has another order now.
type entry struct {
	order uint64
	t     *tuple
}

// table holds the tuples that a member knows. It has no sockets, goroutine or clock.
type table struct {
	max     int // the most tuples that are not gone
	tuples  map[string]*tuple
	live    int                 // the number of tuples that are not gone
	ours    int                 // the number of tuples that we publish
	order   uint64              // of the last change
	log     []entry             // the changes, oldest first
	delayed map[*tuple]struct{} // tuples with a change that is held back
	owners  ranking             // of the clients' hosts, and of the hubs, by the tuples that they own
	news    newsQueue           // what the application has to be told

	ticked    time.Time // when tick was called last
	resyncing bool      // some owner has not repeated all its tuples since its HELLO
}

func newTable(limit int) *table {
	return &table{
		max:     limit,
		tuples:  map[string]*tuple{},
		delayed: map[*tuple]struct{}{},
		owners:  ranking{counted: ofTuples},
		news:    newNewsQueue(),
	}
}

// moveToEnd makes t the last in the order of changes, so that it is sent to every link.
func (tb *table) moveToEnd(t *tuple) {
	tb.order++
	t.order = tb.order
	tb.log = append(tb.log, entry{tb.order, t})
	if len(tb.log) > 2*len(tb.tuples)+64 {
		tb.log = slices.DeleteFunc(tb.log, tb.isSuperseded)
	}
}

// after returns the changes after the one with this order, oldest first.
func (tb *table) after(order uint64) []entry {
	i := sort.Search(len(tb.log), func(i int) bool { return tb.log[i].order > order })
	return tb.log[i:]
}

// isSuperseded reports whether the tuple of e has changed again or was removed.
func (tb *table) isSuperseded(e entry) bool {
	return e.t.order != e.order || tb.tuples[e.t.key] != e.t
}

// set gives t a value, which is a tombstone if gone is set.
func (tb *table) set(t *tuple, value string, gone bool, now time.Time) {
	if t.gone != gone || t.order == 0 {
		if gone {
			tb.live--
		} else {
			tb.live++
		}
	}
	t.previous, t.wasGone = t.value, t.gone
	t.value, t.gone, t.local, t.changed = value, gone, false, now
}

// publish makes the tuple with this key ours.
func (tb *table) publish(key, value string, now time.Time) {
	t := tb.tuples[key]
	if t == nil {
		t = newTuple(key)
		tb.tuples[key] = t
	}
	if !t.ours {
		t.ours = true
		tb.ours++
		tb.news.drop(key)
	} else if t.value == value {
		return
	}
	tb.disown(t)
	tb.set(t, value, false, now)
	tb.moveToEnd(t)
}

// unpublish takes back a tuple of ours. Another one is only removed from the table.
func (tb *table) unpublish(key string, now time.Time) {
	t := tb.tuples[key]
	switch {
	case t == nil || t.gone:
	case t.ours:
		t.ours = false
		tb.ours--
		delete(tb.delayed, t)
		t.endedBy = nil
		tb.set(t, tombstone(t.value), true, now)
		tb.moveToEnd(t)
	default:
		tb.news.drop(key)
		tb.remove(t)
	}
}

// remove forgets t at once, without a tombstone.
func (tb *table) remove(t *tuple) {
	if !t.gone {
		tb.live--
	}
	tb.disown(t)
	delete(tb.delayed, t)
	delete(tb.tuples, t.key)
}

// learn takes in what l published. It copies the key and the value if it keeps them.
func (tb *table) learn(l *link, key, value []byte, now time.Time) outcome {
	t := tb.tuples[string(key)]
	gone := len(value) == 0 || value[0] == '|'
	switch {
	case t == nil && gone:
		return tupleKnown
	case t == nil:
		if !tb.accept(newTuple(string(key)), l, string(value), now) {
			return tupleRefused
		}
		return tupleNew
	case t.ours:
		if t.value != string(value) {
			tb.holdBack(t, now)
			if gone {
				return tupleDefended
			}
			if t.noteOther(string(value)); t.otherTimes < contestedTimes {
				return tupleDefended
			}
			return tupleContested
		}
		return tupleKnown
	case gone && t.gone:
		if t.endedBy != nil && !t.endedBy.downSince.IsZero() {
			t.endedBy = l // who was lost does not know of this end
		}
		return tupleKnown
	case !t.gone && t.value == string(value):
		tb.confirm(t, l)
		return tupleKnown
	case tb.isReflected(t, l, value, gone, now):
		if l.hub || l.pings {
			l.answerReflected(t, now)
		}
		return tupleReflected
	case gone:
		tb.takeBack(t, l, string(value), now)
		return tupleGone
	case !tb.accept(t, l, string(value), now):
		return tupleRefused
	}
	return tupleChanged
}

// isReflected reports whether value, which differs from that of t, is one that t had before.
//
// A client of CZMQ's kind sends everything that its hub sends it back to the hub: the value
// before the last change, that soon, is taken for that. Otherwise two quick changes would
// follow each other round for ever. Later it may be a publication; such a client does not
// repeat one, and takes a tombstone for the value of its own tuple.
func (tb *table) isReflected(t *tuple, l *link, value []byte, gone bool, now time.Time) bool {
	switch {
	case !l.hub && !l.pings && (t.from == l || now.Sub(t.changed) >= reflectionWindow):
		return false
	case !l.hub && !l.pings && t.gone && l.joinedAt >= t.order:
		return false // it was never sent the value
	case !l.hub && !l.pings && gone:
		return t.wasGone
	case !l.hub && !l.pings:
		return t.previous == string(value)
	case !t.gone || l.isSame(t.endedBy) || l.hub && t.local:
		return false
	}
	return !l.hasRead(t, now)
}

// accept gives t a value from l, which becomes its owner. It reports whether there is room.
func (tb *table) accept(t *tuple, l *link, value string, now time.Time) bool {
	isLive := t.order != 0 && !t.gone
	if tb.hasTooMany(t, l) || !isLive && tb.live >= tb.max && !tb.makeRoom(l, now) {
		l.miss(now)
		return false
	}
	tb.tuples[t.key] = t // also if it was removed with other tombstones to make room
	tb.own(t, l)
	tb.change(t, value, false, now)
	tb.news.put(t)
	return true
}

// own makes l the owner of t, unless its host has brought as many tuples as it may. Nothing
// else gives a tuple an owner.
func (tb *table) own(t *tuple, l *link) {
	if tb.hasTooMany(t, l) {
		return
	}
	tb.disown(t)
	l.owned++
	l.account().addTuple(t)
	tb.owners.update(l.account())
	t.owner, t.from, t.epoch, t.awaited = l, l, l.epoch, 0
}

// disown makes nobody the owner of t.
func (tb *table) disown(t *tuple) {
	if o := t.owner; o != nil {
		o.owned--
		o.account().removeTuple(t)
		tb.owners.update(o.account())
	}
	t.owner, t.from = nil, nil
}

// change gives t a value from elsewhere and has it sent to all links: at once, unless it is a
// value and t is flapping. A tombstone that came late would end what has begun again since.
func (tb *table) change(t *tuple, value string, gone bool, now time.Time) {
	if t.isStable(now) {
		t.changes = 0
	}
	t.changes++
	tb.set(t, value, gone, now)
	if t.changes > flappingChanges && !gone {
		tb.holdBack(t, now)
		return
	}
	delete(tb.delayed, t)
	tb.moveToEnd(t)
}

// confirm notes that l published what we know already. l becomes the owner if the present
// owner is down, or if l pings and the present owner is a client that does not, which may
// only have sent back what we sent to it.
//
// It never takes over from a client that pings, even if that is down. l may have the
// tuple from us, by way of another hub: then each of us would own it because of the other,
// and it would stay for ever. If the client is alive and has only lost its connection with
// us, it publishes its tuple again when it receives the tombstone.
func (tb *table) confirm(t *tuple, l *link) {
	switch o := t.owner; {
	case o == l:
		t.epoch, t.awaited = l.epoch, 0
	case o == nil, !o.downSince.IsZero() && (o.hub || !o.pings), !o.hub && !o.pings && l.pings:
		if f := t.from; f != nil && f != l {
			f.sent = min(f.sent, t.order-1) // it was not sent t, and l may not be its neighbour
		}
		tb.own(t, l)
	}
}

// takeBack gives t a tombstone that l sent. It is sent to l as well if we may have sent l the
// tuple: if l took it in, which it would do long after its tombstone, it takes it back again.
func (tb *table) takeBack(t *tuple, l *link, tombstone string, now time.Time) {
	if len(tb.tuples)-tb.live > tb.max {
		tb.thinTombstones()
	}
	from := t.from
	tb.disown(t)
	if t.endedBy = l; l != nil && from == l {
		t.from = l
	}
	tb.change(t, tombstone, true, now)
	tb.news.put(t)
}

// end takes t back because l, its owner, was lost or did not repeat it; nil for neither. All
// links are told.
func (tb *table) end(t *tuple, l *link, now time.Time) {
	t.from = nil
	tb.takeBack(t, l, tombstone(t.value), now)
	t.local = l != nil && l.hub // other hubs know themselves which of its tuples are left
}

// dropOwned takes back all tuples that l owns, and returns how many there were.
func (tb *table) dropOwned(l *link, now time.Time) (n int) {
	if l.owned == 0 {
		return 0
	}
	for _, t := range tb.tuples {
		if t.owner == l {
			tb.end(t, l, now)
			n++
		}
	}
	return n
}

// resync has l repeat the tuples that it owns: it has said HELLO again, or we to it.
func (tb *table) resync(l *link) {
	l.epoch++
	tb.resyncing = true
}

// dropUnrepeated takes back the tuples that their owners have not repeated in time. Only the
// time counts in which the owner is connected, of all its connections together: one that
// connects again and again does not keep a tuple by that.
func (tb *table) dropUnrepeated(now time.Time) {
	passed := min(now.Sub(tb.ticked), idleTick)
	tb.resyncing = false
	for _, t := range tb.tuples {
		o := t.owner
		if o == nil || t.epoch == o.epoch || !o.hub && !o.pings {
			continue
		}
		tb.resyncing = true
		if !o.downSince.IsZero() {
			continue
		}
		if t.awaited += passed; t.awaited > resyncGrace {
			o.forgot = true
			tb.end(t, o, now)
		}
	}
}

// holdBack has t sent after a delay.
func (tb *table) holdBack(t *tuple, now time.Time) {
	if _, ok := tb.delayed[t]; ok {
		return
	}
	if t.isStable(now) {
		t.delay.Reset()
	}
	t.sendAt = now.Add(t.delay.Next())
	tb.delayed[t] = struct{}{}
}

// tick has the tuples sent whose delay is over and removes old tombstones.
func (tb *table) tick(now time.Time) {
	for t := range tb.delayed {
		if !t.sendAt.After(now) {
			delete(tb.delayed, t)
			t.changed = now
			tb.moveToEnd(t)
		}
	}
	if tb.resyncing {
		tb.dropUnrepeated(now)
	}
	if len(tb.tuples) > tb.live {
		tb.removeTombstones(now.Add(-tombstoneTTL))
	}
	tb.ticked = now
}

// oursInTurn returns a tuple of ours: for turn 0, 1, 2 … each one in its turn. It returns
// nil if there is none.
func (tb *table) oursInTurn(turn int) *tuple {
	if tb.ours == 0 {
		return nil
	}
	turn %= tb.ours
	for _, e := range tb.log {
		if e.t.ours && !tb.isSuperseded(e) {
			if turn == 0 {
				return e.t
			}
			turn--
		}
	}
	return nil
}
