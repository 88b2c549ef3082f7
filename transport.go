package zyre

import (
	"errors"
	"fmt"
	"time"
)

// What the transport below a node reports apart from plain failures.
var (
	// errAgain says that nothing was received, or that nothing was queued for
	// sending: try again later.
	errAgain = errors.New("zyre: try again")
	// errUnasked is an errAgain of an inbox that has not made sure: there may be
	// something, and then the next wait returns at once.
	errUnasked = fmt.Errorf("%w: not asked", errAgain)
	// errNoDescriptors says that the process has too few file descriptors left
	// to open another socket safely.
	errNoDescriptors = errors.New("zyre: too few file descriptors left")
	// errTorn says that a message ended before its last frame.
	errTorn = errors.New("zyre: message cut short")
	// errClosed says that an inbox, mailbox or transport was used after close.
	errClosed = errors.New("zyre: closed")
)

// highWaterMark is how many messages wait in an inbox, or in a mailbox for one
// peer, before senders are pushed back. libzmq counts messages, not bytes; what
// the kernel buffers comes on top.
const highWaterMark = 1000

// A packet is one message as it came from a peer. The frames are the caller's to
// keep; all else is reused by the next recv into the same packet.
type packet struct {
	from   []byte   // routing id, of any length: 1 and the UUID if the peer is a proper one
	header []byte   // first frame, not yet parsed
	frames [][]byte // content of WHISPER and SHOUT; empty for other commands
	userID string   // Z85 public key of the sender under CURVE; empty without, and over inproc
}

// An inbox receives the messages of all peers. All methods but wake belong to
// the goroutine that owns the node.
type inbox interface {
	// recv fills p with the next message, or returns errAgain or errUnasked at once.
	recv(p *packet) error
	// bind starts to listen and returns the endpoint with its port resolved.
	bind(endpoint string) (bound string, err error)
	// unbind stops to listen at an endpoint that bind has returned. Connections
	// that peers have made to it remain. The address may be in use for a moment
	// longer.
	unbind(endpoint string) error
	// retire ends what the inbox offers beside its endpoints: whoever dials from now on
	// gets a connection that outlives it, to the next inbox at the same endpoint.
	retire()
	// wait parks the owner until there is a message, wake has been called, or
	// until has passed (the zero time never passes). It may return too early.
	wait(until time.Time)
	// wake makes the present or the next wait return. Any goroutine may call it,
	// also after close.
	wake()
	// close drops what was not received. A second close does nothing.
	close() error
}

// A mailbox sends to one peer. It belongs to the goroutine that owns the node.
type mailbox interface {
	// send queues a whole message or nothing: errAgain says that the mailbox is
	// full and nothing was queued. It keeps neither slice and never blocks.
	send(header []byte, frames [][]byte) error
	// close returns at once; what is queued is delivered in the background for
	// no longer than linger. A second close does nothing.
	close(linger time.Duration) error
}

// dialOptions say who a mailbox speaks for and, under CURVE, with which keys
// (Z85, all three or none).
type dialOptions struct {
	identity  []byte // routing id that the peer's inbox sees; 1–255 bytes, the first not 0
	serverKey string // the peer's public key
	publicKey string // our own
	secretKey string
}

// listenOptions make an inbox a CURVE server (keys in Z85, both or none).
type listenOptions struct {
	publicKey string
	secretKey string
	zapDomain string
	// allow decides about each client that has proven its key; nil lets all in.
	allow zapPolicy
}

// A transport makes the sockets of nodes.
type transport interface {
	listen(opts listenOptions) (inbox, error)
	dial(endpoint string, opts dialOptions) (mailbox, error)
	// close releases what the sockets shared. They have all been closed before.
	close() error
}
