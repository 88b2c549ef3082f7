package zyre

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/go-zyre/zyre/internal/transport"
)

// Peer is another node as this one knows it: who it is, and the connection on
// which messages go to it. It is the zyre_peer class of libzyre.
//
// A [Zyre] keeps its own peers and hands out none of them; a Peer from [NewPeer]
// is for programs that speak ZRE by themselves. Its methods may be called by any
// number of goroutines at once; the exported fields are then the caller's to
// guard.
type Peer struct {
	Identity string            // UUID, 32 upper-case hexadecimal digits
	Name     string            // from its HELLO
	Headers  map[string]string // from its HELLO

	// guarded by mu
	mu      sync.Mutex
	forget  func() bool // ends the watch on NewPeer's context
	dialer  transport.Transport
	mailbox transport.Mailbox // nil if not connected
	in      sequenceIn
	out     sequenceOut
}

// NewPeer makes a peer with the given UUID, in hexadecimal, that is not connected.
// Cancelling ctx destroys it. It is zyre_peer_new of libzyre.
func NewPeer(ctx context.Context, identity string) *Peer {
	p := &Peer{Identity: identity, Headers: map[string]string{}}
	p.in.expectHello()
	if id, ok := canonicalUUID(identity); ok {
		p.Identity = uuidString(id)
	}
	if ctx != nil {
		p.mu.Lock() // a context that is cancelled already calls Destroy at once
		defer p.mu.Unlock()
		p.forget = context.AfterFunc(ctx, p.Destroy)
	}
	return p
}

// Connect connects to the peer's mailbox. From is the UUID of this side, 16
// bytes, or the whole routing id as it goes on the wire: of a node that is 1 and the
// UUID, and any other of 1 to 255 bytes works too (those that begin with 0 are libzmq's
// own, so that two may be the same). The endpoint is
// tcp://address:port with a numeric address, ipc://path or inproc://name. A peer
// that is connected already is disconnected first; sequence numbers start again.
// It returns an error for an unusable argument or when libzmq refuses. It is
// zyre_peer_connect of libzyre.
func (p *Peer) Connect(from []byte, endpoint string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(from) == identitySize-1 {
		from = append([]byte{1}, from...)
	}
	if len(from) == 0 || len(from) > maxString {
		return opError("connect to peer", endpoint, wrong("the routing id must be of 1 to 255 bytes"))
	}
	p.disconnect()
	tr, err := transport.NewZMQ()
	if err != nil {
		return opError("connect to peer", endpoint, err)
	}
	box, err := tr.Dial(endpoint, transport.DialOptions{Identity: from})
	if err != nil {
		return opError("connect to peer", endpoint, errors.Join(err, tr.Close()))
	}
	p.dialer, p.mailbox = tr, box
	p.out.restart()
	return nil
}

// Disconnect closes the connection; messages not sent yet are lost. It does
// nothing if there is none. It is zyre_peer_disconnect of libzyre.
func (p *Peer) Disconnect() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.disconnect()
}

func (p *Peer) disconnect() {
	if p.mailbox != nil {
		_ = p.mailbox.Close(0)
		p.mailbox = nil
	}
	if p.dialer != nil {
		_ = p.dialer.Close()
		p.dialer = nil
	}
}

// Destroy disconnects the peer and ends its watch on the context. The peer can
// not be used afterwards, except that every method is still harmless. It is
// zyre_peer_destroy of libzyre.
func (p *Peer) Destroy() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.forget != nil {
		p.forget()
	}
	p.disconnect()
}

// Send sends a message with the next sequence number; the message is not
// changed. It never waits: at the high-water mark it returns an error that wraps
// ErrPushedBack and the sequence number is not spent. Not connected, it returns
// one that wraps ErrNotRunning. It is zyre_peer_send of libzyre.
func (p *Peer) Send(msg *ZreMsg) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case msg == nil:
		return opError("send to peer", p.Identity, ErrInvalid)
	case p.mailbox == nil:
		return opError("send to peer", p.Identity, ErrNotRunning)
	}
	m := *msg
	header, err := m.append(nil)
	if err != nil {
		return opError("send to peer", p.Identity, err)
	}
	seq := p.out.next(p.in.wrap)
	putSequence(header, seq)
	switch err = p.mailbox.Send(header, m.content()); {
	case err == nil:
		p.out.used(seq, time.Now())
	case errors.Is(err, transport.ErrAgain):
		err = ErrPushedBack
	}
	return opError("send to peer", p.Identity, err)
}

// Refresh does nothing: a Peer does not judge for how long its peer has been silent. In
// libzyre, zyre_peer_refresh puts off the times at which a peer is evasive and expired.
func (p *Peer) Refresh() {}

// Header returns the value of one of the peer's headers, and whether there is
// one. It is zyre_peer_header of libzyre.
func (p *Peer) Header(key string) (string, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	value, ok := p.Headers[key]
	return value, ok
}

// MessagesLost takes note of a message that came from the peer and returns true
// if its sequence number shows that others were lost before it. HELLO starts
// the count at 1; after 65535 it goes on at 0. Messages are expected to be given
// in the order of their arrival; after a loss the count stays where it was. It
// is zyre_peer_messages_lost of libzyre.
func (p *Peer) MessagesLost(msg *ZreMsg) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if msg == nil {
		return false
	}
	if msg.id == HelloID {
		p.in.expectHello()
	}
	return !p.in.accept(msg.sequence)
}
