// Package foreignnet runs the models of package foreign on real sockets: a ROUTER,
// DEALERs and UDP beacons, on the loopback interface unless told otherwise. Tests
// that know a node only from outside use it to have peers of foreign make.
//
// A [Peer] does by itself what its implementation does. Without a model, and beside
// one, a test can send what no implementation would: [Peer.Connect] opens a connection
// on which any frames go, [Peer.SendDatagrams] sends any datagrams.
//
// Everything that a peer sees is kept, and can be waited for: [Peer.WaitEvent],
// [Peer.WaitMessage].
package foreignnet
