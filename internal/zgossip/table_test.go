package zgossip

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// news takes all that waits in the outbox, as "+key=value" and "-key".
func (tb *table) news() string {
	var all []string
	for {
		n, ok := tb.out.head()
		if !ok {
			return strings.Join(all, " ")
		}
		tb.out.pop()
		if n.Gone {
			all = append(all, "-"+n.Key)
		} else {
			all = append(all, "+"+n.Key+"="+n.Value)
		}
	}
}

// say has l publish "key=value".
func (tb *table) say(l *link, kv string, now time.Time) verdict {
	k, v, _ := strings.Cut(kv, "=")
	return tb.learn(l, []byte(k), []byte(v), now)
}

// told gives what l would be told from the beginning on.
func (tb *table) told(l *link) string {
	var all []string
	for _, e := range tb.since(l.sent) {
		if !tb.stale(e) && l.wants(e.t) {
			all = append(all, e.t.key+"="+e.t.value)
		}
	}
	return strings.Join(all, " ")
}

func TestTable_learn(t *testing.T) {
	now := time.Now()
	tb := newTable(100)
	a, b := &link{pings: true}, &link{pings: true}
	czmq, other := &link{}, &link{hub: true}
	for _, c := range []struct {
		from  *link
		say   string
		after time.Duration
		want  verdict
		news  string
	}{
		{a, "k=v1", 0, tupleNew, "+k=v1"},
		{a, "k=v1", 0, tupleKnown, ""},
		{czmq, "k=v1", 0, tupleKnown, ""},
		{a, "k=v2", 0, tupleChanged, "+k=v2"},
		{czmq, "k=v1", time.Second, tupleEcho, ""},
		{czmq, "k=v2", 0, tupleKnown, ""},
		{a, "k=", 0, tupleGone, "-k"},
		{czmq, "k=v2", 0, tupleEcho, ""},
		{b, "k=", 0, tupleKnown, ""},
		{b, "k=v3", 0, tupleChanged, "+k=v3"},
		{czmq, "k=", time.Second, tupleEcho, ""},
		{other, "k=|key", 0, tupleGone, "-k"},
		{czmq, "k=v3", 3 * time.Second, tupleChanged, "+k=v3"},
		{b, "unknown=", 0, tupleKnown, ""},
		{b, "unknown=|key", 0, tupleKnown, ""},
	} {
		now = now.Add(c.after)
		if got := tb.say(c.from, c.say, now); got != c.want {
			t.Errorf("learn(%q) = %v, want %v", c.say, got, c.want)
		}
		if got := tb.news(); got != c.news {
			t.Errorf("learn(%q) gives news %q, want %q", c.say, got, c.news)
		}
	}
}

func TestTable_own(t *testing.T) {
	now := time.Now()
	tb := newTable(100)
	l := &link{hub: true}
	tb.publish("k", "v", now)
	l.sent = tb.seq
	if got := tb.say(l, "k=other", now); got != tupleDefended {
		t.Errorf("learn(own key) = %v, want %v", got, tupleDefended)
	}
	tb.say(l, "k=", now)
	if got := tb.told(l); got != "" {
		t.Errorf("told at once = %q, want nothing", got)
	}
	tb.tick(now.Add(delayMin))
	if got := tb.told(l); got != "k=v" {
		t.Errorf("told after the wait = %q, want %q", got, "k=v")
	}
	repeats := 0
	for d := time.Duration(0); d < time.Minute; d += 10 * time.Millisecond {
		l.sent = tb.seq
		tb.say(l, "k=other", now.Add(d))
		tb.tick(now.Add(d))
		if tb.told(l) != "" {
			repeats++
		}
	}
	if repeats < 5 || repeats > 12 {
		t.Errorf("a minute of quarrel repeats the tuple %d times, want 5 to 12", repeats)
	}
	if got := tb.news(); got != "" {
		t.Errorf("news of an own key = %q, want none", got)
	}
	l.sent = tb.seq
	tb.unpublish("k", now)
	if got := tb.told(l); got != "k=" {
		t.Errorf("told after unpublish = %q, want %q", got, "k=")
	}
}

// Two values that chase each other round a ring, as hubs with rings between them may
// make them do, come to an end: in a row only some changes are told at once, and the
// last one later.
func TestTable_restless(t *testing.T) {
	now := time.Now()
	tb := newTable(100)
	a, b := &link{hub: true}, &link{hub: true}
	other := &link{}
	tellings := 0
	for i := range 100 {
		tb.say(a, "k=1", now)
		tb.say(b, "k=2", now)
		if i == 50 {
			tb.say(b, "k=", now)
		}
		if tb.told(other) != "" {
			tellings++
		}
		other.sent = tb.seq
	}
	if tellings > restless {
		t.Errorf("a tuple that changes 200 times at once is told %d times, want %d at most", tellings, restless)
	}
	tb.tick(now.Add(delayMin))
	if got := tb.told(other); got != "k=2" {
		t.Errorf("told a little later = %q, want the last value", got)
	}
	other.sent = tb.seq
	now = now.Add(time.Minute)
	tb.say(a, "k=3", now)
	if got := tb.told(other); got != "k=3" {
		t.Errorf("told long after = %q, want the news at once", got)
	}
}

