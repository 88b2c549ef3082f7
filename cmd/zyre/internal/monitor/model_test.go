package monitor

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-zyre/zyre"
)

var t0 = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

// types are the types of all entries, in their order.
func types(m *Model) (all []string) {
	for _, e := range m.LastEntries(maxEntries) {
		all = append(all, e.Type)
	}
	return all
}

// find returns a node of the picture by its name.
func find(t *testing.T, s *State, name string) Node {
	t.Helper()
	for _, n := range s.Nodes {
		if n.Name == name {
			return n
		}
	}
	t.Fatalf("no node %q in the picture", name)
	return Node{}
}

// Each event changes the picture as it says, before the next sample.
func TestModel_events(t *testing.T) {
	enter := &zyre.Event{Type: zyre.EventEnter, PeerUUID: "A1", PeerName: "alice", PeerAddr: "tcp://x:1", Headers: map[string]string{"b": "2", "a": "1"}}
	event := func(kind, group string) *zyre.Event {
		return &zyre.Event{Type: kind, PeerUUID: "A1", PeerName: "alice", Group: group}
	}
	for _, c := range []struct {
		name   string
		events []*zyre.Event
		peers  int
		groups string
		state  string
	}{
		{"none", nil, 0, "", ""},
		{"enter", []*zyre.Event{enter}, 1, "", PresenceAlive},
		{"join", []*zyre.Event{enter, event("JOIN", "hall"), event("JOIN", "hall")}, 1, "hall:1", PresenceAlive},
		{"leave", []*zyre.Event{enter, event("JOIN", "hall"), event("LEAVE", "hall")}, 1, "", PresenceAlive},
		{"evasive", []*zyre.Event{enter, event("EVASIVE", "")}, 1, "", PresenceEvasive},
		{"exit", []*zyre.Event{enter, event("JOIN", "hall"), event("EXIT", "")}, 0, "", ""},
		{"back", []*zyre.Event{enter, event("EVASIVE", ""), event("EXIT", ""), enter}, 1, "", PresenceAlive},
		{"of a stranger", []*zyre.Event{event("JOIN", "hall"), event("LEAVE", "x"), event("EVASIVE", ""), event("SILENT", ""), event("EXIT", "")}, 0, "", ""},
	} {
		m := NewModel(ownUUID, t0)
		for _, e := range c.events {
			m.Event(t0, e)
		}
		s := m.State(t0)
		groups := ""
		for _, g := range s.Groups {
			groups += fmt.Sprintf("%s:%d", g.Name, g.Members)
		}
		if s.Totals.Peers != c.peers || len(s.Nodes) != c.peers+1 || groups != c.groups {
			t.Errorf("%s: %d peers, groups %q, want %d and %q", c.name, s.Totals.Peers, groups, c.peers, c.groups)
		}
		if c.peers == 1 && s.Nodes[1].Presence != c.state {
			t.Errorf("%s: state %q, want %q", c.name, s.Nodes[1].Presence, c.state)
		}
		if got := types(m); len(got) != len(c.events) {
			t.Errorf("%s: entries %v, want one for each event", c.name, got)
		}
	}
}

// What an event tells is in its entry, printable, and of a message only the beginning.
func TestModel_entries(t *testing.T) {
	m := NewModel(ownUUID, t0)
	long := []byte(strings.Repeat("x", 2*maxPayload))
	m.Event(t0, &zyre.Event{Type: "ENTER", PeerUUID: "A1", PeerName: "a\x1b", PeerAddr: "tcp://x", Headers: map[string]string{"k\n": "v\x00", "b": "c"}})
	m.Event(t0, &zyre.Event{Type: "SHOUT", PeerUUID: "A1", PeerName: "a", Group: "g\u202e", Msg: long, Frames: [][]byte{long, {1}}})
	m.Event(t0, &zyre.Event{Type: "WHISPER", PeerUUID: "A1", PeerName: "a", Msg: []byte{1}, Frames: [][]byte{{1}}})
	m.Event(t0, &zyre.Event{Type: "EXIT", PeerUUID: "A1", PeerName: "a", Reason: zyre.ReasonExpired})
	e := m.LastEntries(10)
	if e[0].ID != 1 || e[0].Name != `a\x1b` || !slices.Equal(e[0].Headers, []Header{{"b", "c"}, {`k\x0a`, `v\x00`}}) {
		t.Errorf("ENTER = %+v", e[0])
	}
	if e[1].Group != `g\u202e` || len(e[1].Payload) != maxPayload || e[1].Bytes != 2*maxPayload+1 || e[1].Frames != 2 || !e[1].IsCut {
		t.Errorf("SHOUT: group %q, %d of %d bytes, %d frames, cut %v", e[1].Group, len(e[1].Payload), e[1].Bytes, e[1].Frames, e[1].IsCut)
	}
	if string(e[2].Payload) != "\x01" || e[2].IsCut {
		t.Errorf("WHISPER = %+v", e[2])
	}
	if e[3].Reason != zyre.ReasonExpired {
		t.Errorf("EXIT = %+v", e[3])
	}
}

