package monitor

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// State returns the picture at a moment.
func (m *Model) State(now time.Time) *State {
	s := &State{
		Time: millis(now), Uptime: now.Sub(m.startedAt).Milliseconds(), Drops: m.drops.list(), Links: []Link{},
	}
	place := m.addGroups(s)
	index := m.addNodes(now, s, place)
	m.addLinks(s, index)
	st := &m.sample.Stats
	t := &s.Totals
	t.Peers, t.HalfOpen, t.Groups = len(m.peers), st.HalfOpen, len(m.groupMembers())
	t.In, t.Out, t.IsPaused, t.HeldEvents = m.in.value, m.out.value, st.Paused, st.HeldEvents
	t.OneSided = len(m.pairs.told)
	for _, d := range s.Drops {
		t.Dropped += d.Count
	}
	for _, n := range s.Nodes {
		switch {
		case n.Presence == PresenceEvasive, n.Presence == PresenceSilent:
			t.Evasive++
		case n.Presence == PresenceHidden:
			t.Hidden++
		}
		if n.IsSharing {
			t.Sharing++
		}
	}
	return s
}

// addGroups adds the groups, and returns the place of each.
func (m *Model) addGroups(s *State) map[string]int {
	members := m.groupMembers()
	place := map[string]int{}
	s.Groups = []Group{}
	for _, name := range m.shownGroups(members) {
		slot, ok := m.slots[name]
		if !ok {
			slot = len(m.slots) // joined since the last sample
		}
		place[name] = len(s.Groups)
		s.Groups = append(s.Groups, Group{
			Name: Printable(name), Slot: slot, Members: members[name], Leader: m.sample.Leaders[name],
			IsOwn: slices.Contains(m.sample.Groups, name),
		})
	}
	return place
}

func placesOf(groups []string, place map[string]int) []int {
	places := []int{}
	for _, g := range groups {
		if i, ok := place[g]; ok && len(places) < maxNodeGroups {
			places = append(places, i)
		}
	}
	return places
}

// addNodes adds the monitor's node, its peers by name, and then those that only others
// see. It returns the place of each.
func (m *Model) addNodes(now time.Time, s *State, place map[string]int) map[string]int {
	s.Nodes = append(s.Nodes, Node{
		UUID: m.uuid, Name: Printable(m.sample.Name), Address: Printable(m.sample.Address), Presence: PresenceSelf,
		Groups: placesOf(m.sample.Groups, place), AllGroups: len(m.sample.Groups), Since: millis(m.startedAt),
		In: m.in.value, Out: m.out.value, Received: m.sample.Stats.Received,
	})
	peers := slices.SortedFunc(maps.Values(m.peers), func(a, b *node) int {
		return cmp.Or(cmp.Compare(a.info.Name, b.info.Name), cmp.Compare(a.info.UUID, b.info.UUID))
	})
	for _, p := range peers {
		s.Nodes = append(s.Nodes, Node{
			UUID: p.info.UUID, Name: Printable(p.info.Name), Address: Printable(p.info.Endpoint), Presence: p.presence(m.sampledAt),
			Groups: placesOf(p.info.Groups, place), AllGroups: len(p.info.Groups), Headers: len(p.info.Headers),
			RTT: p.info.RTT.Microseconds(), In: p.in.value, Out: p.out.value,
			Idle: p.info.Idle.Milliseconds(), Since: millis(p.info.Since), Waiting: p.stats.Waiting,
			IsSharing: p.isSharing(), Received: p.stats.Received, Sent: p.stats.Sent,
		})
	}
	for _, uuid := range slices.Sorted(maps.Keys(m.hidden)) {
		h := m.hidden[uuid]
		s.Nodes = append(s.Nodes, Node{
			UUID: uuid, Name: Printable(h.Name), Address: Printable(h.Endpoint), Presence: PresenceHidden,
			Groups: []int{}, RTT: h.RTT.Microseconds(), Idle: h.Idle.Milliseconds(),
		})
	}
	index := map[string]int{}
	for i, n := range s.Nodes {
		index[n.UUID] = i
	}
	return index
}

