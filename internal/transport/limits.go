package transport

import (
	"errors"
	"time"

	zmq "github.com/pebbe/zmq4"
)

// Limits on what others can have a listening socket hold. The first two are also what our
// own side does not exceed.
const (
	// DefaultMaxMessage is the most bytes of content in a message, all its frames together.
	// libzmq ends a connection on which a single frame is announced that is larger, before
	// it has any memory for it, and before any key is checked.
	DefaultMaxMessage = 64 << 20
	// MaxFrames is the most frames of content in a message. libzmq takes some 60 bytes for
	// each, however small it is.
	MaxFrames = 10_000
	// maxIdentity is the most bytes of a routing id, as ZMTP has it. libzmq takes one of any length,
	// as a property or a frame may be, and copies it for each message.
	maxIdentity = 255
	// recvFrames is how many frames one Recv passes over of a message that has more.
	recvFrames = 4096
	// handshakeLimit is how long a connection has until it has said which protocol it speaks
	// and, under CURVE, proven its key. It is libzmq's own: where many nodes start at once on a
	// slow host, connections that end after 10 s are made again and again, and few come to work.
	handshakeLimit = 30 * time.Second
)

// SetListenLimits bounds what a connection to a listening socket can cost: the size of one
// frame, and the time until it speaks ZeroMQ and has proven its key.
func SetListenLimits(soc *zmq.Socket, maxFrame int) error {
	return errors.Join(soc.SetMaxmsgsize(int64(maxFrame)), soc.SetHandshakeIvl(handshakeLimit))
}