// A sample is the truth about who is there; rates come from two of them.
func TestModel_samples(t *testing.T) {
	n := newFakeNetwork(3, 0)
	n.model.Event(n.now, &zyre.Event{Type: "ENTER", PeerUUID: "FF", PeerName: "ghost"})
	n.rates = []float64{10, 0, 0}
	n.step(time.Second)
	n.step(10 * time.Second)
	s := n.model.State(n.now)
	if len(s.Nodes) != 4 || s.Nodes[0].Presence != PresenceSelf || s.Totals.Peers != 3 {
		t.Fatalf("nodes = %+v, want the monitor and three peers", s.Nodes)
	}
	p := find(t, s, n.peers[0].Name)
	if p.In < 9.9 || p.In > 10.2 || p.RTT != n.peers[0].RTT.Microseconds() || p.Address != n.peers[0].Endpoint {
		t.Errorf("%+v, want 10 messages a second", p)
	}
	if s.Totals.In < 9.9 || s.Totals.In > 11 {
		t.Errorf("all together %v a second, want 10", s.Totals.In)
	}
	n.stats[0].Received, n.peers[0].Since = 0, n.now // it has entered again
	n.step(time.Second)
	if p := find(t, n.model.State(n.now), n.peers[0].Name); p.In < 0 || p.In > 12 {
		t.Errorf("after a restart %v a second, want what it counts now", p.In)
	}
	n.stats, n.peers = n.stats[1:], n.peers[1:]
	n.rates = n.rates[1:]
	n.step(time.Second)
	if got := n.model.State(n.now).Totals.Peers; got != 2 {
		t.Errorf("peers after one has gone = %d, want 2", got)
	}
}

// A rate needs two looks, and a counter that has started again gives none.
func TestRate(t *testing.T) {
	var r rate
	for i, c := range []struct {
		after   time.Duration
		counter uint64
		want    float64
	}{{0, 100, 0}, {time.Second, 110, 10}, {2 * time.Second, 114, 2}, {0, 200, 2}, {time.Second, 3, 0}, {time.Second, 5, 2}} {
		t0 := t0.Add(c.after)
		if i > 0 {
			t0 = r.at.Add(c.after)
		}
		if r.update(t0, c.counter); r.value != c.want {
			t.Errorf("look %d: %v a second, want %v", i, r.value, c.want)
		}
	}
}

// SILENT lasts until something comes from the peer.
func TestModel_silent(t *testing.T) {
	n := newFakeNetwork(1, 0)
	n.step(time.Second)
	state := func() string { return n.model.State(n.now).Nodes[1].Presence }
	n.stats[0].Evasive, n.peers[0].Idle = true, 6*time.Second
	n.step(time.Second)
	if got := state(); got != PresenceEvasive {
		t.Errorf("state = %q, want %q", got, PresenceEvasive)
	}
	n.model.Event(n.now, &zyre.Event{Type: "SILENT", PeerUUID: n.peers[0].UUID})
	n.step(5 * time.Second)
	if got := state(); got != PresenceSilent {
		t.Errorf("state = %q, want %q", got, PresenceSilent)
	}
	n.stats[0].Evasive = false
	n.step(time.Second)
	if got := state(); got != PresenceAlive {
		t.Errorf("state = %q, want %q", got, PresenceAlive)
	}
}

// A group keeps its slot while it exists, and a new one takes the lowest that is free.
func TestModel_slots(t *testing.T) {
	n := newFakeNetwork(3, 0)
	set := func(groups ...string) map[string]int {
		for i := range n.peers {
			n.peers[i].Groups = groups
		}
		n.step(time.Second)
		slots := map[string]int{}
		for _, g := range n.model.State(n.now).Groups {
			slots[g.Name] = g.Slot
		}
		return slots
	}
	first := set("a", "b", "c")
	second := set("c", "d", "e")
	if first["c"] != second["c"] {
		t.Errorf("slot of c = %d, then %d, want the same", first["c"], second["c"])
	}
	taken := map[int]bool{}
	for _, slot := range second {
		if taken[slot] || slot >= 4 {
			t.Errorf("slots = %v, want different ones below 4", second) // c, d, e and control
		}
		taken[slot] = true
	}
}

