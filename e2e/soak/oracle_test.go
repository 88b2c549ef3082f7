//go:build unix

package soak

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/go-zyre/zyre"
	"github.com/go-zyre/zyre/e2e/watch"
)

// read reads the events of a run and checks each of them.
func (n *soakNode) read(events <-chan *zyre.Event) {
	last := ""
	for e := range events {
		if until := n.stalled.Load(); time.Now().UnixNano() < until {
			watch.Paced(10*time.Millisecond, func() (last bool) {
				return time.Now().UnixNano() >= until || n.stopped.Load()
			})
		}
		if last == "STOP" {
			n.wrong(e, "after STOP")
		}
		last = e.Type
		n.mu.Lock()
		n.note(e)
		n.mu.Unlock()
	}
	if last != "STOP" {
		n.fault("%s: the last event is %q, want STOP", n.run, last)
	}
}

func (n *soakNode) wrong(e *zyre.Event, format string, args ...any) {
	n.fault("%s saw %s: %s", n.run, watch.Describe(e), fmt.Sprintf(format, args...))
}

// note checks one event; it holds n.mu.
func (n *soakNode) note(e *zyre.Event) {
	p := n.peers[e.PeerUUID]
	switch {
	case e.Type == "STOP":
		if e.PeerUUID != n.z.UUID() {
			n.wrong(e, "it is not our own")
		}
	case e.Type == "ENTER" && p != nil:
		n.wrong(e, "it is here, as %s", p.run)
	case e.Type == "ENTER":
		n.enter(e)
	case p == nil:
		n.wrong(e, "it is not here")
	case e.Type == "EXIT":
		n.exits[p.run]++
		n.came[p.run] = append(n.came[p.run], soakClock()+" EXIT, "+e.Reason)
		delete(n.peers, e.PeerUUID)
	case e.Type == "JOIN", e.Type == "LEAVE":
		n.noteGroup(e, p)
	case e.Type == "WHISPER", e.Type == "SHOUT":
		n.received++
		n.noteMessage(e, p)
	case e.Type != "EVASIVE" && e.Type != "SILENT":
		n.wrong(e, "unexpected")
	}
}

func soakClock() string { return time.Now().Format("05.000") }

func (n *soakNode) enter(e *zyre.Event) {
	run := e.Headers["run"]
	if got := e.Headers["network"]; got != n.network() {
		n.wrong(e, "it is in the %s network", got)
	}
	if n.past[run] == nil {
		n.past[run] = &soakPast{}
	}
	n.came[run] = append(n.came[run], soakClock()+" ENTER")
	p := &soakPeer{run: run, ops: -1, enterSent: n.sent[e.PeerUUID]}
	if n.sending == e.PeerUUID {
		p.enterSent++
	}
	n.peers[e.PeerUUID] = p
}

func (n *soakNode) noteGroup(e *zyre.Event, p *soakPeer) {
	var group int
	if _, err := fmt.Sscanf(e.Group, "group%d", &group); err != nil {
		n.wrong(e, "unknown group")
		return
	}
	if p.groups>>group&1 == 1 == (e.Type == "JOIN") {
		n.wrong(e, "it is, or is not, in the group already")
	}
	p.groups ^= 1 << group
	p.toggles++
}

// noteMessage checks a message against all that came before from the same peer.
func (n *soakNode) noteMessage(e *zyre.Event, p *soakPeer) {
	m, err := parseSoak(e)
	if err != nil {
		n.wrong(e, "%v", err)
		return
	}
	if m.Run != p.run {
		n.wrong(e, "it is of the run %s, and %s is here", m.Run, p.run)
		return
	}
	if p.ops >= 0 && m.Ops != p.ops+p.toggles {
		n.wrong(e, "it made %d joins and leaves, of which we saw %d", m.Ops, p.ops+p.toggles)
	}
	if m.Groups != p.groups {
		n.wrong(e, "it is in the groups %b, and %b is what we saw", m.Groups, p.groups)
	}
	p.ops, p.toggles = m.Ops, 0
	if e.Type == "SHOUT" {
		n.noteShout(e, p, m)
	} else {
		n.noteWhisper(e, p, m)
	}
}

// noteShout checks that a shout is the next of its group, or later.
func (n *soakNode) noteShout(e *zyre.Event, p *soakPeer, m soakMessage) {
	var group int
	if _, err := fmt.Sscanf(e.Group, "group%d", &group); err != nil || m.Shouts[group] != m.Number {
		n.wrong(e, "another group")
		return
	}
	past := n.past[p.run]
	if m.Number <= past.shouts[group] {
		n.wrong(e, "number %d after %d", m.Number, past.shouts[group])
	}
	past.shouts[group] = m.Number
	p.got[group]++
}

