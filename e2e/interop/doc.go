// Package interop tests nodes with those of other implementations: zyre.js, and the
// beacons, gossip and certificates of CZMQ. It also compares what models them here with
// what they do, and tests what runs them.
package interop
