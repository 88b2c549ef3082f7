// Package mem is a network in memory, which keeps the promises of package transport
// without sockets, for tests.
package mem

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-zyre/zyre/internal/transport"
)

// Network is a network in memory. It needs no descriptor and no goroutine, and blocks only
// on channels and timers, so it works in a synctest bubble. Nodes that share a Network can
// reach each other. There is no CURVE: the public key that a mailbox is dialled with comes
// with its messages, and nobody is refused.
type Network struct {
	mu        sync.Mutex
	bound     map[string]*inbox // by endpoint
	mailboxes []*mailbox        // in order of dialling; closed ones stay until drained
	nextPort  int
}

// New returns a network without nodes.
func New() *Network {
	return &Network{bound: make(map[string]*inbox), nextPort: 49152}
}

// Close does nothing: a network outlives its nodes.
func (t *Network) Close() error { return nil }

// Listen makes an inbox, bound to nothing yet.
func (t *Network) Listen(transport.ListenOptions) (transport.Inbox, error) {
	return &inbox{net: t, signal: make(chan struct{}, 1)}, nil
}

// Dial makes a mailbox. It takes over from an older one with the same identity.
func (t *Network) Dial(endpoint string, opts transport.DialOptions) (transport.Mailbox, error) {
	if err := transport.CheckEndpoint(endpoint); err != nil {
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, m := range t.mailboxes {
		if m.endpoint == endpoint && bytes.Equal(m.identity, opts.Identity) {
			m.queue, m.replaced = nil, true // handed over
		}
	}
	m := &mailbox{net: t, endpoint: endpoint, identity: bytes.Clone(opts.Identity), userID: opts.PublicKey}
	t.mailboxes = append(t.mailboxes, m)
	return m, nil
}

// Partition makes messages to endpoint vanish, or lets them through again.
func (t *Network) Partition(endpoint string, cut bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if in := t.bound[endpoint]; in != nil {
		in.cut = cut
	}
}

// Waits returns how often the owner of the inbox at an endpoint has gone to sleep.
func (t *Network) Waits(endpoint string) int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	if in := t.bound[endpoint]; in != nil {
		return in.waits.Load()
	}
	return 0
}

type inbox struct {
	net    *Network
	signal chan struct{}

	// guarded by net.mu
	turn   int  // mailbox that is read next, so that each gets its turn
	cut    bool // messages to it vanish
	closed bool

	waits atomic.Int64 // how often its owner has gone to sleep
}

func (in *inbox) Recv(p *transport.Packet) error {
	in.net.mu.Lock()
	defer in.net.mu.Unlock()
	if in.closed {
		return transport.ErrClosed
	}
	clear(p.Frames)
	p.Frames, p.Header, p.UserID = p.Frames[:0], nil, ""
	boxes := in.net.mailboxes
	for i := range boxes {
		n := (in.turn + i) % len(boxes)
		m := boxes[n]
		if len(m.queue) == 0 || in.net.bound[m.endpoint] != in {
			continue
		}
		message := m.queue[0]
		m.queue = m.queue[1:]
		in.turn = n + 1
		if m.closed && len(m.queue) == 0 {
			in.net.mailboxes = append(boxes[:n:n], boxes[n+1:]...)
		}
		p.From, p.Header, p.UserID = bytes.Clone(m.identity), message[0], m.userID
		if transport.HasContent(p.Header) {
			p.Frames = append(p.Frames, message[1:]...)
		}
		return nil
	}
	return transport.ErrAgain
}

func (in *inbox) Bind(endpoint string) (string, error) {
	in.net.mu.Lock()
	defer in.net.mu.Unlock()
	if host, ok := strings.CutSuffix(endpoint, ":*"); ok {
		endpoint = fmt.Sprintf("%s:%d", host, in.net.nextPort)
		in.net.nextPort++
	}
	if in.net.bound[endpoint] != nil {
		return "", fmt.Errorf("bind %s: in use", endpoint)
	}
	in.net.bound[endpoint] = in
	in.notify()
	return endpoint, nil
}

func (in *inbox) Unbind(endpoint string) error {
	in.net.mu.Lock()
	defer in.net.mu.Unlock()
	if in.net.bound[endpoint] != in {
		return fmt.Errorf("unbind %s: not bound", endpoint)
	}
	delete(in.net.bound, endpoint)
	return nil
}

func (in *inbox) StopOffering() {}

func (in *inbox) notify() {
	select {
	case in.signal <- struct{}{}:
	default:
	}
}

func (in *inbox) Wait(until time.Time) {
	in.waits.Add(1)
	var expired <-chan time.Time
	if !until.IsZero() {
		timer := time.NewTimer(time.Until(until))
		defer timer.Stop()
		expired = timer.C
	}
	select {
	case <-in.signal:
	case <-expired:
	}
}

func (in *inbox) Wake() { in.notify() }

func (in *inbox) Close() error {
	in.net.mu.Lock()
	defer in.net.mu.Unlock()
	in.closed = true
	for endpoint, owner := range in.net.bound {
		if owner == in {
			delete(in.net.bound, endpoint)
		}
	}
	return nil
}

type mailbox struct {
	net      *Network
	endpoint string
	identity []byte
	userID   string

	// guarded by net.mu
	queue    [][][]byte
	replaced bool // another mailbox has taken over the identity: messages vanish
	closed   bool
}

func (m *mailbox) Send(header []byte, frames [][]byte) error {
	m.net.mu.Lock()
	defer m.net.mu.Unlock()
	if m.closed {
		return transport.ErrClosed
	}
	in := m.net.bound[m.endpoint]
	if m.replaced || in != nil && in.cut {
		return nil
	}
	if len(m.queue) >= transport.HighWaterMark {
		return transport.ErrAgain
	}
	message := [][]byte{bytes.Clone(header)}
	for _, frame := range frames {
		message = append(message, bytes.Clone(frame))
	}
	m.queue = append(m.queue, message)
	if in != nil {
		in.notify()
	}
	return nil
}

func (m *mailbox) SendShared(header []byte, p *transport.Payload) error {
	return m.Send(header, [][]byte{p.Bytes()})
}

// Moved cannot tell: a message is there as soon as it is sent.
func (m *mailbox) Moved(transport.Conn) transport.Moved { return transport.Moved{} }

func (m *mailbox) Close(linger time.Duration) error {
	m.net.mu.Lock()
	defer m.net.mu.Unlock()
	if m.closed {
		return nil
	}
	m.closed = true
	if linger <= 0 {
		m.queue = nil
	}
	if len(m.queue) == 0 {
		for i, other := range m.net.mailboxes {
			if other == m {
				m.net.mailboxes = append(m.net.mailboxes[:i:i], m.net.mailboxes[i+1:]...)
				break
			}
		}
	}
	return nil
}
