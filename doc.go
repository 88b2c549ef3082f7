// Package zyre finds other nodes on the local network and exchanges messages with
// them, without configuration and without a server. It is a port of the Zyre API
// to Go. It speaks ZRE, the ZeroMQ Realtime Exchange Protocol (RFC 36), in the same
// way as libzyre 2.0.1.
//
//	node := zyre.NewZyre(ctx).SetName("alice")
//	node.Join("hall")
//	if err := node.Start(); err != nil {
//		return err
//	}
//	defer node.Stop()
//	for event := range node.Events() {
//		switch event.Type {
//		case zyre.EventEnter:
//			node.Whispers(event.PeerUUID, "hello %s", event.PeerName)
//		case zyre.EventShout:
//			fmt.Printf("%q: %q\n", event.PeerName, event.Msg)
//		}
//	}
//
// # What to look at
//
// An application needs [NewZyre], the methods of [Zyre], and [Event]. [PeerInfo] and [Stats]
// show more of what a node knows, [Cert] is for encryption, and the errors of all methods
// are an [Error] around one of [ErrNotRunning], [ErrUnknownPeer] and the others. Package
// zyretest is a network in memory for tests, and docs/recipes.md of the module has programs
// to copy from.
//
// All else is for programs that speak ZRE by themselves: [Beacon] with [Cmd], [Signal],
// [BeaconMsg] and [Connection]; [Peer], [Group] and [ZreMsg] with [Recv], [Send] and the
// ids of commands. They are classes of libzyre and CZMQ; a node uses its own and
// hands out none.
//
// # Concepts
//
// A node has a UUID, a name and headers. Another node on the network is a peer: it
// enters (ENTER) when it appears, and exits (EXIT) when it goes. Nodes join groups. A
// message goes to one peer (WHISPER) or to all peers in a group (SHOUT).
//
// # Life cycle
//
// NewZyre makes a node, the Set methods configure it, and Start brings it up. Stop, or
// cancelling the context, ends it: the peers learn of it at once, and the Events
// channel delivers a STOP event and is closed. Start after Stop starts the node again,
// with the same UUID, name, headers and groups, and with a fresh Events channel.
//
// Any number of goroutines may call any method at any time. Before Start and after
// Stop, a method that needs a running node does nothing, returns nothing, or returns
// ErrNotRunning.
//
// # Discovery
//
// Each node sends a beacon once a second: a small UDP datagram to the broadcast address
// of its network (on IPv6, to all nodes on the link), on port 5670 unless SetPort says
// otherwise. A node that receives a beacon connects to the sender by TCP, and both say
// HELLO. Nodes of one process connect by inproc instead, unless they are secure. Without
// SetInterface the node chooses an interface, and logs which one and why. It follows
// changes of the network.
//
// Where beacons do not pass, nodes find each other through hubs (GossipBind,
// GossipConnect), or are named one by one (RequirePeer), by UUID and endpoint or by the
// endpoint alone.
//
// # Presence
//
// The events of one peer are ENTER, then any number of JOIN, LEAVE, WHISPER, SHOUT and
// others, then EXIT. Each time that it comes and goes there is one ENTER and one EXIT,
// with its reason in Event.Reason.
//
// A peer from which nothing has come for 5 s is pinged. If it does not answer it is
// reported as EVASIVE, once; after 10 s as SILENT, once; and after 30 s it exits. A node
// that stops exits at once, and so does one that is replaced by another at the same
// endpoint. An idle, healthy network causes no events.
//
// # Delivery
//
// Between ENTER and EXIT, messages from one peer arrive in the order in which they were
// sent, and none is missing. If messages are lost because a connection broke, the peer
// exits and enters again, so that the application learns of the loss.
//
// Nothing is dropped because an application is slow. A node keeps the events that are not
// read, up to SetQueueLimit bytes. Beyond that it stops reading what its peers send, and
// those peers wait in Whisper or Shout. Those that shout to it may give it up if it then
// reads fewer than 500 messages, of less than 2 MiB together, in 30 s (SetStalledTimeout).
// WhisperContext and ShoutContext limit this wait and report what happened. A message to a
// peer that has not entered is dropped, as in libzyre.
//
// # Security
//
// On a plain network everybody can take part, listen and forge messages. SetZCert makes
// a node secure by CURVE, and SetAuthorizedKeys lists the keys that may connect. NewCert,
// LoadCert and LoadCertStore make keys and keep them in files. Nothing that a node
// receives can crash it. SECURITY.md has the details.
//
// # Elections
//
// With SetContestInGroup a node stands for election as the leader of a group. Every
// member of the group gets a LEADER event whenever the leader changes.
//
// # Testing
//
// Package zyretest is a network in memory, on which an application is tested with as many
// nodes as it needs, in milliseconds.
package zyre
