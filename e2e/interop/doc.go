// Package interop tests nodes with those of other implementations: zyre.js, and the
// beacons and gossip of CZMQ.
package interop
