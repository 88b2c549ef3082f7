// Package zmqwait parks one goroutine until a ZeroMQ socket may be read, until
// another goroutine asks for its attention, or until a deadline passes.
//
// A blocking receive or poll in libzmq would hold an operating system thread
// for each socket. On unix the descriptor behind a socket's ZMQ_FD option waits
// in Go's own poller instead, together with every other descriptor of the
// process, so that a parked socket costs a goroutine and nothing else.
package zmqwait

import "errors"

// ErrClosed is what Wait returns after Close.
var ErrClosed = errors.New("zmqwait: waiter is closed")

// The states of a Waiter; see Waiter.Wake.
const (
	awake  uint32 = iota // the owner runs and will look at its work before it parks
	parked               // the owner is parking or parked: a caller of Wake has to rouse it
	woken                // Wake was called since the owner was last awake
)
