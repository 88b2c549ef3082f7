package monitor

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/go-zyre/zyre"
)

// ShareHeader is the header of nodes that tell their view: see zyre.SetShareView.
const ShareHeader = "X-ZYRE-VIEW"

// Sample is what the monitor's own node tells of itself at one moment.
type Sample struct {
	Name    string
	Address string
	Groups  []string
	Stats   zyre.Stats
	Peers   []zyre.PeerInfo
	Leaders map[string]string // UUIDs, by group
}

// Model is what is known of the network. One goroutine at a time may use it.
type Model struct {
	uuid      string
	startedAt time.Time
	sample    Sample
	sampledAt time.Time
	peers     map[string]*node // by UUID
	slots     map[string]int   // of groups
	pairs     pairs
	hidden    map[string]zyre.ViewPeer // nodes that only others see, by UUID
	drops     drops
	timeline  timeline
	in, out   rate // of the whole node
	asking    pace
	pinging   pace

	hiddenSince map[string]time.Time // when each of hidden was noticed, and those that do not count yet
}

// node is one peer of the monitor.
type node struct {
	info      zyre.PeerInfo
	stats     zyre.PeerStats
	enteredAt time.Time
	silentAt  time.Time // of the last SILENT event
	in, out   rate
	history   []float64
	view      *view     // what it tells of itself; nil if nothing yet
	askedAt   time.Time // for its view
	pingedAt  time.Time
}

// NewModel returns the model of a node's network.
func NewModel(uuid string, now time.Time) *Model {
	return &Model{
		uuid: uuid, startedAt: now, peers: map[string]*node{}, slots: map[string]int{},
		hiddenSince: map[string]time.Time{},
		pairs:       pairs{since: map[pair]time.Time{}, told: map[pair]bool{}},
	}
}

// rate is how fast a counter grows.
type rate struct {
	counter uint64
	at      time.Time
	value   float64 // a second
}

// update takes the counter at a moment. One that is less than before has started again.
func (r *rate) update(now time.Time, counter uint64) {
	since := now.Sub(r.at).Seconds()
	switch {
	case r.at.IsZero() || counter < r.counter:
		r.value = 0
	case since <= 0:
		return
	default:
		r.value = float64(counter-r.counter) / since
	}
	r.counter, r.at = counter, now
}

// Event takes an event of the node.
func (m *Model) Event(now time.Time, e *zyre.Event) {
	entry := Entry{
		Time: now, Type: e.Type, Peer: e.PeerUUID, Name: Printable(e.PeerName), Group: Printable(e.Group), Reason: e.Reason,
	}
	p := m.peers[e.PeerUUID]
	switch e.Type {
	case zyre.EventEnter:
		entry.Address, entry.Headers = Printable(e.PeerAddr), headerList(e.Headers)
		m.peers[e.PeerUUID] = &node{enteredAt: now, info: zyre.PeerInfo{
			UUID: e.PeerUUID, Name: e.PeerName, Endpoint: e.PeerAddr, Headers: e.Headers, Since: now,
		}}
	case zyre.EventExit:
		entry.Address = Printable(e.PeerAddr)
		delete(m.peers, e.PeerUUID)
	case zyre.EventJoin:
		if p != nil && !slices.Contains(p.info.Groups, e.Group) {
			p.info.Groups = append(slices.Clone(p.info.Groups), e.Group)
		}
	case zyre.EventLeave:
		if p != nil {
			p.info.Groups = slices.DeleteFunc(slices.Clone(p.info.Groups), func(g string) bool { return g == e.Group })
		}
	case zyre.EventEvasive:
		if p != nil {
			p.stats.Evasive = true
		}
	case zyre.EventSilent:
		if p != nil {
			p.silentAt = now
		}
	case zyre.EventWhisper, zyre.EventShout:
		entry.setPayload(e)
	}
	m.timeline.add(entry)
}

// setPayload keeps the beginning of a message.
func (e *Entry) setPayload(of *zyre.Event) {
	for _, f := range of.Frames {
		e.Bytes += len(f)
	}
	e.Frames = len(of.Frames)
	e.Payload = slices.Clone(of.Msg[:min(len(of.Msg), maxPayload)])
	e.IsCut = len(e.Payload) < e.Bytes
}

