package monitor

import (
	"slices"
	"testing"
	"time"

	"github.com/go-zyre/zyre"
)

// kindOf is the kind of the link between two nodes, and -1 if there is none.
func kindOf(s *State, a, b string) int {
	for _, l := range s.Links {
		ua, ub := s.Nodes[l.A].UUID, s.Nodes[l.B].UUID
		if ua == a && ub == b || ua == b && ub == a {
			if l.Kind == LinkOneSided && (ua != a) {
				continue // of the other direction
			}
			return l.Kind
		}
	}
	return -1
}

// Who sees whom: what is known of each pair, once views have been told again.
func TestPairs(t *testing.T) {
	a, b, c := fakeUUID(0), fakeUUID(1), fakeUUID(2)
	for _, tc := range []struct {
		name     string
		share    int
		set      func(n *fakeNetwork)
		from, to string
		want     int
		oneSided int
	}{
		{"both tell", 1, func(*fakeNetwork) {}, a, b, LinkBoth, 0},
		{"nobody tells", 0, func(*fakeNetwork) {}, a, b, -1, 0},
		{"one tells", 3, func(*fakeNetwork) {}, a, b, LinkAssumed, 0},
		{"the monitor and one that tells", 1, func(*fakeNetwork) {}, ownUUID, a, LinkBoth, 0},
		{"the monitor and one that does not", 0, func(*fakeNetwork) {}, ownUUID, a, LinkAssumed, 0},
		{"one does not see the other", 1, func(n *fakeNetwork) { n.blind[pair{a, b}] = true }, b, a, LinkOneSided, 1},
		{"neither sees the other", 1, func(n *fakeNetwork) { n.blind[pair{a, b}], n.blind[pair{b, a}] = true, true }, a, b, -1, 0},
		{"one does not see the monitor", 1, func(n *fakeNetwork) { n.blind[pair{c, ownUUID}] = true }, ownUUID, c, LinkOneSided, 1},
	} {
		n := newFakeNetwork(3, tc.share)
		tc.set(n)
		for range 12 {
			n.step(time.Second)
		}
		s := n.model.State(n.now)
		if got := kindOf(s, tc.from, tc.to); got != tc.want || s.Totals.OneSided != tc.oneSided {
			t.Errorf("%s: kind %d, %d one-sided, want %d and %d", tc.name, got, s.Totals.OneSided, tc.want, tc.oneSided)
		}
	}
}

// A pair of which one side was asked a little earlier is not red, and one that is red is not
// any more when both see each other again.
func TestPairs_time(t *testing.T) {
	n := newFakeNetwork(2, 1)
	n.step(time.Second)
	n.blind[pair{fakeUUID(0), fakeUUID(1)}] = true
	n.step(4 * time.Second) // both are asked again, and it is noticed
	if got := n.model.State(n.now).Totals.OneSided; got != 0 {
		t.Errorf("one-sided at once = %d, want 0", got)
	}
	clear(n.blind)
	for range 10 {
		n.step(time.Second)
	}
	if got := types(n.model); slices.Contains(got, EntryOneSided) {
		t.Errorf("entries = %v, want none that is one-sided", got)
	}
	n.blind[pair{fakeUUID(0), fakeUUID(1)}] = true
	for range 10 {
		n.step(time.Second)
	}
	clear(n.blind)
	for range 10 {
		n.step(time.Second)
	}
	got := slices.DeleteFunc(types(n.model), func(kind string) bool { return kind != EntryOneSided && kind != EntryHealed })
	if !slices.Equal(got, []string{EntryOneSided, EntryHealed}) {
		t.Errorf("entries = %v, want %s and %s", got, EntryOneSided, EntryHealed)
	}
}

