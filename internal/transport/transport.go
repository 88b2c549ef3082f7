// Package transport carries messages between nodes: the seam between a node and the
// sockets below it, and the sockets of ZeroMQ that are used. Package mem keeps the same
// promises in memory.
package transport

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/go-zyre/zyre/internal/tcpinfo"
)

// What a transport reports apart from plain failures.
var (
	// ErrAgain says that nothing was received, or that nothing was queued for
	// sending: try again later.
	ErrAgain = errors.New("zyre: try again")
	// ErrNotPolled is an ErrAgain of an inbox that has not asked libzmq: there may be
	// a message, and then the next Wait returns at once.
	ErrNotPolled = fmt.Errorf("%w: not polled", ErrAgain)
	// ErrPartial is an ErrNotPolled in the middle of a message of very many frames: the next
	// Recv goes on with it.
	ErrPartial = fmt.Errorf("%w: inside a message", ErrNotPolled)
	// ErrNoDescriptors says that the process has too few file descriptors left
	// to open another socket safely.
	ErrNoDescriptors = errors.New("zyre: too few file descriptors left")
	// ErrNoNetlink says that something cannot be done because the system refuses
	// netlink, by which Linux tells of the interfaces.
	ErrNoNetlink = errors.New("zyre: the system refuses netlink")
	// errIncompleteMessage says that a message ended before its last frame.
	errIncompleteMessage = errors.New("zyre: message cut short")
	// ErrClosed says that an inbox, mailbox or transport was used after Close.
	ErrClosed = errors.New("zyre: closed")
)

// HighWaterMark is how many messages wait in an inbox, or in a mailbox for one
// peer, before senders are pushed back. libzmq counts messages, not bytes; what
// the kernel buffers comes on top.
const HighWaterMark = 1000

// A Packet is one message as it came from a peer. The frames are the caller's to
// keep; all else is reused by the next Recv into the same packet.
type Packet struct {
	From    []byte     // routing id: 1 and the UUID if the peer is a proper one, else up to 255 bytes
	Cut     int        // bytes that the routing id had beyond these; then the rest of the message was dropped
	Header  []byte     // first frame, not yet parsed
	Frames  [][]byte   // content of WHISPER and SHOUT; empty for other commands
	UserID  string     // Z85 public key of the sender under CURVE; empty without, and over inproc
	Conn    Conn       // the connection that brought it, and will bring what follows
	Address netip.Addr // of the host that a HELLO came from, also over inproc and ipc; invalid where the peer speaks ZMTP 1 or 2
	Excess  bool       // it had more frames or bytes than an inbox takes; Frames is empty
}

// Conn is the connection that a message came on. It is comparable; the zero Conn is one
// that is not known.
type Conn = tcpinfo.Conn

// Moved is how many bytes have moved on the connections between two nodes. It grows while
// a message is under way; a count that cannot be told, as over inproc, is 0.
type Moved struct {
	Received uint64 // bytes that our system has received from the peer
	Sent     uint64 // bytes that the peer's system has confirmed
	Waiting  bool   // more waits to go out than can be under way at once
	Replaced bool   // the connection from the peer has ended, but there is one to its endpoint
	Broken   bool   // there is no connection to the peer, as far as can be told: what is sent now has to wait for one
	// At is when all but Received was so; zero: now. A process that gets little time looks at
	// its connections more rarely.
	At time.Time
}

// An Inbox receives the messages of all peers. All methods but Wake belong to
// the goroutine that owns the node.
type Inbox interface {
	// Recv fills p with the next message, or returns ErrAgain or ErrNotPolled at once. After
	// ErrPartial p is to be given to the next Recv as it is.
	Recv(p *Packet) error
	// Bind starts to listen and returns the endpoint with its port resolved.
	Bind(endpoint string) (bound string, err error)
	// Unbind stops to listen at an endpoint that Bind has returned. Connections
	// that peers have made to it remain. When it returns the endpoint is free.
	Unbind(endpoint string) error
	// StopOffering withdraws what the inbox offers beside its endpoints: whoever dials
	// from now on gets a connection that outlives it, to the next inbox at the same
	// endpoint.
	StopOffering()
	// Guard returns the guard of the inbox's connections; nil if they are not of the system.
	Guard() *Guard
	// Wait parks the owner until there is a message, Wake has been called, or
	// until has passed (the zero time never passes). It may return too early.
	Wait(until time.Time)
	// Wake makes the present or the next Wait return. Any goroutine may call it,
	// also after Close.
	Wake()
	// Close drops what was not received. When it returns the endpoints are free. A
	// second Close does nothing.
	Close() error
}

// A Mailbox sends to one peer. It belongs to the goroutine that owns the node.
type Mailbox interface {
	// Send queues a whole message or nothing: ErrAgain says that the mailbox is
	// full and nothing was queued. It keeps neither slice and never blocks.
	Send(header []byte, frames [][]byte) error
	// SendShared is Send with one frame of content, which is not copied.
	SendShared(header []byte, p *Payload) error
	// Moved tells what has moved to the peer, and on the connection that it has to us,
	// which its HELLO came on. It also tells whether there is a connection to the peer.
	// What is older than now has the time in At.
	Moved(now time.Time, from Conn) Moved
	// Close returns at once; what is queued is delivered in the background for
	// no longer than linger. A second Close does nothing.
	Close(linger time.Duration) error
}

// DialOptions say who a mailbox speaks for and, under CURVE, with which keys
// (Z85, all three or none).
type DialOptions struct {
	Identity  []byte // routing id that the peer's inbox sees; 1–255 bytes; those that begin with 0 are libzmq's own
	ServerKey string // the peer's public key
	PublicKey string // our own
	SecretKey string // that belongs to PublicKey
}

// ListenOptions make an inbox a CURVE server (keys in Z85, both or none).
type ListenOptions struct {
	PublicKey string  // the server's
	SecretKey string  // that belongs to it
	ZapDomain string  // for the log; at most 200 bytes
	Policy    *Policy // who may connect; nil lets all in that have proven their key

	// MaxMessage is the most bytes of a message; 0 means DefaultMaxMessage.
	MaxMessage int
}

// A Transport makes the sockets of nodes.
type Transport interface {
	// Listen makes the inbox of a node, bound to nothing yet.
	Listen(opts ListenOptions) (Inbox, error)
	// Dial makes a mailbox that connects in the background, and again whenever the
	// connection breaks.
	Dial(endpoint string, opts DialOptions) (Mailbox, error)
	// Close releases what the sockets shared. They have all been closed before.
	Close() error
}

// HasContent reports whether frames of content follow header: those of WHISPER
// and SHOUT, whose ids stand after the two bytes of signature.
func HasContent(header []byte) bool {
	const whisper, shout = 2, 3
	return len(header) > 2 && (header[2] == whisper || header[2] == shout)
}