// noteWhisper checks that a whisper is the next one, and that between it and the one
// before there were exactly the shouts that had to be: all in the groups that this node
// is in, and none in others. That can be told if the node has not joined or left a
// group since the peer sent the whisper before. Shouts that were pushed back may have come.
func (n *soakNode) noteWhisper(e *zyre.Event, p *soakPeer, m soakMessage) {
	past := n.past[p.run]
	switch {
	case m.Number <= past.whispers:
		n.wrong(e, "number %d after %d", m.Number, past.whispers)
	case m.Number > past.whispers+1 && p.heard:
		n.wrong(e, "number %d after %d: some are missing", m.Number, past.whispers)
	case m.Number > past.whispers+1:
		past.missing = m.Number - 1
	}
	past.whispers = m.Number
	if p.heard && p.knows == n.ops {
		n.counted++
		for g, got := range p.got {
			want, pushed := 0, 0
			if n.groups>>g&1 == 1 {
				want, pushed = m.Shouts[g]-p.shouts[g], m.Pushed[g]-p.pushed[g]
			}
			if got > want || got < want-pushed {
				n.wrong(e, "%d shouts in group%d before it, want %d, of which %d were pushed back", got, g, want, pushed)
			}
		}
	}
	p.heard, p.shouts, p.pushed, p.knows, p.got = true, m.Shouts, m.Pushed, m.Knows, [soakGroups]int{}
	if m.To != n.run {
		p.knows = -1 // it knows another run of ours, which has ended
	}
}

// soakReport is what a node says of itself and its peers.
type soakReport struct {
	Name, UUID, Run   string
	Network           string
	Groups            uint
	Sent              map[string]int      // whispers by UUID
	Views             map[string]soakView // of peers by UUID
	Exits             map[string]int      // in this phase, by run
	Came              map[string][]string // likewise, in words
	Peers             []string            // as the method says
	Members           [soakGroups][]string
	Received, Counted int
}

// soakView is a peer as another sees it.
type soakView struct {
	Run               string
	Groups            uint
	Whispers, Missing int
	EnterSent         int
}

func (n *soakNode) report() soakReport {
	peers, members := n.z.Peers(), [soakGroups][]string{}
	for g := range members {
		members[g] = n.z.PeersByGroup(soakGroup(g))
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	r := soakReport{
		Name: n.name, UUID: n.z.UUID(), Run: n.run, Network: n.network(), Groups: n.groups, Sent: maps.Clone(n.sent),
		Views: map[string]soakView{}, Exits: maps.Clone(n.exits), Came: maps.Clone(n.came), Peers: peers, Members: members,
		Received: n.received, Counted: n.counted,
	}
	for id, p := range n.peers {
		past := n.past[p.run]
		r.Views[id] = soakView{p.run, p.groups, past.whispers, past.missing, p.enterSent}
	}
	return r
}

// inNetwork returns the reports of nodes of one network.
func inNetwork(network string, reports []soakReport) (own []soakReport) {
	for _, r := range reports {
		if r.Network == network {
			own = append(own, r)
		}
	}
	return own
}

// soakDiffer compares what all nodes of a network that live say of each other, and returns
// the first thing that does not fit, or "".
func soakDiffer(reports []soakReport) string {
	for _, a := range reports {
		for _, b := range reports {
			if a.Run == b.Run {
				continue
			}
			view, here := a.Views[b.UUID]
			switch {
			case !here:
				return fmt.Sprintf("%s does not see %s", a.Run, b.Run)
			case view.Run != b.Run:
				return fmt.Sprintf("%s sees %s instead of %s", a.Run, view.Run, b.Run)
			case view.Groups != b.Groups:
				return fmt.Sprintf("%s sees %s in the groups %b, not %b", a.Run, b.Run, view.Groups, b.Groups)
			}
		}
		if len(a.Views) != len(reports)-1 {
			return fmt.Sprintf("%s sees %d peers, want %d: not %s", a.Run, len(a.Views), len(reports)-1, a.unknown(reports))
		}
		if diff := a.differ(); diff != "" {
			return diff
		}
	}
	return ""
}

// unknown lists the runs that are seen and are not among those reported.
func (r *soakReport) unknown(reports []soakReport) (runs []string) {
	for id, view := range r.Views {
		if !slices.ContainsFunc(reports, func(b soakReport) bool { return b.UUID == id }) {
			runs = append(runs, fmt.Sprint(view.Run, " ", id, ": ", r.Came[view.Run]))
		}
	}
	return runs
}

// differ compares what the methods of a node say with what its events said.
func (r *soakReport) differ() string {
	if seen := slices.Sorted(maps.Keys(r.Views)); !slices.Equal(seen, r.Peers) {
		return fmt.Sprintf("%s: Peers() = %v, by its events %v", r.Run, r.Peers, seen)
	}
	for g, members := range r.Members {
		var seen []string
		for id, view := range r.Views {
			if view.Groups>>g&1 == 1 {
				seen = append(seen, id)
			}
		}
		slices.Sort(seen)
		if !slices.Equal(seen, members) {
			return fmt.Sprintf("%s: PeersByGroup(%d) = %v, by its events %v", r.Run, g, members, seen)
		}
	}
	return ""
}

// soakMissing compares what each node of a network sent to each other with what came, and
// returns the first thing that does not fit, or "". What a node sent since it last saw a
// peer enter has come.
func soakMissing(reports []soakReport) string {
	for _, a := range reports {
		for _, b := range reports {
			if a.Run == b.Run {
				continue
			}
			sent, since, got := a.Sent[b.UUID], a.Views[b.UUID].EnterSent, b.Views[a.UUID]
			if got.Whispers != sent {
				return fmt.Sprintf("%s has got whispers up to %d of %s, which has sent %d", b.Run, got.Whispers, a.Run, sent)
			}
			if got.Missing > since {
				return fmt.Sprintf("%s misses whispers up to %d of %s, which saw it enter before number %d",
					b.Run, got.Missing, a.Run, since)
			}
		}
	}
	return ""
}