// Whatever goes on, the model keeps no more than its limits.
func TestModel_bounded(t *testing.T) {
	t.Parallel()
	n := newFakeNetwork(20, 1)
	big := []byte(strings.Repeat("x", 100_000))
	long := strings.Repeat("\x1b", 255)
	for i := range 5 * maxEntries {
		n.model.Event(n.now, &zyre.Event{Type: "SHOUT", PeerUUID: n.peers[0].UUID, PeerName: long, Group: long, Msg: big, Frames: [][]byte{big}})
		if i%1000 == 0 {
			n.step(time.Second)
		}
	}
	for i := range n.peers {
		for g := range 60 {
			n.peers[i].Groups = append(n.peers[i].Groups, fmt.Sprintf("%s%d-%d", long, i, g))
		}
	}
	for i := range 700 {
		n.hidden = append(n.hidden, zyre.ViewPeer{UUID: fmt.Sprintf("F%031X", i), Name: long})
	}
	for range maxHistory + 5 {
		n.step(time.Second)
	}
	m := n.model
	if got := len(m.timeline.entries); got != maxEntries {
		t.Errorf("entries = %d, want %d", got, maxEntries)
	}
	for _, e := range m.timeline.entries {
		if cap(e.Payload) > 2*maxPayload {
			t.Fatalf("an entry keeps %d bytes, want %d at most", cap(e.Payload), maxPayload)
		}
	}
	s := m.State(n.now)
	for what, c := range map[string]struct{ got, most int }{
		"groups":              {len(s.Groups), maxGroupsShown},
		"slots":               {len(m.slots), maxGroupsShown},
		"groups of a node":    {len(s.Nodes[1].Groups), maxNodeGroups},
		"hidden nodes":        {s.Totals.Hidden, maxHiddenNodes},
		"hidden, noticed":     {len(m.hiddenSince), maxHiddenNodes},
		"samples of a node":   {cap(m.peers[n.peers[0].UUID].history), 4 * maxHistory},
		"links in one view":   {len(m.peers[n.peers[0].UUID].view.links), maxLinksInOneView},
		"links shown":         {len(s.Links), maxLinksShown + maxOneSidedShown + 21},
		"pairs remembered":    {len(m.pairs.since), maxPairsRemembered},
		"bytes of a name":     {len(s.Groups[0].Name), 4*maxText + 4},
		"entries in one page": {len(m.LastEntries(1 << 30)), maxEntries},
	} {
		if c.got > c.most {
			t.Errorf("%s = %d, want at most %d", what, c.got, c.most)
		}
	}
	if s.Totals.Hidden == 0 || s.Nodes[1].AllGroups < 60 {
		t.Errorf("hidden = %d, groups of a node = %d, want many of both, or the test shows nothing", s.Totals.Hidden, s.Nodes[1].AllGroups)
	}
}

// Peers that come and go leave nothing behind: neither they, nor their groups, nor who sees
// whom, nor memory.
func TestModel_peersComeAndGo(t *testing.T) { // not parallel: it looks at the memory
	m := NewModel(ownUUID, time.Now())
	now := m.startedAt
	next := 0
	generation := func() {
		var peers []zyre.PeerInfo
		for range 40 {
			next++
			p := zyre.PeerInfo{
				UUID: fmt.Sprintf("%032X", 1000+next), Name: fmt.Sprint("peer ", next), Since: now, Groups: []string{fmt.Sprint("group ", next/4)},
				Headers: map[string]string{ShareHeader: "1", fmt.Sprint("X-", next): strings.Repeat("x", 200)},
			}
			peers = append(peers, p)
			m.Event(now, &zyre.Event{Type: zyre.EventEnter, PeerUUID: p.UUID, PeerName: p.Name, PeerAddr: "tcp://10.0.0.1:1", Headers: p.Headers})
			m.Event(now, &zyre.Event{Type: zyre.EventJoin, PeerUUID: p.UUID, PeerName: p.Name, Group: p.Groups[0]})
		}
		for range 3 {
			now = now.Add(time.Second)
			for i, p := range peers { // half of them see all others, and one that nobody else sees; the rest see nobody
				v := zyre.View{UUID: p.UUID}
				for _, other := range peers[:len(peers)*(i%2)] {
					v.PeerList = append(v.PeerList, zyre.ViewPeer{UUID: other.UUID, Name: other.Name})
				}
				v.PeerList = append(v.PeerList, zyre.ViewPeer{UUID: fmt.Sprintf("F%031X", next+i), Name: "hidden"})
				v.Peers = len(v.PeerList)
				m.View(now, minAskInterval, v)
			}
			m.Sample(now, Sample{Name: "monitor", Peers: peers})
			m.State(now)
		}
		if s := m.State(now); s.Totals.OneSided == 0 || s.Totals.Hidden != 40 || s.Totals.Groups < 10 {
			t.Fatalf("totals = %+v, want one-sided links, hidden nodes and groups, or the test shows nothing", s.Totals)
		}
		for _, p := range peers {
			m.Event(now, &zyre.Event{Type: zyre.EventExit, PeerUUID: p.UUID, PeerName: p.Name, PeerAddr: "tcp://10.0.0.1:1"})
		}
		m.Sample(now, Sample{Name: "monitor"})
		m.Sample(now.Add(time.Millisecond), Sample{Name: "monitor"})
	}
	kept := func() uint64 {
		runtime.GC()
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
		return stats.HeapAlloc
	}
	for range 10 { // until the time line is full
		generation()
	}
	before := kept()
	for range 50 {
		generation()
	}
	if after := kept(); after > before+1<<20 {
		t.Errorf("2,000 peers have come and gone: %d bytes are kept, before %d", after, before)
	}
	for what, n := range map[string]int{
		"peers": len(m.peers), "slots": len(m.slots), "pairs": len(m.pairs.since), "pairs told": len(m.pairs.told),
		"hidden": len(m.hidden), "hidden, noticed": len(m.hiddenSince), "sample": len(m.sample.Peers),
	} {
		if n != 0 {
			t.Errorf("%s left = %d, want 0", what, n)
		}
	}
	runtime.KeepAlive(m)
}
