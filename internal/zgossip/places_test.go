package zgossip

import (
	"fmt"
	"testing"
	"time"
)

// Whoever brings a tuple to a host that has its share does not own it, in whatever way it comes.
func TestTable_share(t *testing.T) {
	now := time.Now()
	tb := newTable(10)
	full, czmq, hub := &link{pings: true}, &link{}, &link{hub: true}
	for i := range 5 {
		tb.say(full, fmt.Sprint("k", i, "=v"), now)
	}
	tb.say(czmq, "c=v", now)
	tb.say(hub, "h=v", now)
	hub.downSince = now
	for _, kv := range []string{"c=v", "h=v", "h=w", "new=v", "k0=w"} {
		tb.say(full, kv, now)
	}
	if full.owned != 5 || czmq.owned != 1 || hub.owned != 1 || tb.tuples["k0"].value != "w" {
		t.Errorf("owned = %d, %d, %d, want 5, 1, 1", full.owned, czmq.owned, hub.owned)
	}
	for _, kv := range []string{"c=", "h=", "k0="} {
		tb.say(full, kv, now)
	}
	if full.owned != 4 || czmq.owned != 0 || hub.owned != 0 {
		t.Errorf("owned after tombstones = %d, %d, %d, want 4, 0, 0", full.owned, czmq.owned, hub.owned)
	}
}

// However many keys come and go, the table stays small, whether the news are read or not.
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
		"tuples": len(tb.tuples), "log": len(tb.log), "news": len(tb.news.latest), "order of news": tb.news.order.Len(),
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
	if small.owned != limit/2 {
		t.Errorf("one client brought %d tuples, want %d", small.owned, limit/2)
	}
}

// Clients of one host share what one may bring; who has most gives way to who has less.
func TestTable_greediestGivesWay(t *testing.T) {
	now := time.Now()
	const limit = 50
	tb := newTable(limit)
	greedy, second, small := &host{}, &host{}, &host{}
	for i, l := range []*link{{host: greedy}, {host: greedy}, {host: second}, {host: second}} {
		for j := range limit {
			tb.say(l, fmt.Sprintf("k%d-%d=v", i, j), now)
		}
	}
	if greedy.owned != limit/2 || second.owned != limit/2 {
		t.Fatalf("two hosts brought %d and %d tuples, want %d each", greedy.owned, second.owned, limit/2)
	}
	for i := range 5 {
		if got := tb.say(&link{host: small}, fmt.Sprintf("mine%d=v", i), now); got != tupleNew {
			t.Errorf("tuple %d of a host that has few: %v, want %v", i, got, tupleNew)
		}
	}
	if tb.live != limit || greedy.owned+second.owned != limit-5 {
		t.Errorf("%d tuples, %d and %d of the greedy hosts, want %d in all", tb.live, greedy.owned, second.owned, limit)
	}
	if got := tb.say(&link{host: greedy}, "more=v", now); got != tupleRefused {
		t.Errorf("a further tuple of the greedy host: %v, want %v", got, tupleRefused)
	}
}

// A hub that has filled the table gives way to clients and to another hub that have less. Our clients
// are told, other hubs are not.
func TestTable_hubGivesWay(t *testing.T) {
	now := time.Now()
	const limit = 12
	tb := newTable(limit)
	first, second := &link{hub: true}, &link{hub: true}
	for i := range limit {
		tb.say(first, fmt.Sprint("first", i, "=v"), now)
	}
	if first.owned != limit || !first.refillAt.IsZero() {
		t.Fatalf("a hub alone has %d places, want all %d", first.owned, limit)
	}
	client, other := &link{sent: tb.order}, &link{hub: true, sent: tb.order}
	for i := range 2 {
		if got := tb.say(&link{host: &host{}}, fmt.Sprint("client", i, "=v"), now); got != tupleNew {
			t.Errorf("tuple of a client whose host has none: %v, want %v", got, tupleNew)
		}
	}
	if got, want := tb.changesFor(client), "first5= client0=v first6= client1=v"; got != want {
		t.Errorf("a client is sent %q, want %q", got, want)
	}
	for _, hub := range []*link{other, {hub: true, sent: other.sent}} {
		if got, want := tb.changesFor(hub), "client0=v client1=v"; got != want {
			t.Errorf("another hub is sent %q, want %q", got, want)
		}
	}
	tb.say(first, "first11=", now)
	if got := tb.say(first, "late=v", now); got != tupleNew {
		t.Errorf("what the hub has in the place of its latest: %v, want %v", got, tupleNew)
	}
	for i := range limit {
		tb.say(second, fmt.Sprint("second", i, "=v"), now)
	}
	if first.owned != 5 || second.owned != 5 || tb.live != limit {
		t.Errorf("two hubs have %d and %d places of %d, want 5 each", first.owned, second.owned, tb.live)
	}
	if first.refillAt.IsZero() || second.refillAt.IsZero() || !first.gaveWay || second.gaveWay {
		t.Errorf("both are to be asked again, the first gave way: %v, %v, %t, %t", first.refillAt, second.refillAt, first.gaveWay, second.gaveWay)
	}
	if got := tb.say(first, "first5=v", now); got != tupleRefused {
		t.Errorf("what gave way comes again, and there is no room: %v, want %v", got, tupleRefused)
	}
	tb.say(second, "second0=", now)
	if got := tb.say(first, "first5=v", now); got != tupleChanged {
		t.Errorf("what gave way comes again, and there is room: %v, want %v", got, tupleChanged)
	}
}
