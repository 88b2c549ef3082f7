// Package e2e holds no code: below it are the tests that see this module from outside.
// They use what package zyre exports, and nothing else, but for interop: it also tests the
// package of gossip, and the models and runners of other implementations.
//
//	local    nodes of one process, and bare sockets that speak to a node
//	hosts    several hosts, which are network namespaces; needs root on Linux
//	process  several processes on one host
//	soak     what goes on for a while: make soak
//	interop  nodes of other implementations
//
// What they share is kit, which makes nodes that stay on this host, child, the one program
// that runs nodes in processes of their own, netns, which makes the hosts, watch, which waits
// for what nodes report, and leak, which sees that nothing is left behind.
package e2e
