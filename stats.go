package zyre

import (
	"cmp"
	"slices"
	"time"
)

// Stats holds what a node has counted since Start, and its present state, or its last
// after Stop. All of it but Gossip is one consistent snapshot, taken by [Zyre.Stats].
// Libzyre has nothing like it.
type Stats struct {
	Peers    int // peers that have entered
	HalfOpen int // nodes that were heard of and have not entered; they cause no events
	Groups   int // groups that at least one peer has joined

	HeldEvents int  // events that the application has not read yet
	HeldBytes  int  // what these events count against the queue limit
	Paused     bool // they reached the queue limit: the node reads only as the application does, until half is left

	Received         uint64 // messages from peers that were in sequence
	WhispersReceived uint64 // WHISPER events
	ShoutsReceived   uint64 // SHOUT events
	WhispersSent     uint64 // messages that the application sent to a peer
	ShoutsSent       uint64 // messages that the application sent to a group

	Pauses         uint64 // how often Paused became true
	LetGo          uint64 // times that the application waited to send and took no events, and was let go
	PushedBack     uint64 // how often a peer took no more messages, so that senders had to wait
	Stalled        uint64 // peers that exited because they took nothing of what was shouted to them
	Gaps           uint64 // how often messages from a peer were missing: EXIT, ENTER
	Unsent         uint64 // messages that were given up because their peer exited, or at Stop
	EventsDropped  uint64 // events that were given up at Stop, behind those in the channel
	NetworkChanges uint64 // changes of the interfaces and addresses that the node uses
	ViewsSent      uint64 // answers to peers that asked for this node's view

	Warnings []Warning   // what an operator should act on, from the first to the last
	Gossip   GossipStats // zero without gossip
	Beacon   BeaconStats // zero if the node sends no beacons
	Dropped  Dropped     // what the node did not act on
	PeerList []PeerStats // the peers that have entered, in the order of their UUIDs

	HalfOpenList []HalfOpenStats  // the nodes counted in HalfOpen, the oldest first
	Interfaces   []InterfaceStats // those in use, and why; none with SetEndpoint at an address
}

// GossipStats is the state of a node's part in gossip.
type GossipStats struct {
	Hubs    []GossipHub // in the order of GossipConnect
	Clients int         // of this node's own hub
	Tuples  int         // nodes that gossip knows of, this one included
	Refused uint64      // clients and tuples beyond the limits
	Evicted uint64      // clients of this node's own hub that gave way to one of another host
	Ended   uint64      // connections of clients and to hubs, ended because they held more of the node than they may
}

// GossipHub is the state of a hub that a node is a client of.
type GossipHub struct {
	Endpoint  string    // as given to GossipConnect
	Address   string    // the endpoint connected to, with the address of the host name; "" while there is none
	Since     time.Time // when the hub first answered on this connection; zero if it does not answer
	LastError string    // why it does not answer; "" once it does
}

// BeaconStats holds the counters of a node's UDP sockets. A beacon that could not be
// sent is tried again, after longer and longer pauses. If SendErrors grows and Sent does
// not, nobody can find the node.
type BeaconStats struct {
	Sent          uint64 // datagrams sent, one for each interface each time
	SendErrors    uint64 // datagrams that the system refused to send
	Received      uint64 // datagrams received, the node's own included
	Own           uint64 // of Received: the node's own, which come back unless something on this host blocks them
	ReceiveErrors uint64 // failures to receive a datagram
	Ignored       uint64 // of Received: from other interfaces, not ZRE, or with an impossible size or source
	Overflowed    uint64 // of Received: dropped because the node was busy
}

func (s *beaconStats) snapshot() BeaconStats {
	return BeaconStats{
		Sent:          s.sent.Load(),
		SendErrors:    s.sendErrors.Load(),
		Received:      s.received.Load(),
		Own:           s.droppedOwn.Load(),
		ReceiveErrors: s.readErrors.Load(),
		Ignored: s.droppedSize.Load() + s.droppedSource.Load() + s.droppedLink.Load() +
			s.droppedFilter.Load(),
		Overflowed: s.droppedFull.Load(),
	}
}

