package zgossip

import (
	"fmt"
	"testing"
	"time"
)

func TestLink_isSame(t *testing.T) {
	a, b := &link{instance: "a"}, &link{instance: "b"}
	unknown := &link{}
	for _, c := range []struct {
		name     string
		l, other *link
		want     bool
	}{
		{"itself", a, a, true},
		{"another connection of the member", a, &link{instance: "a"}, true},
		{"another member", a, b, false},
		{"itself, not known by an instance", unknown, unknown, true},
		{"two that are not known by an instance", unknown, &link{}, false},
		{"nobody", a, nil, false},
	} {
		if got := c.l.isSame(c.other); got != c.want {
			t.Errorf("%s: isSame() = %t, want %t", c.name, got, c.want)
		}
	}
}

// What the clients of a host own is counted for all of them together, that of a hub for itself.
func TestLink_own(t *testing.T) {
	at, elsewhere := &host{}, &host{}
	one, two, other, hub := &link{host: at}, &link{host: at}, &link{host: elsewhere}, &link{hub: true}
	tb, now := newTable(100), time.Now()
	for l, own := range map[*link]int{one: 3, two: 2, other: 1, hub: 4} {
		for i := range own {
			tb.say(l, fmt.Sprintf("%p-%d=v", l, i), now)
		}
	}
	tb.say(one, fmt.Sprintf("%p-1=", one), now)
	for name, c := range map[string]struct {
		l           *link
		own, byHost int
	}{
		"one":   {one, 2, 4},
		"two":   {two, 2, 4},
		"other": {other, 1, 1},
		"hub":   {hub, 4, 4},
	} {
		if c.l.owned != c.own || c.l.ownedByHost() != c.byHost {
			t.Errorf("%s owns %d and its host %d, want %d and %d", name, c.l.owned, c.l.ownedByHost(), c.own, c.byHost)
		}
	}
	if !one.isAtHostOf(two) || one.isAtHostOf(other) || !hub.isAtHostOf(hub) || hub.isAtHostOf(&link{hub: true}) {
		t.Error("isAtHostOf() is wrong: one and two are at one host, other and the hubs each at one of their own")
	}
}

// A neighbour has read a tombstone a while after it was sent, on the present connection.
func TestLink_hasRead(t *testing.T) {
	now := time.Now()
	const soon, later = reflectionWindow - 1, reflectionWindow
	gone := &tuple{order: 7, gone: true, changed: now}
	for _, c := range []struct {
		name  string
		l     link
		after time.Duration
		want  bool
	}{
		{"sent long enough ago", link{sentTo: 7, sentAll: now}, later, true},
		{"sent just now", link{sentTo: 7, sentAll: now}, soon, false},
		{"sent on a connection that is new", link{sentTo: 7, sentAll: now.Add(1)}, later, false},
		{"not sent yet on this connection", link{sentTo: 7}, later, false},
		{"only what came before was sent", link{sentTo: 6, sentAll: now}, later, false},
		{"it came after the tombstone", link{joinedAt: 7, sentTo: 7, sentAll: now}, later, false},
	} {
		if got := c.l.hasRead(gone, now.Add(c.after)); got != c.want {
			t.Errorf("%s: hasRead() = %t, want %t", c.name, got, c.want)
		}
	}
}

// A neighbour that sends one reflected value after another is asked for its tuples later and later.
func TestLink_answerReflected(t *testing.T) {
	now := time.Now()
	l, asked := &link{hub: true}, 0
	for range 600 {
		now = now.Add(time.Second)
		l.answerReflected(&tuple{}, now)
		l.sentAll = now.Add(-time.Minute)
		if l.isToBeAsked(now) {
			l.askAt = time.Time{}
			asked++
		}
	}
	if asked < 18 || asked > 25 {
		t.Errorf("asked %d times in ten minutes, want about 22", asked)
	}
	now, l.askAt = now.Add(2*maxDelay+1), time.Time{}
	l.answerReflected(&tuple{}, now)
	if got := l.askAt.Sub(now); got != reflectionWindow {
		t.Errorf("asked %v after a reflected value that comes later, want %v", got, reflectionWindow)
	}
}

// Who has never been sent the tombstone is sent it; nothing else is sent again.
func TestLink_answerReflected_newcomer(t *testing.T) {
	now := time.Now()
	for _, c := range []struct {
		name             string
		joinedAt, sent   uint64
		joinedAt2, sent2 uint64 // afterwards
	}{
		{"it was told", 5, 9, 5, 9},
		{"it came after the tombstone", 8, 9, 6, 6},
		{"it came with the tombstone", 7, 7, 6, 6},
		{"it is behind anyway", 8, 2, 6, 2},
	} {
		l := &link{joinedAt: c.joinedAt, sent: c.sent, sentAll: now}
		l.answerReflected(&tuple{order: 7, gone: true}, now)
		if l.joinedAt != c.joinedAt2 || l.sent != c.sent2 || l.sentAll.IsZero() != (c.joinedAt >= 7) {
			t.Errorf("%s: joinedAt, sent = %d, %d, all sent %t, want %d, %d",
				c.name, l.joinedAt, l.sent, !l.sentAll.IsZero(), c.joinedAt2, c.sent2)
		}
	}
}

func TestLink_isToBeAsked(t *testing.T) {
	now := time.Now()
	for _, c := range []struct {
		name           string
		askAt, sentAll time.Time
		want           bool
	}{
		{"no reflected value came", time.Time{}, now.Add(-time.Hour), false},
		{"it is due", now, now.Add(-reflectionWindow), true},
		{"it is not due yet", now.Add(1), now.Add(-reflectionWindow), false},
		{"not all was sent to it", now, time.Time{}, false},
		{"it may not have read all", now, now.Add(1 - reflectionWindow), false},
	} {
		l := &link{askAt: c.askAt, sentAll: c.sentAll}
		if got := l.isToBeAsked(now); got != c.want {
			t.Errorf("%s: isToBeAsked() = %t, want %t", c.name, got, c.want)
		}
	}
}

func TestLink_wants(t *testing.T) {
	hub, client := &link{hub: true}, &link{joinedAt: 5}
	for _, c := range []struct {
		name string
		l    *link
		t    tuple
		want bool
	}{
		{"a value", client, tuple{order: 3}, true},
		{"a value, for a hub", hub, tuple{order: 3}, true},
		{"a value that it sent us", client, tuple{order: 6, from: client}, false},
		{"a value that another sent us", client, tuple{order: 6, from: hub}, true},
		{"a tombstone", client, tuple{order: 6, gone: true}, true},
		{"a tombstone from before it came", client, tuple{order: 5, gone: true}, false},
		{"a tombstone, for a hub", hub, tuple{order: 6, gone: true}, true},
		{"a tombstone for us and our clients only", client, tuple{order: 6, gone: true, local: true}, true},
		{"the same, for a hub", hub, tuple{order: 6, gone: true, local: true}, false},
	} {
		if got := c.l.wants(&c.t); got != c.want {
			t.Errorf("%s: wants() = %t, want %t", c.name, got, c.want)
		}
	}
}
