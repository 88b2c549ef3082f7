package mem

import (
	"bytes"
	"errors"
	"slices"
	"syscall"
	"time"

	zmq "github.com/pebbe/zmq4"

	"github.com/go-zyre/zyre/internal/transport"
	"github.com/go-zyre/zyre/internal/zgossip"
)

// gossipSockets makes the sockets of gossip. A connection of a client with a hub is two
// mailboxes: the client's to the hub's inbox, and one back that is connected to the client's
// own inbox for as long as the first is.
type gossipSockets struct {
	host   *Host
	policy *transport.Policy // of the hub
}

// GossipSockets makes the sockets of the node's part in gossip. The policy says who may be
// a client of its hub under CURVE.
func (h *Host) GossipSockets(policy *transport.Policy) zgossip.Sockets {
	return gossipSockets{h, policy}
}

// again is libzmq's error of a socket that has nothing, or no room.
var again = zmq.Errno(syscall.EAGAIN)

// polled tells the owner of an inbox by a channel when there is something.
type polled struct {
	inbox *inbox
	wake  chan<- struct{}
}

// listen makes an inbox that fills a slot of wake whenever something arrives.
func (g gossipSockets) listen(opts transport.ListenOptions, wake chan<- struct{}) polled {
	t := g.host.net
	in := g.host.newInbox(opts)
	p := polled{in, wake}
	t.mu.Lock()
	defer t.mu.Unlock()
	in.onArrival = p.plan
	return p
}

// plan fills the slot when the next message arrives; the caller holds net.mu.
func (p polled) plan() {
	now := time.Now()
	switch m, at := p.inbox.next(now); {
	case m == nil:
	case at.After(now):
		time.AfterFunc(at.Sub(now), p.signal)
	default: // no timer for a time that is over: see after
		p.signal()
	}
}

func (p polled) signal() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

func (p polled) MayHaveInput() bool {
	p.inbox.host.net.mu.Lock()
	defer p.inbox.host.net.mu.Unlock()
	now := time.Now()
	p.inbox.admitRefused(now)
	m, at := p.inbox.next(now)
	return m != nil && !at.After(now)
}

// MayHaveRoom is true: what did not go out is tried again.
func (p polled) MayHaveRoom() bool { return true }

func (p polled) SetDrained() {
	p.inbox.host.net.mu.Lock()
	defer p.inbox.host.net.mu.Unlock()
	p.plan()
}

// receive reads one message, and says whom it is from.
func (p polled) receive() (frames [][]byte, from *mailbox, err error) {
	p.inbox.host.pass()
	p.inbox.host.net.mu.Lock()
	defer p.inbox.host.net.mu.Unlock()
	message, m := p.inbox.pop(time.Now())
	if m == nil {
		return nil, nil, again
	}
	return message.frames, m, nil
}

// gossipRouter is the socket of a hub.
type gossipRouter struct{ polled }

func (g gossipSockets) Router(opts *zgossip.Options, wake chan<- struct{}) (zgossip.Router, error) {
	keys := transport.ListenOptions{PublicKey: opts.PublicKey, SecretKey: opts.SecretKey, ZapDomain: opts.ZapDomain, Policy: g.policy}
	return gossipRouter{g.listen(keys, wake)}, nil
}

func (r gossipRouter) Bind(endpoint string) (string, error) { return r.inbox.Bind(endpoint) }

func (r gossipRouter) ReceiveFrom(parts [][]byte) (n int, from zgossip.Origin, err error) {
	frames, m, err := r.receive()
	if err != nil {
		return 0, zgossip.Origin{}, err
	}
	copy(parts, append([][]byte{m.opts.Identity}, frames...))
	return 1 + len(frames), zgossip.Origin{Key: m.userID(), Address: m.address()}, nil
}

