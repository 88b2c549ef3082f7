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
// A [Gossip] is a hub once it is bound, a client once it is connected, and may
// be both: what it learns from one link it tells all others.
//
// # What is added to CZMQ's ways
//
// All of it is carried by the frames above, so that both kinds mix freely.
//
//   - A client of ours PINGs: CZMQ's hub forgets a client that is quiet for one
//     second, tells it nothing any more and refuses its tuples. Each second or so
//     it repeats a tuple of its own, which a hub that forgot it answers with
//     INVALID, and it says HELLO and everything else again after an INVALID and
//     after each new connection.
//   - A tuple is vouched for by the link that brought it. A hub that loses a
//     client that is known to ping drops what that client vouched for.
//   - A tuple is taken back by PUBLISH with a tombstone: the value without its
//     endpoint, that is, empty or from its "|" on (libzyre in CURVE mode needs
//     the key that follows). CZMQ keeps and forwards it as any value; libzyre
//     cannot connect to it and goes on; newcomers at a hub of ours are not told.
//   - Anyone may take back anything, as anyone may change anything; an owner
//     that sees its own tuple changed or taken back publishes it again, ever
//     more slowly while this goes on.
//   - A tuple that changes again and again is told ever more slowly too.
//
// # Who is forgotten, and when
//
// A client that pings: after ClientTimeout (10 s) of silence. A client that
// never does, of CZMQ's kind: not while its connection lives, however quiet;
// when the connection is gone and stays gone for QuietTimeout (60 s; CZMQ 4.2
// connects and publishes again at once). A hub that does not answer: what it
// told is kept for HubTimeout (60 s), or until it is back and has not repeated
// it within ten seconds. CZMQ's own hub forgets nothing.
//
// Where clients of several hubs make rings, a tuple whose owner left while a part of
// the ring was cut off may stay: two neighbours that have it from each other vouch for
// it. Values in the protocol have no age by which that could be told.
package zgossip
