// Package foreign models the other implementations of ZRE: libzyre, pyre,
// go-zeromq/zyre, zyre.js and gyre. Tests use the models as peers of a node.
//
// A [Model] is one state machine; what distinguishes the implementations stands in
// one table of [Traits]. A model does no I/O, starts no goroutine and has no clock:
// time is an argument, and effects go to a [Port]. A driver connects it to a
// simulated network or to real sockets (package foreignnet).
//
// The models were written from measurements of the real implementations, and know
// nothing of package zyre. They have a codec of their own, [Message] and [Parse], so
// that a test between a node and a model also compares two codecs.
package foreign
