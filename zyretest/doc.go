// Package zyretest is a network in memory for tests of applications that use package zyre.
// Its nodes are real ones, but for the sockets: a test with ten of them needs no network,
// no privileges and none of libzmq's threads, and takes milliseconds.
//
//	func TestGreeting(t *testing.T) {
//		synctest.Test(t, func(t *testing.T) {
//			network := zyretest.NewNetwork(t)
//			alice, bob := network.NewNode("alice"), network.NewNode("bob")
//			…
//			network.Kill(bob)
//			time.Sleep(30 * time.Second) // takes no time in the bubble
//			…
//		})
//	}
//
// docs/testing.md of the module shows the test of an application from beginning to end.
//
// # The network
//
// Each node has a host of its own, with an interface eth0 and an address on one LAN,
// 10.0.0.0/8. Beacons, gossip, RequirePeer, SetEndpoint, SetInterface and the others work
// as they do between hosts. Loopback, and the names of ipc and inproc, are shared by all nodes, as
// by processes of one host. A host name is the name of a node. There is no IPv6.
//
// A message or beacon takes 100 µs, and up to an eighth more. [Network.SetLatency] changes
// that, [Network.SetLoss] has beacons lost, [Network.Partition] and [Network.Cut] hold up
// what is sent until [Network.Heal], and [Network.Break] breaks connections. As TCP does,
// connections lose nothing while they live, and all that was on its way when they break.
// [Network.Kill] ends a node without a goodbye, and [Network.Freeze] stops one as SIGSTOP
// stops a process. There is no bandwidth: a message of any size takes the same time.
//
// Of CURVE there are the rules and not the cryptography: a node talks with those only whose
// keys are right and authorized.
//
// # Bubbles
//
// A node of this package waits for channels and timers alone, so it works in a bubble of
// testing/synctest, in which time passes only when all goroutines wait. Make the network
// inside the bubble, with the bubble's t, and have no goroutine of the test wait for a
// sync.Mutex while another one holds it and waits for time to pass, or changes the network.
//
// # The same again
//
// UUIDs and addresses of the nodes, which beacons are lost, and how long a message takes that
// is sent at one moment follow from [Seed] and the order in which the nodes are made. In a
// bubble, and with a latency that is not 0, each node therefore sees the same events in the
// same order and at the same times whenever a test is run. The methods of Network wait until
// all that is due at the moment has been done; what the test does with several nodes at one
// moment may change places, unless it calls synctest.Wait in between.
// Outside a bubble the times are those of the machine.
package zyretest
