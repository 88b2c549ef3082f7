package foreignnet

import (
	"errors"
	"fmt"
	"strings"
	"syscall"

	zmq "github.com/pebbe/zmq4"

	"github.com/go-zyre/zyre/internal/foreign"
)

// ErrFull says that a connection holds as many messages as it may.
var ErrFull = errors.New("foreignnet: the connection is full")

// ConnOptions say how a raw connection is made.
type ConnOptions struct {
	RoutingID   []byte // nil: that of the peer
	Anonymous   bool   // no routing id: the other side makes one up
	HighWater   int    // messages that it holds; 0: no limit
	ServerKey   string // of the node, for CURVE; in Z85, as the others
	PublicKey   string // of this connection
	SecretKey   string // of this connection
	noReconnect bool
}

// A Conn is a connection to a mailbox on which anything may be sent.
type Conn struct {
	p        *Peer
	soc      *zmq.Socket
	sequence uint16 // of the last message; owned by the goroutine of the peer
}

// Connect opens a connection to the mailbox of a node. It says nothing on it.
func (p *Peer) Connect(endpoint string, opts ConnOptions) (*Conn, error) {
	c := &Conn{p: p}
	err := p.do(func() (err error) {
		c.soc, err = p.dial(endpoint, opts)
		if err == nil {
			p.conns[c] = true
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return c, nil
}

// dial makes a DEALER.
func (p *Peer) dial(endpoint string, opts ConnOptions) (*zmq.Socket, error) {
	soc, err := p.zmq.NewSocket(zmq.DEALER)
	if err != nil {
		return nil, fmt.Errorf("foreignnet: make a connection: %w", err)
	}
	id := opts.RoutingID
	if id == nil {
		id = p.RoutingID()
	}
	err = errors.Join(soc.SetLinger(0), soc.SetSndhwm(opts.HighWater), soc.SetIpv6(strings.Contains(endpoint, "[")))
	if !opts.Anonymous {
		err = errors.Join(err, soc.SetIdentity(string(id)))
	}
	if opts.ServerKey != "" {
		err = errors.Join(err, soc.ClientAuthCurve(opts.ServerKey, opts.PublicKey, opts.SecretKey))
	}
	if opts.noReconnect {
		err = errors.Join(err, soc.SetReconnectIvl(-1))
	}
	if err == nil {
		err = soc.Connect(endpoint)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("foreignnet: connect to %s: %w", endpoint, err), soc.Close())
	}
	return soc, nil
}

// Send sends frames as they are. ErrFull says that nothing was sent.
func (c *Conn) Send(frames ...[]byte) error {
	return c.do(func() error { return sendFrames(c.soc, frames) })
}

// Say sends a message with the next sequence number, whatever its own says.
func (c *Conn) Say(m foreign.Message) error {
	return c.do(func() error {
		m.Sequence = c.sequence + 1
		return c.send(m)
	})
}

// SayAt sends a message with a sequence number of the test's choice. Say counts on
// from there.
func (c *Conn) SayAt(sequence uint16, m foreign.Message) error {
	return c.do(func() error {
		m.Sequence = sequence
		return c.send(m)
	})
}

func (c *Conn) send(m foreign.Message) error {
	frames, err := m.Frames()
	if err != nil {
		return err
	}
	if err := sendFrames(c.soc, frames); err != nil {
		return err
	}
	c.sequence = m.Sequence
	return nil
}

// SayHello says HELLO for the peer, as the first message.
func (c *Conn) SayHello(groups ...string) error { return c.SayAt(1, c.p.Hello(groups...)) }

// Next counts a sequence number on without sending anything, and returns it: for a
// message that the test makes itself, or that is to be missed.
func (c *Conn) Next() (sequence uint16, err error) {
	err = c.do(func() error {
		c.sequence++
		sequence = c.sequence
		return nil
	})
	return sequence, err
}

// Close drops the connection, and what was not sent yet.
func (c *Conn) Close() error {
	return c.do(func() error {
		delete(c.p.conns, c)
		return c.soc.Close()
	})
}

// do runs f in the goroutine of the peer, unless the connection is closed.
func (c *Conn) do(f func() error) error {
	return c.p.do(func() error {
		if !c.p.conns[c] {
			return ErrClosed
		}
		return f()
	})
}

// Hello is a HELLO of the peer, with groups, and the headers of its options.
func (p *Peer) Hello(groups ...string) foreign.Message {
	return foreign.Message{
		ID: foreign.HelloID, Sequence: 1, Endpoint: p.endpoint, Name: p.opts.Name, Groups: groups,
		Status: uint8(len(groups)), Headers: p.opts.Headers,
	}
}

// sendFrames sends a message or nothing.
func sendFrames(soc *zmq.Socket, frames [][]byte) error {
	for i, f := range frames {
		flags := zmq.DONTWAIT
		if i < len(frames)-1 {
			flags |= zmq.SNDMORE
		}
		if _, err := soc.SendBytes(f, flags); err != nil {
			if zmq.AsErrno(err) == zmq.Errno(syscall.EAGAIN) {
				return ErrFull
			}
			return fmt.Errorf("foreignnet: send: %w", err)
		}
	}
	return nil
}

// ignoreAgain drops the error that says that there is no message.
func ignoreAgain(err error) error {
	if zmq.AsErrno(err) == zmq.Errno(syscall.EAGAIN) {
		return nil
	}
	return fmt.Errorf("foreignnet: receive: %w", err)
}
