// Package zgossip speaks the ZeroMQ gossip protocol, version 1, as CZMQ's
// zgossip actor does: every member of a gossip network learns the same table
// of key and value pairs, called tuples.
//
//	0xAAA0 (2) | id (1) | version 1 (1) | fields
//
//	1 HELLO    client to hub, first of all
//	2 PUBLISH  key string (length 1) | value longstr (length 4) | ttl (4)
//	3 PING     client to hub
//	4 PONG     hub to client, the answer to PING in any state
//	5 INVALID  hub to client: you are unknown to me, say HELLO
//
// A [Gossip] is a hub once it is bound and a client once it is connected. It may
// be both: what it learns from one neighbour it sends to all others.
//
// # What this package adds to CZMQ's behaviour
//
// All of it is carried by the frames above, so members of both kinds can be mixed.
//
//   - A client of this package sends PING. CZMQ's hub forgets a client that was silent
//     for one second: it sends it nothing more and refuses its tuples. Every second or so
//     the client repeats one of its own tuples, which a hub that has forgotten it answers
//     with INVALID. After an INVALID, and on each new connection, the client sends HELLO
//     and all its tuples again.
//   - A tuple is owned by the link that brought it. When a hub loses a client that
//     sends PING, it takes back the tuples that this client owns.
//   - A tuple that was taken back begins again only with a value that was sent after its
//     tombstone was read. What comes over another way round a ring of hubs, or with a
//     connection that is made again, may be older: it is answered with the tombstone, and
//     its sender is asked for all its tuples (by INVALID or HELLO) two seconds later, and
//     later each time while this goes on. A publisher that lives hears of the tombstone,
//     publishes again, and is believed then.
//     See tuple in table.go.
//   - A tuple is taken back by a PUBLISH with a tombstone: the value without its
//     endpoint. It is empty or begins with "|", because libzyre in CURVE mode needs the
//     key that follows. CZMQ keeps and forwards a tombstone like any other value. libzyre
//     cannot connect to it and carries on. A hub of this package does not send it to
//     members that connect later, unless they send the tuple.
//   - Any member may take back any tuple, as any member may change any tuple. A member that
//     sees one of its own tuples changed or taken back publishes it again, after a delay
//     that grows as long as this goes on.
//   - A tuple that changes again and again is flapping. Its changes are sent after a
//     delay that grows in the same way.
//
// # Who is forgotten, and when
//
// A client that sends PING is forgotten after ClientTimeout (10 s) of silence. A client
// that never sends PING, as those of CZMQ, is kept as long as its connection lives, however
// silent it is, and forgotten once the connection has been gone for QuietTimeout (60 s;
// CZMQ 4.2 connects and publishes again at once). When a hub does not answer, the tuples
// that it owns are kept for HubTimeout (60 s); when it is back, those that it does not
// repeat within ten seconds are taken back, in however many connections it has them. CZMQ's
// hub forgets nothing. A tombstone is remembered for two minutes, longer than any of these
// times.
//
// A client of CZMQ's kind does not tell what it publishes from what it sends back. One that
// connects again brings back what was taken back more than two seconds before.
//
// A full member has a tuple of the neighbour that brought most give way to one of a neighbour that
// brought fewer. That of a client is taken back everywhere. That of a hub is only not kept: hubs are
// not told, clients are. Neighbours whose tuples found no place are asked for all again, by INVALID
// or HELLO, once there is room; and a member tells its other hubs, by a HELLO that does not repeat it,
// that it no longer has what gave way.
//
// In a network where clients of several hubs form a ring a tuple may stay although the
// member that published it is gone. This happens if that member left while part of the ring
// was cut off: two neighbours have the tuple from each other, and each keeps it because the
// other does. Values in this protocol have no age by which a member could tell. The same may
// happen to two neighbours that had different values of such a tuple when they connected: each
// takes in the other's, and both stay.
package zgossip
