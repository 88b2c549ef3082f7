package monitor

import (
	"iter"
	"maps"
	"slices"
	"time"

	"github.com/go-zyre/zyre"
)

// staleAfter is how old a view may be, in times of the interval at which it is asked for.
const staleAfter = 3

// view is what a node last told of itself.
type view struct {
	at       time.Time
	interval time.Duration // at which it is asked for
	info     zyre.View     // without its peers
	links    map[string]*viewLink
	isStale  bool
}

// viewLink is what a node tells of one of its peers.
type viewLink struct {
	peer zyre.ViewPeer
	rate rate
}

// update notes how old the view is.
func (v *view) update(now time.Time) {
	if v != nil {
		v.isStale = now.Sub(v.at) > staleAfter*v.interval
	}
}

// sees reports whether the view has a peer.
func (v *view) sees(uuid string) bool {
	_, ok := v.links[uuid]
	return ok
}

// isComplete reports whether the view lists every peer that its node has, so that one that
// is not listed is not there.
func (v *view) isComplete() bool { return len(v.links) == v.info.Peers }

// isUsable reports whether there is a view that is not too old.
func (v *view) isUsable() bool { return v != nil && !v.isStale }

// View takes the answer of a peer, which is asked at an interval.
func (m *Model) View(now time.Time, interval time.Duration, told zyre.View) {
	p := m.peers[told.UUID]
	if p == nil {
		return
	}
	v := &view{at: now, interval: interval, info: told, links: map[string]*viewLink{}}
	v.info.PeerList = nil
	for _, peer := range told.PeerList[:min(len(told.PeerList), maxLinksInOneView)] {
		l := &viewLink{peer: peer}
		if p.view != nil && p.view.links[peer.UUID] != nil {
			l.rate = p.view.links[peer.UUID].rate
		}
		l.rate.update(now, peer.Received+peer.Sent)
		v.links[peer.UUID] = l
	}
	p.view = v
}

// pair is one node that sees another.
type pair struct{ from, to string }

// pairs are those of which only one side sees the other. A node that has just entered, or
// just exited, is seen by some a little earlier than by others, so that a pair counts only
// if views that were taken after it was noticed still say so.
type pairs struct {
	since map[pair]time.Time // when it was noticed
	told  map[pair]bool      // those that count
}

// sighting is what one node tells of who it sees.
type sighting struct {
	at         time.Time
	sees       func(uuid string) bool
	peers      iter.Seq[string]
	isComplete bool
}

// sightings are those of all nodes that tell, by UUID, the monitor's own node included.
func (m *Model) sightings() map[string]sighting {
	own := sighting{at: m.sampledAt, isComplete: true, peers: maps.Keys(m.peers)}
	own.sees = func(uuid string) bool { return m.peers[uuid] != nil }
	all := map[string]sighting{m.uuid: own}
	for uuid, p := range m.peers {
		if p.view.isUsable() {
			all[uuid] = sighting{
				at: p.view.at, sees: p.view.sees, isComplete: p.view.isComplete(), peers: maps.Keys(p.view.links),
			}
		}
	}
	return all
}

// comparePairs looks for pairs of which only one side sees the other.
func (m *Model) comparePairs(now time.Time) {
	all := m.sightings()
	found := map[pair]bool{}
	for from, s := range all {
		for to := range s.peers {
			other, tells := all[to]
			if !tells || !other.isComplete || other.sees(from) {
				continue
			}
			k := pair{from, to}
			since, known := m.pairs.since[k]
			if !known && len(m.pairs.since) >= maxPairsRemembered {
				continue // those that are known stay, so that none comes and goes
			}
			found[k] = true
			switch {
			case !known:
				m.pairs.since[k] = now
			case !m.pairs.told[k] && s.at.After(since) && other.at.After(since):
				m.pairs.told[k] = true
				m.timeline.add(Entry{Time: now, Type: EntryOneSided, Peer: from, Name: m.nameOf(from), Other: to, Reason: "sees " + m.nameOf(to) + ", which does not see it"})
			}
		}
	}
	maps.DeleteFunc(m.pairs.since, func(k pair, _ time.Time) bool { return !found[k] })
	for k := range m.pairs.told {
		if !found[k] {
			delete(m.pairs.told, k)
			m.timeline.add(Entry{Time: now, Type: EntryHealed, Peer: k.from, Name: m.nameOf(k.from), Other: k.to, Reason: "and " + m.nameOf(k.to) + " agree again"})
		}
	}
}

// nameOf returns the name of a node, printable.
func (m *Model) nameOf(uuid string) string {
	switch p := m.peers[uuid]; {
	case uuid == m.uuid:
		return Printable(m.sample.Name)
	case p != nil:
		return Printable(p.info.Name)
	}
	return uuid[:min(len(uuid), 6)]
}

// kind says what is known of a pair of which one side sees the other.
func (m *Model) kind(from, to string, all map[string]sighting) int {
	other, tells := all[to]
	switch {
	case tells && other.sees(from):
		return LinkBoth
	case m.pairs.told[pair{from, to}]:
		return LinkOneSided
	}
	return LinkAssumed
}

// findHidden looks for nodes that peers see and the monitor's own node does not. One that
// is just coming or going is seen by some a little earlier than by others, so that a node
// counts only if a view that was taken after it was noticed still has it.
func (m *Model) findHidden(now time.Time) {
	found := map[string]zyre.ViewPeer{}
	confirmed := map[string]bool{}
	for _, p := range m.peers {
		if !p.view.isUsable() {
			continue
		}
		for uuid, l := range p.view.links {
			if m.peers[uuid] != nil || uuid == m.uuid || l.peer.Evasive {
				continue
			}
			found[uuid] = l.peer
			since, noticed := m.hiddenSince[uuid]
			confirmed[uuid] = confirmed[uuid] || noticed && p.view.at.After(since)
		}
	}
	kept := map[string]bool{}
	for _, uuid := range slices.Sorted(maps.Keys(found))[:min(len(found), maxHiddenNodes)] {
		kept[uuid] = true
		if _, noticed := m.hiddenSince[uuid]; !noticed {
			m.hiddenSince[uuid] = now
		}
	}
	maps.DeleteFunc(m.hiddenSince, func(uuid string, _ time.Time) bool { return !kept[uuid] })
	maps.DeleteFunc(found, func(uuid string, _ zyre.ViewPeer) bool { return !confirmed[uuid] || !kept[uuid] })
	m.hidden = found
}