// A view that is too old, or does not list all, shows nothing to be wrong.
func TestPairs_unusable(t *testing.T) {
	n := newFakeNetwork(2, 1)
	n.blind[pair{fakeUUID(0), fakeUUID(1)}] = true
	for range 10 {
		n.step(time.Second)
	}
	if got := n.model.State(n.now).Totals.OneSided; got != 1 {
		t.Fatalf("one-sided = %d, want 1", got)
	}
	for i := range n.peers { // they tell nothing any more
		n.peers[i].Headers = nil
	}
	for range 20 {
		n.step(time.Second)
	}
	if got := n.model.State(n.now).Totals.OneSided; got != 0 {
		t.Errorf("one-sided by old views = %d, want 0", got)
	}
	n = newFakeNetwork(2, 1)
	n.step(time.Second)
	for range 5 {
		n.now = n.now.Add(time.Second)
		cut := n.viewOf(fakeUUID(0))
		cut.PeerList, cut.Peers = nil, 2000
		n.model.View(n.now, time.Second, cut)
		n.model.View(n.now, time.Second, n.viewOf(fakeUUID(1)))
		n.model.comparePairs(n.now)
	}
	if got := n.model.State(n.now).Totals.OneSided; got != 0 {
		t.Errorf("one-sided by a view that is cut = %d, want 0", got)
	}
}

// Nodes that only others see are shown, unless they have just come or gone.
func TestHidden(t *testing.T) {
	n := newFakeNetwork(2, 1)
	n.step(time.Second)
	n.hidden = []zyre.ViewPeer{{UUID: "FFFF", Name: "far"}, {UUID: "EEEE", Name: "dead", Evasive: true}}
	n.step(4 * time.Second)
	n.model.findHidden(n.now.Add(time.Second)) // by the same views
	if got := n.model.State(n.now).Totals.Hidden; got != 0 {
		t.Errorf("hidden at once = %d, want 0", got)
	}
	for range 10 {
		n.step(time.Second)
	}
	s := n.model.State(n.now)
	if s.Totals.Hidden != 1 || find(t, s, "far").Presence != PresenceHidden {
		t.Errorf("hidden = %d, want the one that lives", s.Totals.Hidden)
	}
	n.hidden = nil
	for range 10 {
		n.step(time.Second)
	}
	if got := n.model.State(n.now).Totals.Hidden; got != 0 {
		t.Errorf("hidden after it has gone = %d, want 0", got)
	}
}

// Of 200 peers that all tell, only the monitor's links and those that are wrong are in the
// picture; a node's own come with its details.
func TestPairs_many(t *testing.T) {
	t.Parallel()
	n := newFakeNetwork(200, 1)
	n.disturb()
	for range 60 {
		n.step(time.Second)
	}
	s := n.model.State(n.now)
	if s.Totals.Peers != 200 || s.Totals.Sharing != 200 || s.Totals.OneSided != 2 {
		t.Errorf("totals = %+v, want 200 peers that tell, and 2 links wrong", s.Totals)
	}
	if len(s.Links) > 210 || s.LinksCut < 19_000 {
		t.Errorf("links = %d and %d left out, want those of the monitor and those that are wrong", len(s.Links), s.LinksCut)
	}
	d, ok := n.model.Detail(n.now, fakeUUID(8))
	if !ok || d.View == nil || len(d.View.Links) != 201 {
		t.Fatalf("details = %+v, want 201 peers of it", d)
	}
	if d, _ := n.model.Detail(n.now, fakeUUID(4)); len(d.View.Links) != 200 {
		t.Errorf("peers of the blind one = %d, want 200", len(d.View.Links))
	}
	if l := d.View.Links[0]; l.UUID != fakeUUID(4) || l.Kind != LinkOneSided {
		t.Errorf("first link = %+v, want the one that is one-sided", l)
	}
}

// Half of a large network does not see the other half: more pairs than are remembered. Those
// that are told stay told.
func TestPairs_tooMany(t *testing.T) {
	t.Parallel()
	n := newFakeNetwork(130, 1)
	for i := range 65 {
		for j := 65; j < 130; j++ {
			n.blind[pair{fakeUUID(i), fakeUUID(j)}] = true
		}
	}
	for range 18 {
		n.step(time.Second)
	}
	told, entries := len(n.model.pairs.told), n.model.LastEntry()
	if told != maxPairsRemembered {
		t.Fatalf("pairs told = %d, want %d", told, maxPairsRemembered)
	}
	for range 3 {
		n.step(time.Second)
	}
	if got := n.model.LastEntry() - entries; got != 0 || len(n.model.pairs.told) != told {
		t.Errorf("%d entries, and %d pairs told, though nothing has changed", got, len(n.model.pairs.told))
	}
}
