package zgossip

import (
	"cmp"
	"strings"
	"testing"
	"time"
)

// takeNews takes all that waits in the newsQueue, as "+key=value" and "-key".
func (tb *table) takeNews() string {
	var all []string
	for {
		n, ok := tb.news.front()
		if !ok {
			return strings.Join(all, " ")
		}
		tb.news.pop()
		if n.Gone {
			all = append(all, "-"+n.Key)
		} else {
			all = append(all, "+"+n.Key+"="+n.Value)
		}
	}
}

// say has l publish "key=value".
func (tb *table) say(l *link, kv string, now time.Time) outcome {
	k, v, _ := strings.Cut(kv, "=")
	return tb.learn(l, []byte(k), []byte(v), now)
}

// changesFor returns what would be sent to l now, as "key=value".
func (tb *table) changesFor(l *link) string {
	var all []string
	for _, e := range tb.after(l.sent) {
		if !tb.isSuperseded(e) && l.wants(e.t) {
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
		want  outcome
		news  string
	}{
		{a, "k=v1", 0, tupleNew, "+k=v1"},
		{a, "k=v1", 0, tupleKnown, ""},
		{czmq, "k=v1", 0, tupleKnown, ""},
		{a, "k=v2", 0, tupleChanged, "+k=v2"},
		{czmq, "k=v1", time.Second, tupleReflected, ""},
		{czmq, "k=v2", 0, tupleKnown, ""},
		{a, "k=", 0, tupleGone, "-k"},
		{czmq, "k=v2", 0, tupleReflected, ""},
		{b, "k=", 0, tupleKnown, ""},
		{b, "k=v3", 0, tupleReflected, ""},
		{b, "k=v3", 2 * time.Second, tupleChanged, "+k=v3"},
		{czmq, "k=", time.Second, tupleReflected, ""},
		{other, "k=|key", 0, tupleGone, "-k"},
		{czmq, "k=v3", 3 * time.Second, tupleChanged, "+k=v3"},
		{b, "unknown=", 0, tupleKnown, ""},
		{b, "unknown=|key", 0, tupleKnown, ""},
	} {
		for _, l := range []*link{a, b, czmq, other} {
			l.sentTo, l.sentAll = tb.order, cmp.Or(l.sentAll, now)
		}
		now = now.Add(c.after)
		if got := tb.say(c.from, c.say, now); got != c.want {
			t.Errorf("learn(%q) = %v, want %v", c.say, got, c.want)
		}
		if got := tb.takeNews(); got != c.news {
			t.Errorf("learn(%q) gives news %q, want %q", c.say, got, c.news)
		}
	}
}

// Who publishes one value in place of ours again and again is another member that lives: values
// of ours that were may still be told once by each neighbour.
func TestTable_contested(t *testing.T) {
	now := time.Now()
	tb := newTable(100)
	l := &link{hub: true}
	tb.publish("k", "v", now)
	for i, c := range []struct {
		say  string
		want outcome
	}{
		{"k=was", tupleDefended}, {"k=other", tupleDefended}, {"k=other", tupleDefended}, {"k=v", tupleKnown}, {"k=", tupleDefended},
		{"k=other", tupleDefended}, {"k=other", tupleDefended}, {"k=other", tupleContested}, {"k=other", tupleContested},
		{"k=was", tupleDefended}, {"k=other", tupleDefended},
	} {
		if got := tb.say(l, c.say, now); got != c.want {
			t.Errorf("%d: learn(%q) = %v, want %v", i, c.say, got, c.want)
		}
	}
}

func TestTable_ours(t *testing.T) {
	now := time.Now()
	tb := newTable(100)
	l := &link{hub: true}
	tb.publish("k", "v", now)
	l.sent = tb.order
	if got := tb.say(l, "k=other", now); got != tupleDefended {
		t.Errorf("learn(own key) = %v, want %v", got, tupleDefended)
	}
	tb.say(l, "k=", now)
	if got := tb.changesFor(l); got != "" {
		t.Errorf("sent at once = %q, want nothing", got)
	}
	tb.tick(now.Add(minDelay))
	if got := tb.changesFor(l); got != "k=v" {
		t.Errorf("sent after the delay = %q, want %q", got, "k=v")
	}
	repeats := 0
	for d := time.Duration(0); d < time.Minute; d += 10 * time.Millisecond {
		l.sent = tb.order
		tb.say(l, "k=other", now.Add(d))
		tb.tick(now.Add(d))
		if tb.changesFor(l) != "" {
			repeats++
		}
	}
	if repeats < 5 || repeats > 12 {
		t.Errorf("a minute in which another member changes it repeats the tuple %d times, want 5 to 12", repeats)
	}
	if got := tb.takeNews(); got != "" {
		t.Errorf("news of an own key = %q, want none", got)
	}
	l.sent = tb.order
	tb.unpublish("k", now)
	if got := tb.changesFor(l); got != "k=" {
		t.Errorf("sent after unpublish = %q, want %q", got, "k=")
	}
}

// Two values can follow each other round a ring of hubs. That comes to an end: of the
// changes in a row only some are sent at once, and the last one later.
func TestTable_flapping(t *testing.T) {
	now := time.Now()
	tb := newTable(100)
	a, b := &link{hub: true}, &link{hub: true}
	other := &link{}
	sendings := 0
	for i := range 100 {
		tb.say(a, "k=1", now)
		tb.say(b, "k=2", now)
		if i == 50 {
			tb.say(b, "k=", now)
			if got := tb.changesFor(other); got != "k=" {
				t.Errorf("sent at once after a tombstone = %q, want %q", got, "k=")
			}
		}
		if tb.changesFor(other) != "" {
			sendings++
		}
		other.sent = tb.order
	}
	if sendings > flappingChanges {
		t.Errorf("a tuple that changes 200 times at once is sent %d times, want %d at most", sendings, flappingChanges)
	}
	tb.tick(now.Add(2 * minDelay))
	if got := tb.changesFor(other); got != "k=2" {
		t.Errorf("sent a little later = %q, want the last value", got)
	}
	other.sent = tb.order
	now = now.Add(time.Minute)
	tb.say(a, "k=3", now)
	if got := tb.changesFor(other); got != "k=3" {
		t.Errorf("sent long after = %q, want the change at once", got)
	}
}

func TestTable_dropOwned(t *testing.T) {
	now := time.Now()
	tb := newTable(100)
	a, b := &link{pings: true}, &link{pings: true}
	h := &link{hub: true}
	tb.say(a, "a=1|key", now)
	tb.say(b, "b=1", now)
	tb.say(h, "h=1", now)
	tb.takeNews()
	b.sent, h.sent = tb.order, tb.order
	if n := tb.dropOwned(a, now); n != 1 || tb.takeNews() != "-a" {
		t.Errorf("dropOwned(client) = %d, want 1 and news", n)
	}
	if n := tb.dropOwned(h, now); n != 1 || tb.takeNews() != "-h" {
		t.Errorf("dropOwned(hub) = %d, want 1 and news", n)
	}
	if got := tb.changesFor(b); got != "a=|key h=" {
		t.Errorf("a client is sent %q, want %q", got, "a=|key h=")
	}
	if got := tb.changesFor(&link{hub: true, sent: h.sent}); got != "a=|key" {
		t.Errorf("another hub is sent %q, want %q", got, "a=|key")
	}
	if got := tb.changesFor(&link{joinedAt: tb.order}); got != "b=1" {
		t.Errorf("a newcomer is sent %q, want %q", got, "b=1")
	}
	tb.tick(now.Add(tombstoneTTL))
	if len(tb.tuples) != 1 || a.owned+h.owned != 0 {
		t.Errorf("after tombstoneTTL %d tuples are left, want 1", len(tb.tuples))
	}
}

func TestTable_resync(t *testing.T) {
	now := time.Now()
	tb := newTable(100)
	h := &link{hub: true}
	tb.say(h, "a=1", now)
	tb.say(h, "b=1", now)
	tb.takeNews()
	for tick := range 11 {
		if got := tb.takeNews(); got != "" {
			t.Errorf("news %d s after the first HELLO = %q, want none", tick, got)
		}
		if tick%3 == 0 {
			tb.resync(h) // again and again
		}
		tb.say(h, "b=1", now)
		now = now.Add(time.Second)
		tb.tick(now)
	}
	if got := tb.takeNews(); got != "-a" {
		t.Errorf("news after a resync without a = %q, want %q", got, "-a")
	}
	tb.resync(h)
	h.downSince = now
	for range 20 {
		now = now.Add(time.Second)
		tb.tick(now)
	}
	if got := tb.takeNews(); got != "" {
		t.Errorf("news while the hub is lost = %q, want none", got)
	}
}

// A tuple that was taken back begins again only with a value that is later than its tombstone.
func TestTable_reflected(t *testing.T) {
	start := time.Now()
	const soon, later = reflectionWindow - 1, reflectionWindow
	for _, c := range []struct {
		name    string
		by      string        // who takes the tuple back: its owner, we because the owner is lost, another neighbour
		l       link          // the neighbour that says the former value
		sentAll time.Duration // when, after that, all was sent to it; negative for not yet
		after   time.Duration // when it says the value
		want    outcome
	}{
		{"a hub on another way round", "owner", link{hub: true}, 0, soon, tupleReflected},
		{"a client on another way round", "owner", link{pings: true}, 0, soon, tupleReflected},
		{"it has read the tombstone", "owner", link{hub: true}, 0, later, tupleChanged},
		{"a client that has", "owner", link{pings: true}, 0, later, tupleChanged},
		{"it is connected again, and was told nothing", "owner", link{hub: true}, -1, time.Minute, tupleReflected},
		{"it was told just now", "owner", link{pings: true}, time.Minute, time.Minute + soon, tupleReflected},
		{"it was told", "owner", link{pings: true}, time.Minute, time.Minute + later, tupleChanged},
		{"who took it back", "owner", link{pings: true, instance: "owner"}, -1, 0, tupleChanged},
		{"who was lost is back", "lost", link{pings: true, instance: "owner"}, -1, 0, tupleChanged},
		{"who was lost is back, and another hub says it is gone", "lost, other", link{pings: true, instance: "owner"}, -1, 0, tupleReflected},
		{"the owner was lost, and a hub has a copy", "lost", link{hub: true}, 0, soon, tupleReflected},
		{"another took back the owner's", "other", link{pings: true, instance: "owner"}, 0, soon, tupleReflected},
		{"a client of CZMQ's kind sends it back", "owner", link{}, 0, soon, tupleReflected},
		{"a client of CZMQ's kind, later", "owner", link{}, -1, later, tupleChanged},
		{"one that came after the tombstone", "owner", link{joinedAt: 2}, -1, soon, tupleChanged},
	} {
		tb := newTable(10)
		owner, other, l := &link{pings: true, instance: "owner"}, &link{hub: true}, &c.l
		tb.say(owner, "k=v", start)
		switch c.by {
		case "owner":
			tb.say(owner, "k=", start)
		case "lost":
			tb.dropOwned(owner, start)
		case "other":
			tb.say(other, "k=", start)
		case "lost, other":
			owner.downSince = start
			tb.dropOwned(owner, start)
			tb.say(other, "k=", start)
		}
		if c.sentAll >= 0 {
			l.sentTo, l.sentAll = tb.order, start.Add(c.sentAll)
		}
		if got := tb.say(l, "k=v", start.Add(c.after)); got != c.want {
			t.Errorf("%s: learn() = %v, want %v", c.name, got, c.want)
		}
		if asks := !l.askAt.IsZero(); asks != (c.want == tupleReflected && (l.hub || l.pings)) {
			t.Errorf("%s: asked for its tuples again %t", c.name, asks)
		}
	}
	// A newcomer is told the tombstone only after it has sent a reflected value.
	tb := newTable(10)
	tb.say(&link{hub: true}, "k=v", start)
	tb.say(&link{hub: true}, "k=", start)
	late := &link{pings: true, joinedAt: tb.order, sent: tb.order, sentTo: tb.order, sentAll: start}
	for _, c := range []struct {
		after time.Duration
		want  outcome
		sent  string
	}{{time.Minute, tupleReflected, "k="}, {time.Minute + later, tupleChanged, ""}} {
		if got := tb.say(late, "k=v", start.Add(c.after)); got != c.want || tb.changesFor(late) != c.sent {
			t.Errorf("a newcomer after %v: learn() = %v, want %v; it is sent %q, want %q", c.after, got, c.want, tb.changesFor(late), c.sent)
		}
		late.sent, late.sentTo, late.sentAll = tb.order, tb.order, start.Add(c.after)
	}
}

func TestTable_takeover(t *testing.T) {
	now := time.Now()
	tb := newTable(100)
	h1, h2 := &link{hub: true}, &link{hub: true}
	czmq, ours := &link{}, &link{pings: true}
	tb.say(h1, "a=1", now)
	h1.sent = tb.order
	tb.say(h2, "a=1", now)
	if tb.dropOwned(h2, now) != 0 {
		t.Error("dropOwned(second hub) takes a tuple, want none")
	}
	h1.downSince = now
	tb.say(h2, "a=1", now)
	if tb.dropOwned(h1, now) != 0 {
		t.Error("dropOwned(first hub) takes a tuple that the second repeated, want none")
	}
	if got := tb.changesFor(h1); got != "a=1" {
		t.Errorf("the first hub, which may have restarted, is sent %q, want %q", got, "a=1")
	}
	tb.say(czmq, "b=1", now)
	tb.say(ours, "b=1", now)
	ours.downSince = now
	tb.say(h2, "b=1", now)
	if n := tb.dropOwned(ours, now); n != 1 {
		t.Errorf("dropOwned(client that pings) = %d, want 1", n)
	}
}

// News tells which neighbour a tuple came from, but not of one that is gone.
func TestTable_newsSource(t *testing.T) {
	now := time.Now()
	tb := newTable(10)
	client, hub := &link{host: &host{}, address: "10.0.0.1"}, &link{hub: true, address: "tcp://hub:9"}
	next := func() (n Tuple) {
		n, _ = tb.news.front()
		tb.news.pop()
		return n
	}
	tb.say(client, "a=1", now)
	if n := next(); n != (Tuple{Key: "a", Value: "1", From: "10.0.0.1"}) {
		t.Errorf("news of a client's tuple = %+v", n)
	}
	tb.say(hub, "b=1", now)
	if n := next(); n != (Tuple{Key: "b", Value: "1", From: "tcp://hub:9"}) {
		t.Errorf("news of a hub's tuple = %+v", n)
	}
	tb.say(client, "a=", now)
	if n := next(); n != (Tuple{Key: "a", Value: "1", Gone: true}) {
		t.Errorf("news of its end = %+v", n)
	}
}