// Dropped counts what a node did not act on. None of it caused an event, except for the
// JOINs and LEAVEs of StatusMismatch.
type Dropped struct {
	ToUnknownPeer   uint64 // messages sent to a peer that has not entered, or has exited
	ToUnknownGroup  uint64 // messages sent to a group that no peer has joined
	BadIdentity     uint64 // messages from a connection that names no UUID, or this node's own
	Foreign         uint64 // messages with another signature or version than ZRE's
	Malformed       uint64 // messages that were cut short or had impossible lengths
	TooLarge        uint64 // messages with more frames or bytes than the node takes, but for those that libzmq refuses
	UnknownCommand  uint64 // messages with an unknown command
	BeforeHello     uint64 // messages from a node that had not said HELLO
	HelloRefused    uint64 // HELLOs out of sequence, with too many headers or this node's endpoint, or beyond the limits for new nodes
	HelloThrottled  uint64 // times a peer was ignored for a while because it restarted its session too often
	Unreachable     uint64 // endpoints from HELLO, gossip or RequirePeer that cannot be used, or not yet
	LookupsRefused  uint64 // look-ups of host names that were put off or cannot succeed: see docs/limits.md
	StatusMismatch  uint64 // JOINs and LEAVEs with an unexpected count; they are acted on
	GroupsRefused   uint64 // groups beyond the limit for one peer
	LateShouts      uint64 // SHOUTs to a group that this node has not joined, or has left
	BadBeacons      uint64 // datagrams that are no beacon, or that come from a secure node to a plain one or the reverse
	OwnBeacons      uint64 // beacons with this node's UUID or endpoint
	BeaconsRefused  uint64 // beacons and endpoints of new nodes beyond the limits
	HalfOpenEvicted uint64 // half-open nodes forgotten to make room for newer ones
	NeverEntered    uint64 // half-open nodes forgotten because they did not enter in time
	ConnectionsCut  uint64 // connections ended because they held more of the node than they may, or had a routing id of more than 255 bytes
	KeysRefused     uint64 // connections, messages, beacons and tuples with a wrong key or none
	ElectionIgnored uint64 // ELECTs and LEADERs from nodes outside the group, or for such nodes
	ElectionDelayed uint64 // times an election waited because members of its group came and went too often
	ViewsRefused    uint64 // questions for this node's view beyond the limits, and answers that came too late or were malformed
	LogRecords      uint64 // records for which the log's handler was too slow
	Errors          uint64 // errors of the sockets
}

// PeerStats is the present state of one peer.
type PeerStats struct {
	UUID     string        // 32 upper-case hexadecimal digits
	Name     string        // from its HELLO
	Endpoint string        // the endpoint that this node is connected to
	Groups   []string      // the groups that it has joined, sorted
	Idle     time.Duration // time since its last message
	Received uint64        // messages from it
	Sent     uint64        // messages to it
	Waiting  int           // messages that wait because it takes no more at present
	Evasive  bool          // whether it left a ping unanswered
}

// HalfOpenStats is a node that was heard of and has not entered.
type HalfOpenStats struct {
	UUID     string    // 32 upper-case hexadecimal digits
	Endpoint string    // that this node tries to connect to; "" while none is known
	Since    time.Time // when it was first heard of, or this node last gave it up
}

// InterfaceStats is a network interface that a node uses.
type InterfaceStats struct {
	Name    string // of the interface; "" if none is in use
	Address string // the node's own on it
	Reason  string // why this interface is used, or none is
}

// counters is what the node counts as it goes.
type counters struct {
	received, whispersReceived, shoutsReceived, whispersSent, shoutsSent   uint64
	pauses, pushedBack, letGo, stalled, gaps, unsent, networkChanges       uint64
	unknownPeer, unknownGroup, badIdentity, foreign, malformed             uint64
	unknownCommand, beforeHello, helloRefused, throttled, unreachable      uint64
	statusMismatch, groupsRefused, lateShouts, badBeacons, ownBeacons      uint64
	sightingsRefused, evicted, neverEntered, keysRefused, electionsIgnored uint64
	receiveErrors, sendErrors, dialErrors, tooLarge, electionsDelayed      uint64
	viewsSent, viewsRefused, lookupsRefused                                uint64
}

// Stats returns the node's counters and its present state; after Stop, as the node ended.
// They are zero before Start. Libzyre has nothing like it.
func (z *Zyre) Stats() Stats {
	n := z.node.Load()
	if n == nil {
		z.lock()
		defer z.mu.Unlock()
		return z.last.clone()
	}
	var s Stats
	if n.do(func(now time.Time) { s = n.stats(now) }) != nil {
		return n.final().clone()
	}
	s.Gossip = n.gossip.stats()
	return s
}