func TestTable_lose(t *testing.T) {
	now := time.Now()
	tb := newTable(100)
	a, b := &link{pings: true}, &link{pings: true}
	h := &link{hub: true}
	tb.say(a, "a=1|key", now)
	tb.say(b, "b=1", now)
	tb.say(h, "h=1", now)
	tb.news()
	b.sent, h.sent = tb.seq, tb.seq
	if n := tb.lose(a, false, now); n != 1 || tb.news() != "-a" {
		t.Errorf("lose(client) = %d, want 1 and news", n)
	}
	if n := tb.lose(h, false, now); n != 1 || tb.news() != "-h" {
		t.Errorf("lose(hub) = %d, want 1 and news", n)
	}
	if got := tb.told(b); got != "a=|key h=" {
		t.Errorf("a client is told %q, want %q", got, "a=|key h=")
	}
	if got := tb.told(&link{hub: true, sent: h.sent}); got != "a=|key" {
		t.Errorf("another hub is told %q, want %q", got, "a=|key")
	}
	if got := tb.told(&link{floor: tb.seq}); got != "b=1" {
		t.Errorf("a newcomer is told %q, want %q", got, "b=1")
	}
	tb.tick(now.Add(tombstoneTTL))
	if len(tb.tuples) != 1 || a.tuples+h.tuples != 0 {
		t.Errorf("after tombstoneTTL %d tuples are left, want 1", len(tb.tuples))
	}
}

func TestTable_resync(t *testing.T) {
	now := time.Now()
	tb := newTable(100)
	h := &link{hub: true}
	tb.say(h, "a=1", now)
	tb.say(h, "b=1", now)
	tb.news()
	h.epoch++
	tb.say(h, "b=1", now)
	tb.lose(h, true, now)
	if got := tb.news(); got != "-a" {
		t.Errorf("news after a resync without a = %q, want %q", got, "-a")
	}
}

func TestTable_takeover(t *testing.T) {
	now := time.Now()
	tb := newTable(100)
	h1, h2 := &link{hub: true}, &link{hub: true}
	czmq, ours := &link{}, &link{pings: true}
	tb.say(h1, "a=1", now)
	tb.say(h2, "a=1", now)
	if tb.lose(h2, false, now) != 0 {
		t.Error("lose(second hub) takes a tuple, want none")
	}
	h1.down = now
	tb.say(h2, "a=1", now)
	if tb.lose(h1, false, now) != 0 {
		t.Error("lose(first hub) takes a tuple that the second repeated, want none")
	}
	tb.say(czmq, "b=1", now)
	tb.say(ours, "b=1", now)
	ours.down = now
	tb.say(h2, "b=1", now)
	if n := tb.lose(ours, false, now); n != 1 {
		t.Errorf("lose(client that pings) = %d, want 1", n)
	}
}

// A stream of keys that come and go leaves bounded traces, read or not.
func TestTable_bounded(t *testing.T) {
	now := time.Now()
	const limit = 50
	tb := newTable(limit)
	l := &link{hub: true}
	refused := 0
	for i := range 20 * limit {
		if tb.say(l, fmt.Sprintf("k%d=v", i), now) == tupleRefused {
			refused++
		}
	}
	if tb.live != limit || refused != 19*limit {
		t.Errorf("live, refused = %d, %d, want %d, %d", tb.live, refused, limit, 19*limit)
	}
	for i := range 200 * limit {
		tb.say(l, fmt.Sprintf("k%d=", i), now)
		tb.say(l, fmt.Sprintf("k%d=v", i+limit), now)
		tb.say(l, fmt.Sprintf("k%d=w", i+limit), now)
	}
	for name, n := range map[string]int{
		"tuples": len(tb.tuples), "log": len(tb.log), "queue": tb.out.queue.Len(), "pending": len(tb.out.pending),
	} {
		if n > 4*limit+200 {
			t.Errorf("%s has %d entries, want %d or less", name, n, 4*limit+200)
		}
	}
	small := &link{}
	tb = newTable(limit)
	for i := range limit {
		tb.say(small, fmt.Sprintf("k%d=v", i), now)
	}
	if small.tuples != limit/2 {
		t.Errorf("one client brought %d tuples, want %d", small.tuples, limit/2)
	}
}

func TestOutbox_coalesce(t *testing.T) {
	now := time.Now()
	tb := newTable(100)
	l := &link{hub: true}
	for _, kv := range []string{"a=1", "b=1", "c=1", "a=2", "b="} {
		tb.say(l, kv, now)
	}
	if got := tb.news(); got != "+a=2 +c=1" {
		t.Errorf("news = %q, want %q", got, "+a=2 +c=1")
	}
	tb.say(l, "a=", now)
	tb.tick(now.Add(time.Minute)) // a is forgotten, its end not yet told
	tb.say(l, "a=3", now)
	tb.say(l, "a=", now)
	if got := tb.news(); got != "-a" {
		t.Errorf("news = %q, want %q", got, "-a")
	}
}
