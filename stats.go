package zyre

import (
	"cmp"
	"slices"
	"time"
)

// Stats is what a node has counted since Start, and how it stands now. All of it
// is one consistent snapshot. Libzyre has nothing like it.
type Stats struct {
	Peers    int // peers that have entered
	HalfOpen int // nodes heard of whose HELLO has not come: invisible otherwise
	Groups   int // groups with at least one peer

	HeldEvents int  // events that the application has not taken yet
	HeldBytes  int  // and what they count against the queue limit
	Paused     bool // the node is not reading its inbox, until some of them are taken

	Received         uint64 // messages from peers that were in order and well-formed
	WhispersReceived uint64 // messages to this node that became events
	ShoutsReceived   uint64 // messages to its groups that became events
	WhispersSent     uint64 // messages of the application to a peer
	ShoutsSent       uint64 // messages of the application to a group

	Pauses         uint64 // times that the node stopped reading its inbox
	PushedBack     uint64 // times that a peer took no more messages
	Gaps           uint64 // times that messages from a peer were missing: EXIT, ENTER
	Unsent         uint64 // messages given up because their peer went
	NetworkChanges uint64 // changes of the interfaces that the node uses

	Beacon   BeaconStats // zero if the node sends none
	Dropped  Dropped     // what was not acted on
	PeerList []PeerStats // in the order of UUIDs
}

// BeaconStats is what a node's UDP sockets did. Errors are tried again, ever more
// slowly; SendErrors that grow while Sent does not mean that nobody can find the node.
type BeaconStats struct {
	Sent          uint64 // datagrams, one for each interface each time
	SendErrors    uint64 // datagrams that the system refused to send
	Received      uint64 // datagrams, our own included
	ReceiveErrors uint64 // datagrams that could not be read
	Ignored       uint64 // of Received: other interfaces, not ZRE, of no possible size or source
	Overflowed    uint64 // of Received: beyond what the node could look at
}

func (s *beaconStats) snapshot() BeaconStats {
	return BeaconStats{
		Sent:          s.sent.Load(),
		SendErrors:    s.sendErrors.Load(),
		Received:      s.received.Load(),
		ReceiveErrors: s.readErrors.Load(),
		Ignored: s.droppedSize.Load() + s.droppedSource.Load() + s.droppedLink.Load() +
			s.droppedFilter.Load(),
		Overflowed: s.droppedFull.Load(),
	}
}

// Dropped is what a node did not act on. None of it was an event.
type Dropped struct {
	ToUnknownPeer   uint64 // messages sent to a peer that is not here
	ToUnknownGroup  uint64 // messages sent to a group without members
	BadIdentity     uint64 // messages from a connection that names no UUID, or ours
	Foreign         uint64 // messages with another signature or version
	Malformed       uint64 // messages cut short or with impossible lengths
	UnknownCommand  uint64 // messages with a command that is not known
	Strangers       uint64 // messages from a peer that had not said HELLO
	HelloRefused    uint64 // HELLOs out of place, or with an endpoint that is not the sender's
	HelloBarred     uint64 // times a peer was shut out because it began anew too often
	Unreachable     uint64 // HELLOs with an endpoint that cannot be used
	StatusMismatch  uint64 // JOINs and LEAVEs with an unexpected count; obeyed all the same
	GroupsRefused   uint64 // groups beyond the limit for one peer
	LateShouts      uint64 // SHOUTs to a group that this node is not in
	BadBeacons      uint64 // datagrams that are no beacon, or one of a secure node
	OwnBeacons      uint64 // beacons with our UUID or endpoint
	BeaconsRefused  uint64 // beacons of new nodes beyond the rate that is accepted
	HalfOpenEvicted uint64 // half-open peers that gave way to newer ones
	NeverEntered    uint64 // half-open peers that never said HELLO
	KeysRefused     uint64 // connections, messages and sightings under a wrong key, or none
	ElectionIgnored uint64 // ELECTs and LEADERs from outside a group, or for somebody outside
	Errors          uint64 // errors from the sockets
}

