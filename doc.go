// Package zyre finds other nodes on the local network and talks to them: no
// configuration, no broker. It is a port of the Zyre API and speaks ZRE, the
// ZeroMQ Realtime Exchange Protocol (RFC 36), as libzyre 2.0.1 does on the wire.
//
//	node := zyre.NewZyre(ctx).SetName("alice")
//	node.Join("hall")
//	if err := node.Start(); err != nil {
//		return err
//	}
//	defer node.Stop()
//	for event := range node.Events() {
//		switch event.Type {
//		case "ENTER":
//			node.Whispers(event.PeerUUID, "hello %s", event.PeerName)
//		case "SHOUT":
//			fmt.Printf("%s: %s\n", event.PeerName, event.Msg)
//		}
//	}
//
// # Concepts
//
// A node has a UUID, a name and headers. When another node appears on the network
// it enters (ENTER), and when it goes it exits (EXIT); while it is here it is a
// peer. Nodes join groups. A message goes to one peer (WHISPER) or to all peers in
// a group (SHOUT).
//
// # Life cycle
//
// NewZyre makes a node, the Set methods configure it, Start brings it up. Stop, or
// cancelling the context, takes it down: peers learn of it at once, the Events
// channel delivers a STOP event and is closed. Start after Stop begins anew with
// the same UUID, name, headers and groups, and a fresh Events channel.
//
// Every method may be called at any time by any number of goroutines. What needs a
// running node does nothing, or says ErrNotRunning, when there is none.
//
// # Discovery
//
// Nodes beacon: each sends a small UDP datagram to the broadcast address of its
// network (on IPv6, to all nodes on the link) once a second, on port 5670 unless
// SetPort says otherwise. Whoever hears it connects by TCP to the sender and both
// say HELLO; nodes of one process connect by inproc instead, if they are not secure.
// Without SetInterface the node chooses an interface, and logs which and why; it
// follows changes of the network by itself.
//
// Where datagrams do not pass, nodes find each other through the hubs of gossip
// (GossipBind, GossipConnect), or are named one by one (RequirePeer).
//
// # Presence
//
// For each peer the events are ENTER, then JOIN, LEAVE, WHISPER, SHOUT and the like
// in any number, then EXIT: one pair for each time that it is here. A peer that
// says nothing for 5 s is pinged; one that does not answer is reported EVASIVE,
// after 10 s SILENT, each once, and after 30 s it is removed with EXIT. A node that
// stops, or is replaced by another at the same endpoint, exits at once. An idle,
// healthy network causes no events.
//
// # Delivery
//
// Between ENTER and EXIT messages from one peer arrive in the order in which they
// were sent, and none is missing: if messages are lost, because a connection broke,
// the peer exits and enters again. Nothing is lost silently.
//
// Nor is anything dropped because somebody is slow. Events that the application
// does not read are held, up to SetQueueLimit bytes; then the node stops reading,
// and those who send to it wait in Whisper or Shout. WhisperContext and
// ShoutContext bound that wait and tell what happened. A message to a peer that is
// not here is dropped, as in libzyre.
//
// # Security
//
// On a plain network everybody can join, read and forge. SetZCert makes a node secure,
// by CURVE, and SetAuthorizedKeys says who may talk with it. Nothing that arrives can
// crash a node; see SECURITY.md.
//
// # Elections
//
// SetContestInGroup has a node stand for election in a group. Every member reports who
// leads, and whenever that changes, with a LEADER event.
package zyre