func (r gossipRouter) SendTo(id, frame []byte) error {
	r.inbox.host.net.mu.Lock()
	i := slices.IndexFunc(r.inbox.boxes, func(m *mailbox) bool { return m.back != nil && bytes.Equal(m.opts.Identity, id) })
	var back *mailbox
	if i >= 0 {
		back = r.inbox.boxes[i].back
	}
	gone := back == nil || back.in == nil
	r.inbox.host.net.mu.Unlock()
	if gone {
		return zmq.EHOSTUNREACH
	}
	return asErrno(back.Send(frame, nil))
}

func (r gossipRouter) Close(time.Duration) error { return r.inbox.Close() }

func (gossipRouter) Guard() *transport.Guard { return nil }

// gossipDealer is the socket of a client.
type gossipDealer struct {
	polled
	box     *mailbox
	told    int  // the connection that Event has told of, by box.connections
	lost    bool // Event has told that it was lost
	refused bool // Event has told that the key was refused
	retried bool // Event has told that nobody answers
}

func (g gossipSockets) Dealer(opts zgossip.DealerOptions, wake chan<- struct{}) (zgossip.Dealer, error) {
	d := &gossipDealer{polled: g.listen(transport.ListenOptions{}, wake), lost: true}
	own := transport.DialOptions{Identity: opts.Identity}
	if opts.ServerKey != "" {
		own.ServerKey, own.PublicKey, own.SecretKey = opts.ServerKey, opts.PublicKey, opts.SecretKey
	}
	if err := transport.CheckEndpoint(opts.Endpoint); err != nil {
		return nil, err
	}
	d.box = &mailbox{host: g.host, endpoint: opts.Endpoint, opts: own, client: d, gossip: true}
	g.host.dial(d.box)
	d.signal()
	return d, nil
}

func (d *gossipDealer) Receive(parts [][]byte) (n int, err error) {
	frames, _, err := d.receive()
	copy(parts, frames)
	return len(frames), err
}

// In memory nothing comes but whole messages.
func (d *gossipDealer) Look() {}

func (d *gossipDealer) Judge() (ended bool) { return false }

func (d *gossipDealer) Send(frame []byte) error { return asErrno(d.box.Send(frame, nil)) }

func (d *gossipDealer) TellsEvents() bool { return true }

func (d *gossipDealer) MayHaveEvent() bool {
	_, ok := d.nextEvent()
	return ok
}

func (d *gossipDealer) Event() (zmq.Event, error) {
	event, ok := d.nextEvent()
	switch {
	case !ok:
		return 0, again
	case event == zmq.EVENT_DISCONNECTED:
		d.lost, d.refused, d.retried = true, false, false
	case event == zmq.EVENT_HANDSHAKE_FAILED_AUTH:
		d.refused = true
	case event == zmq.EVENT_CONNECT_RETRIED:
		d.retried = true
	default:
		d.told, d.lost = d.connections(), false
	}
	return event, nil
}

// nextEvent returns what Event tells next.
func (d *gossipDealer) nextEvent() (zmq.Event, bool) {
	d.inbox.host.net.mu.Lock()
	defer d.inbox.host.net.mu.Unlock()
	m := d.box
	switch {
	case !d.lost && (m.in == nil || m.connections != d.told):
		return zmq.EVENT_DISCONNECTED, true
	case d.lost && m.in != nil:
		return zgossip.ConnectedEvent(), true
	case m.in == nil && !m.refusedAt.IsZero() && !d.refused:
		return zmq.EVENT_HANDSHAKE_FAILED_AUTH, true
	case m.in == nil && m.refusedAt.IsZero() && !d.retried:
		return zmq.EVENT_CONNECT_RETRIED, true
	}
	return 0, false
}

func (d *gossipDealer) connections() int {
	d.inbox.host.net.mu.Lock()
	defer d.inbox.host.net.mu.Unlock()
	return d.box.connections
}

func (d *gossipDealer) Close(linger time.Duration) error {
	_ = d.box.Close(linger)
	return d.inbox.Close()
}

// asErrno gives an error of a mailbox as libzmq's.
func asErrno(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, transport.ErrAgain):
		return again
	}
	return zmq.ENOTSUP
}
