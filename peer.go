package zyre

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"
)

// peerState says how far a peer has come.
type peerState uint8

const (
	peerWaiting   peerState = iota // said HELLO, but where to reach it is in doubt; not connected
	peerConnected                  // we said HELLO; its own has not come: invisible
	peerReady                      // both said HELLO: it has entered
)

func (s peerState) String() string {
	return [...]string{"waiting", "connected", "ready"}[s]
}

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

	mu     sync.Mutex  // guards a Peer from NewPeer; a node owns its peers alone
	forget func() bool // ends the watch on NewPeer's context
	dialer transport   // what a Peer from NewPeer dials with

	uuid     [16]byte
	endpoint string // where mailbox is connected to
	key      string // its CURVE public key, Z85; empty on a plain network
	mailbox  mailbox
	sent     uint16    // sequence number used last
	wrapped  time.Time // when that last wrapped
	early    bool      // the peer did not follow a wrap after 65535: wrap after 65534
	status   byte      // its count of joins and leaves
	groups   map[string]*Group

	// Sequence numbers received. pyre and zyre.js count modulo 65535, everyone
	// else modulo 65536; which one shows when a peer first wraps.
	want        uint16
	modulo65535 bool
	modulo65536 bool

	state     peerState
	born      time.Time     // when we first heard of it
	heard     time.Time     // its last message
	pinged    time.Time     // our ping, if nothing has come since; else zero
	pings     int           // our pings that no PING-OK has answered yet
	saidHello time.Time     // our last HELLO
	greeted   bool          // its HELLO came after ours
	claims    string        // endpoint in its last HELLO
	quiet     bool          // nothing but HELLO came since it entered
	answers   bool          // has answered a ping since our last HELLO, so that one has arrived
	regreeted uint8         // times we said HELLO again since it last answered a ping
	delay     time.Duration // how long it took to answer that
	anewAt    time.Time     // when it last began anew
	enteredAt time.Time     // when the application learnt of it
	evasive   bool          // reported EVASIVE in this silence
	silent    bool          // reported SILENT in this silence
	sentAt    time.Time     // our last message other than PING and PING-OK
	spoke     time.Time     // our last message of any kind

	probe    probe     // a doubt about the peer, under test
	claimant *Peer     // a newcomer that claims the same endpoint, if the probe fails
	hello    helloMemo // what a waiting peer said

	whispers    *call          // to it, while the node sends a batch of them
	lastWhisper *call          // of those
	backlog     fifo[outgoing] // messages for which mailbox has no room
	cloggedFrom time.Time      // when backlog began to fill; zero if it is empty
	owedPing    bool           // a PING is in backlog
	owedPingOK  bool           // a PING-OK is in backlog

	received, messages uint64 // for Stats: messages from and to it
}

// outgoing is a message that waits for room.
type outgoing struct {
	header  []byte
	frames  [][]byte
	receipt *receipt
}

// helloMemo is a HELLO that can't be acted on yet.
type helloMemo struct {
	endpoint string // as it came
	name     string
	headers  map[string]string
	groups   []string
	status   byte
}

// NewPeer makes a peer with the given UUID, in hexadecimal, that is not connected.
// Cancelling ctx destroys it. It is zyre_peer_new of libzyre.
func NewPeer(ctx context.Context, identity string) *Peer {
	p := &Peer{Identity: identity, Headers: map[string]string{}, groups: map[string]*Group{}, want: 1}
	if id, ok := canonicalUUID(identity); ok {
		p.uuid, p.Identity = id, uuidString(id)
	}
	if ctx != nil {
		p.mu.Lock() // a context that is cancelled already destroys the peer at once
		defer p.mu.Unlock()
		p.forget = context.AfterFunc(ctx, p.Destroy)
	}
	return p
}

// newPeer makes a peer for a node.
func newPeer(uuid [16]byte, endpoint string, now time.Time) *Peer {
	return &Peer{
		Identity: uuidString(uuid), uuid: uuid, endpoint: endpoint,
		Headers: map[string]string{}, groups: map[string]*Group{},
		born: now, heard: now,
	}
}