// clone returns a copy that belongs to the application.
func (s *Stats) clone() Stats {
	if s == nil {
		return Stats{}
	}
	c := *s
	c.Warnings, c.Interfaces = slices.Clone(s.Warnings), slices.Clone(s.Interfaces)
	c.HalfOpenList = slices.Clone(s.HalfOpenList)
	c.PeerList, c.Gossip.Hubs = slices.Clone(s.PeerList), slices.Clone(s.Gossip.Hubs)
	for i := range c.PeerList {
		c.PeerList[i].Groups = slices.Clone(c.PeerList[i].Groups)
	}
	return c
}

func (n *node) stats(now time.Time) Stats {
	z := n.zre
	c := &z.counters
	n.events.countTaken()
	s := Stats{
		Groups:     len(z.groups),
		HeldEvents: n.events.backlog.Len() + len(n.events.ch),
		HeldBytes:  n.events.held,
		Paused:     n.paused,

		Received:         c.received,
		WhispersReceived: c.whispersReceived,
		ShoutsReceived:   c.shoutsReceived,
		WhispersSent:     c.whispersSent,
		ShoutsSent:       c.shoutsSent,

		Pauses:         c.pauses,
		LetGo:          c.letGo,
		PushedBack:     c.pushedBack,
		Stalled:        c.stalled,
		Gaps:           c.gaps,
		Unsent:         c.unsent,
		NetworkChanges: c.networkChanges,
		ViewsSent:      c.viewsSent,

		Dropped: c.dropped(),
	}
	if n.beacon != nil {
		s.Beacon = n.beacon.stats.snapshot()
		s.Dropped.BadBeacons += n.beacon.stats.malformed.Load()
	}
	s.Dropped.KeysRefused += n.policy.Refused()
	s.Dropped.ConnectionsCut = n.guard.Cut()
	s.Dropped.LogRecords = n.cfg.logs.lostRecords()
	s.Warnings = n.cfg.logs.warnings.list()
	for _, p := range z.peers {
		if h := p.halfOpen; h != nil {
			s.HalfOpen++
			s.HalfOpenList = append(s.HalfOpenList, HalfOpenStats{p.id, p.endpoint, h.since})
			continue
		}
		s.Peers++
		s.PeerList = append(s.PeerList, PeerStats{
			UUID: p.id, Name: p.name, Endpoint: p.endpoint, Groups: p.groupNames(),
			Idle: p.presence.idle(now), Received: p.received, Sent: p.sent,
			Waiting: p.backlog.queue.Len(), Evasive: p.presence.isEvasive(),
		})
	}
	slices.SortFunc(s.PeerList, func(a, b PeerStats) int { return cmp.Compare(a.UUID, b.UUID) })
	slices.SortFunc(s.HalfOpenList, func(a, b HalfOpenStats) int {
		return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.UUID, b.UUID))
	})
	s.Interfaces = interfacesInUse(n.beacon, &n.binder, n.chosen)
	return s
}

func (c *counters) dropped() Dropped {
	return Dropped{
		ToUnknownPeer:   c.unknownPeer,
		ToUnknownGroup:  c.unknownGroup,
		BadIdentity:     c.badIdentity,
		Foreign:         c.foreign,
		Malformed:       c.malformed,
		TooLarge:        c.tooLarge,
		UnknownCommand:  c.unknownCommand,
		BeforeHello:     c.beforeHello,
		HelloRefused:    c.helloRefused,
		HelloThrottled:  c.throttled,
		Unreachable:     c.unreachable,
		LookupsRefused:  c.lookupsRefused,
		StatusMismatch:  c.statusMismatch,
		GroupsRefused:   c.groupsRefused,
		LateShouts:      c.lateShouts,
		BadBeacons:      c.badBeacons,
		OwnBeacons:      c.ownBeacons,
		BeaconsRefused:  c.sightingsRefused,
		HalfOpenEvicted: c.evicted,
		NeverEntered:    c.neverEntered,
		KeysRefused:     c.keysRefused,
		ElectionIgnored: c.electionsIgnored,
		ElectionDelayed: c.electionsDelayed,
		ViewsRefused:    c.viewsRefused,
		Errors:          c.receiveErrors + c.sendErrors + c.dialErrors,
	}
}