// addLinks adds the links of the monitor's node, and those between others: all of them if
// they are few, else those of which only one side sees the other.
func (m *Model) addLinks(s *State, index map[string]int) {
	all := m.sightings()
	for uuid, p := range m.peers {
		l := Link{A: 0, B: index[uuid], Kind: m.kind(m.uuid, uuid, all), RTT: p.info.RTT.Microseconds(), Rate: p.in.value + p.out.value}
		s.Links = append(s.Links, l)
	}
	var others, wrong []Link
	inOrder := 0
	for from, p := range m.peers {
		if !p.view.isUsable() {
			continue
		}
		for to, l := range p.view.links {
			b, shown := index[to]
			if !shown || to == m.uuid {
				continue
			}
			link := Link{A: index[from], B: b, Kind: m.kind(from, to, all), RTT: l.peer.RTT.Microseconds(), Rate: l.rate.value}
			switch {
			case link.Kind == LinkOneSided:
				wrong = append(wrong, link)
			case link.Kind == LinkBoth && from > to: // once is enough
			default:
				if inOrder++; inOrder <= maxLinksShown { // of 200 nodes there are 20,000, which nobody is shown
					others = append(others, link)
				}
			}
		}
	}
	for k := range m.pairs.told { // somebody sees the monitor, which does not see them
		if k.to == m.uuid && index[k.from] > 0 {
			wrong = append(wrong, Link{A: index[k.from], B: 0, Kind: LinkOneSided})
		}
	}
	if inOrder > maxLinksShown {
		s.LinksCut, others = inOrder, nil
	}
	order := func(a, b Link) int { return cmp.Or(cmp.Compare(a.A, b.A), cmp.Compare(a.B, b.B)) }
	slices.SortFunc(wrong, order)
	s.Links = append(append(s.Links, others...), wrong[:min(len(wrong), maxOneSidedShown)]...)
	slices.SortFunc(s.Links, order)
}

// Detail returns what is known of one node, and whether it is a peer.
func (m *Model) Detail(now time.Time, uuid string) (*Detail, bool) {
	if uuid == m.uuid {
		return &Detail{UUID: uuid, Groups: printableAll(m.sample.Groups)}, true
	}
	p := m.peers[uuid]
	if p == nil {
		return nil, false
	}
	d := &Detail{
		UUID: uuid, Headers: headerList(p.info.Headers), Groups: printableAll(p.info.Groups),
		PublicKey: Printable(p.info.PublicKey), History: slices.Clone(p.history),
	}
	if v := p.view; v != nil {
		d.View = m.viewInfo(now, uuid, v)
	}
	return d, true
}

func (m *Model) viewInfo(now time.Time, uuid string, v *view) *ViewInfo {
	i := &v.info
	info := &ViewInfo{
		Age: now.Sub(v.at).Milliseconds(), Peers: i.Peers, HalfOpen: i.HalfOpen, Received: i.Received, Sent: i.Sent,
		Gaps: i.Gaps, Pauses: i.Pauses, Waits: i.Waits, Unsent: i.Unsent, Links: []ViewLink{},
	}
	all := m.sightings()
	for to, l := range v.links {
		info.Links = append(info.Links, ViewLink{
			UUID: to, Name: Printable(l.peer.Name), Kind: m.kind(uuid, to, all), RTT: l.peer.RTT.Microseconds(),
			Rate: l.rate.value, Idle: l.peer.Idle.Milliseconds(), Waiting: l.peer.Waiting, IsEvasive: l.peer.Evasive,
		})
	}
	slices.SortFunc(info.Links, func(a, b ViewLink) int {
		return cmp.Or(cmp.Compare(b.Kind, a.Kind), cmp.Compare(a.Name, b.Name), cmp.Compare(a.UUID, b.UUID))
	})
	return info
}

func printableAll(names []string) []string {
	shown := []string{}
	for _, n := range names[:min(len(names), maxGroupsShown)] {
		shown = append(shown, Printable(n))
	}
	return shown
}