// PeerStats is how one peer stands.
type PeerStats struct {
	UUID     string        // 32 upper-case hexadecimal digits
	Name     string        // from its HELLO
	Endpoint string        // where it is connected to
	Groups   []string      // that it has joined, in order
	Idle     time.Duration // since its last message
	Received uint64        // messages from it
	Sent     uint64        // messages to it
	Waiting  int           // messages for which it has no room at present
	Evasive  bool          // it left a ping unanswered
}

// counters is what the node counts as it goes.
type counters struct {
	received, whispersReceived, shoutsReceived, whispersSent, shoutsSent uint64
	pauses, clogged, gaps, unsent, networkChanges                        uint64
	unknownPeer, unknownGroup, badIdentity, foreign, malformed           uint64
	unknownCommand, strangers, helloRefused, barred, unreachable         uint64
	statusMismatch, groupsRefused, lateShouts, badBeacons, ownBeacons    uint64
	sightingsRefused, evicted, neverCame, keysRefused, electionsIgnored  uint64
	receiveErrors, sendErrors, dialErrors                                uint64
}

// Stats returns the node's counters; zero before Start and after Stop.
func (z *Zyre) Stats() Stats {
	return ask(z, (*node).stats)
}

func (n *node) stats(now time.Time) Stats {
	c := &n.counters
	n.events.settle()
	s := Stats{
		Groups:     len(n.groups),
		HeldEvents: n.events.backlog.Len() + len(n.events.ch),
		HeldBytes:  n.events.held,
		Paused:     n.paused,

		Received:         c.received,
		WhispersReceived: c.whispersReceived,
		ShoutsReceived:   c.shoutsReceived,
		WhispersSent:     c.whispersSent,
		ShoutsSent:       c.shoutsSent,

		Pauses:         c.pauses,
		PushedBack:     c.clogged,
		Gaps:           c.gaps,
		Unsent:         c.unsent,
		NetworkChanges: c.networkChanges,

		Dropped: c.dropped(),
	}
	if n.net.beacon != nil {
		s.Beacon = n.net.beacon.stats.snapshot()
	}
	s.Dropped.KeysRefused += n.security.policy.Refused()
	for _, p := range n.peers {
		if !p.entered() {
			s.HalfOpen++
			continue
		}
		s.Peers++
		s.PeerList = append(s.PeerList, PeerStats{
			UUID: p.Identity, Name: p.Name, Endpoint: p.endpoint, Groups: p.groupNames(),
			Idle: now.Sub(p.heard), Received: p.received, Sent: p.messages,
			Waiting: p.backlog.len(), Evasive: p.evasive,
		})
	}
	slices.SortFunc(s.PeerList, func(a, b PeerStats) int { return cmp.Compare(a.UUID, b.UUID) })
	return s
}

func (c *counters) dropped() Dropped {
	return Dropped{
		ToUnknownPeer:   c.unknownPeer,
		ToUnknownGroup:  c.unknownGroup,
		BadIdentity:     c.badIdentity,
		Foreign:         c.foreign,
		Malformed:       c.malformed,
		UnknownCommand:  c.unknownCommand,
		Strangers:       c.strangers,
		HelloRefused:    c.helloRefused,
		HelloBarred:     c.barred,
		Unreachable:     c.unreachable,
		StatusMismatch:  c.statusMismatch,
		GroupsRefused:   c.groupsRefused,
		LateShouts:      c.lateShouts,
		BadBeacons:      c.badBeacons,
		OwnBeacons:      c.ownBeacons,
		BeaconsRefused:  c.sightingsRefused,
		HalfOpenEvicted: c.evicted,
		NeverEntered:    c.neverCame,
		KeysRefused:     c.keysRefused,
		ElectionIgnored: c.electionsIgnored,
		Errors:          c.receiveErrors + c.sendErrors + c.dialErrors,
	}
}