func headerList(headers map[string]string) (list []Header) {
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		if len(list) == maxHeadersShown {
			break
		}
		list = append(list, Header{Printable(name), printable(headers[name], maxHeaderValue)})
	}
	return list
}

// Sample takes what the node tells of itself. It is to be called about once a second.
func (m *Model) Sample(now time.Time, s Sample) {
	m.sample, m.sampledAt = s, now
	stats := map[string]zyre.PeerStats{}
	sent := uint64(0)
	for _, p := range s.Stats.PeerList {
		stats[p.UUID] = p
		sent += p.Sent
	}
	m.in.update(now, s.Stats.Received)
	m.out.update(now, sent)
	present := map[string]bool{}
	for _, info := range s.Peers {
		present[info.UUID] = true
		p := m.peers[info.UUID]
		if p == nil || !p.info.Since.Equal(info.Since) && p.enteredAt.Before(info.Since) {
			p = &node{enteredAt: now}
			m.peers[info.UUID] = p
		}
		p.info, p.stats = info, stats[info.UUID]
		p.in.update(now, p.stats.Received)
		p.out.update(now, p.stats.Sent)
		p.history = append(p.history, p.in.value+p.out.value)
		p.history = p.history[max(0, len(p.history)-maxHistory):]
		p.view.update(now)
	}
	maps.DeleteFunc(m.peers, func(uuid string, _ *node) bool { return !present[uuid] })
	m.assignSlots()
	m.noteDrops(now, s.Stats.Dropped)
	m.comparePairs(now)
	m.findHidden(now)
}

// noteDrops puts what was dropped into the time line: for each reason once in 10 s at most.
func (m *Model) noteDrops(now time.Time, dropped zyre.Dropped) {
	last := maps.Clone(m.drops.lastAt)
	grown := m.drops.update(now, dropped)
	for _, name := range dropNames() {
		if n := grown[name]; n > 0 && now.Sub(last[name]) >= 10*time.Second {
			m.timeline.add(Entry{Time: now, Type: EntryDropped, Reason: whyDropped[name], Count: n})
		}
	}
}

// presence says how the node judges the silence of a peer.
func (p *node) presence(now time.Time) string {
	switch {
	case !p.silentAt.IsZero() && p.info.Idle > 0 && !now.Add(-p.info.Idle).After(p.silentAt):
		return PresenceSilent
	case p.stats.Evasive:
		return PresenceEvasive
	}
	return PresenceAlive
}

// isSharing reports whether the peer tells its view.
func (p *node) isSharing() bool { return p.info.Headers[ShareHeader] != "" }

// groupMembers counts the members of each group, the monitor's node included.
func (m *Model) groupMembers() map[string]int {
	members := map[string]int{}
	for _, p := range m.peers {
		for _, g := range p.info.Groups {
			members[g]++
		}
	}
	for _, g := range m.sample.Groups {
		members[g]++
	}
	return members
}

// shownGroups returns the names of the groups that are shown: the largest first.
func (m *Model) shownGroups(members map[string]int) []string {
	names := slices.SortedFunc(maps.Keys(members), func(a, b string) int {
		return cmp.Or(cmp.Compare(members[b], members[a]), cmp.Compare(a, b))
	})
	return names[:min(len(names), maxGroupsShown)]
}

// assignSlots gives each group that is shown the lowest free number, which it keeps.
func (m *Model) assignSlots() {
	names := m.shownGroups(m.groupMembers())
	shown, taken := map[string]bool{}, map[int]bool{}
	for _, g := range names {
		shown[g] = true
	}
	maps.DeleteFunc(m.slots, func(g string, _ int) bool { return !shown[g] })
	for _, slot := range m.slots {
		taken[slot] = true
	}
	next := 0
	for _, g := range names {
		if _, ok := m.slots[g]; ok {
			continue
		}
		for taken[next] {
			next++
		}
		m.slots[g], taken[next] = next, true
	}
}

// Entries returns the time line after an entry, at most a number of entries, and how many
// more there were that are kept no longer.
func (m *Model) Entries(after uint64, limit int) (entries []Entry, missed uint64) {
	return m.timeline.since(after, limit)
}

// LastEntry returns the ID of the newest entry.
func (m *Model) LastEntry() uint64 { return m.timeline.next }

// LastEntries returns the newest entries, the oldest of them first.
func (m *Model) LastEntries(limit int) []Entry { return m.timeline.last(limit) }