// Connect connects to the peer's mailbox. From is the UUID of this side, 16
// bytes, or with its leading 1 the 17 bytes that go on the wire. The endpoint is
// tcp://address:port with a numeric address, ipc://path or inproc://name. A peer
// that is connected already is disconnected first; sequence numbers start anew.
// It returns an error for an unusable argument or when libzmq refuses. It is
// zyre_peer_connect of libzyre.
func (p *Peer) Connect(from []byte, endpoint string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(from) == identitySize-1 {
		from = append([]byte{1}, from...)
	}
	if _, ok := parseIdentity(from); !ok {
		return opError("connect to peer", endpoint, ErrInvalid)
	}
	p.disconnect()
	tr, err := newZMQTransport()
	if err != nil {
		return opError("connect to peer", endpoint, err)
	}
	if p.mailbox, err = tr.dial(endpoint, dialOptions{identity: from}); err != nil {
		return opError("connect to peer", endpoint, errors.Join(err, tr.close()))
	}
	p.dialer, p.endpoint, p.sent = tr, endpoint, 0
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
		_ = p.mailbox.close(0)
		p.mailbox = nil
	}
	if p.dialer != nil {
		_ = p.dialer.close()
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
	err = p.post(header, m.content())
	if errors.Is(err, errAgain) {
		err = ErrPushedBack
	}
	return opError("send to peer", p.Identity, err)
}

// post hands an encoded message to the mailbox under the next sequence number,
// which it writes into header. The number is spent only on success.
func (p *Peer) post(header []byte, frames [][]byte) error {
	seq := p.sent + 1
	if seq == 65535 && (p.modulo65535 || p.early && !p.modulo65536) {
		seq = 0
	}
	putSequence(header, seq)
	if err := p.mailbox.send(header, frames); err != nil {
		return err
	}
	if seq < p.sent || seq == 65535 {
		p.wrapped = p.sentAt
	}
	p.sent = seq
	p.messages++
	return nil
}

// Refresh notes that the peer has been heard from. It is zyre_peer_refresh of
// libzyre.
func (p *Peer) Refresh() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.heard = time.Now()
}

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
		p.want = 1
	}
	return !p.inSequence(msg.sequence)
}

// inSequence says whether seq is the number expected next, and if so counts it.
func (p *Peer) inSequence(seq uint16) bool {
	if p.want == 65535 && seq == 0 && !p.modulo65536 {
		p.modulo65535 = true
		p.want = 0
	}
	if seq != p.want {
		return false
	}
	if seq == 65535 {
		p.modulo65536 = true
	}
	p.want++
	if p.modulo65535 && p.want == 65535 {
		p.want = 0
	}
	return true
}

// strayed takes note that the peer began anew. If our count wrapped not long before,
// the peer did not follow, it seems, and the next wrap is the other one: a mistake
// costs one EXIT there. The peer's own count, once it has wrapped, outweighs this.
func (p *Peer) strayed(now time.Time, window time.Duration) {
	if !p.wrapped.IsZero() && now.Sub(p.wrapped) < window {
		p.early = !p.early
	}
	p.wrapped = time.Time{}
}

// entered says whether the application knows the peer: between ENTER and EXIT.
func (p *Peer) entered() bool { return p.state == peerReady }

// clogged says whether the peer takes no more messages for now.
func (p *Peer) clogged() bool { return p.backlog.len() > 0 }

// patience is how long to wait for an answer before saying HELLO again: longer on
// a slow network, and each time twice as long, for it may still be under way.
func (p *Peer) patience(least time.Duration) time.Duration {
	return max(least, 2*p.delay) << min(p.regreeted, 5)
}

// adopt takes over what the peer says of itself in HELLO.
func (p *Peer) adopt(h helloMemo) {
	p.claims, p.Name, p.Headers, p.status = h.endpoint, h.name, h.headers, h.status
	p.hello = helloMemo{}
}

// groupNames lists the peer's groups in order.
func (p *Peer) groupNames() []string {
	return slices.Sorted(maps.Keys(p.groups))
}
