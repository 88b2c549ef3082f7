package mem

import (
	"bytes"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/go-zyre/zyre/internal/fifo"
	"github.com/go-zyre/zyre/internal/tcpinfo"
	"github.com/go-zyre/zyre/internal/transport"
)

// mailbox sends to whoever is bound to its endpoint. As TCP does, it loses nothing as long
// as the connection lives: what is sent while the network is cut arrives later.
type mailbox struct {
	host     *Host
	endpoint string
	opts     transport.DialOptions
	number   int           // in order of dialling
	client   *gossipDealer // whose it is; nil for that of a node
	gossip   bool          // it is one of gossip

	// guarded by net.mu
	back        *mailbox       // of a client of gossip that is connected: from the hub to it
	connections int            // how often a client of gossip was connected
	in          *inbox         // that it is connected to; nil while it is dialling
	conn        transport.Conn // by which it is connected; zero unless over TCP
	queue       fifo.Queue[message]
	lastDue     time.Time // of what was sent
	held        time.Time // before then nothing arrives
	refusedAt   time.Time // when it was refused; else zero
	replaced    bool      // another mailbox has taken over the identity: messages vanish
	closed      bool
	lingerUntil time.Time
}

// message is a message under way.
type message struct {
	due    time.Time // when it arrives
	frames [][]byte  // the header first
}

// startDialing connects, now or when it becomes possible. One from a hub to a client is
// made by the client. The caller holds net.mu.
func (m *mailbox) startDialing(now time.Time) {
	t := m.host.net
	if m.endpoint == "" {
		return
	}
	t.dialing[m.endpoint] = append(t.dialing[m.endpoint], m)
	m.connect(now)
}

// stopDialing takes m from those that are not connected. The caller holds net.mu.
func (m *mailbox) stopDialing() {
	t := m.host.net
	rest := slices.DeleteFunc(t.dialing[m.endpoint], func(o *mailbox) bool { return o == m })
	if t.dialing[m.endpoint] = rest; len(rest) == 0 {
		delete(t.dialing, m.endpoint)
	}
}

// connect connects to the inbox at the endpoint, if there is one that can be reached. What
// was sent before arrives a latency later. The caller holds net.mu.
func (m *mailbox) connect(now time.Time) {
	t := m.host.net
	in := t.bound[m.endpoint]
	if in == nil || m.in != nil || t.isCut(m.host, in.host) {
		return
	}
	if !in.admits(m) {
		m.refusedAt = now
		if m.client != nil {
			m.client.signal()
		}
		return
	}
	m.stopDialing()
	m.in, m.refusedAt = in, time.Time{}
	m.conn = m.newConn()
	m.holdUntil(now.Add(t.messageDelay(m, in.host)))
	for _, o := range slices.Clone(in.boxes) {
		if bytes.Equal(o.opts.Identity, m.opts.Identity) {
			o.replace(m.held)
		}
	}
	in.boxes = append(in.boxes, m)
	if m.client != nil {
		m.connectBack()
	}
	in.notify()
}

// connectBack connects the hub with its client. The caller holds net.mu.
func (m *mailbox) connectBack() {
	m.connections++
	m.back = &mailbox{host: m.in.host, gossip: true, in: m.client.inbox, held: m.held}
	m.back.in.boxes = append(m.back.in.boxes, m.back)
	m.client.signal()
}

// newConn makes a connection, as the inbox sees it. The caller holds net.mu.
func (m *mailbox) newConn() transport.Conn {
	from, err := netip.ParseAddr(m.address())
	to, at := netip.ParseAddrPort(strings.TrimPrefix(m.endpoint, "tcp://"))
	if err != nil || at != nil {
		return transport.Conn{}
	}
	t := m.host.net
	t.connected++
	return tcpinfo.Imagined(to, netip.AddrPortFrom(from, firstPort+uint16(t.connected%(1<<14))))
}

// disconnected notes that there is no connection any more. The caller holds net.mu.
func (m *mailbox) disconnected() {
	m.in = nil
	if m.back == nil {
		return
	}
	if in := m.back.in; in != nil {
		in.remove(m.back)
	}
	m.back = nil
	m.client.signal()
}

// userID is the key under which the inbox knows the sender. It is empty over inproc, which
// knows no CURVE.
func (m *mailbox) userID() string {
	if isInproc(m.endpoint) {
		return ""
	}
	return m.opts.PublicKey
}

// address is where the sender is, for the inbox. It is empty over inproc.
func (m *mailbox) address() string {
	switch {
	case isInproc(m.endpoint):
		return ""
	case strings.HasPrefix(m.endpoint, "tcp://"+loopback.String()+":"):
		return loopback.String()
	}
	return m.host.addr.String()
}

func isInproc(endpoint string) bool { return strings.HasPrefix(endpoint, "inproc:") }

// replace lets another mailbox take over the identity: what arrives later is lost. The
// caller holds net.mu.
func (m *mailbox) replace(at time.Time) {
	m.replaced = true
	before := m.queue
	m.dropQueue()
	for before.Len() > 0 && !before.Front().due.After(at) {
		m.queue.Push(before.Pop())
	}
	if m.queue.Len() == 0 {
		m.in.remove(m)
	}
}

// holdUntil lets nothing arrive before a time. The caller holds net.mu.
func (m *mailbox) holdUntil(at time.Time) {
	if m.held.Before(at) {
		m.held = at
	}
}

// dropQueue loses what is on its way. The caller holds net.mu.
func (m *mailbox) dropQueue() { m.queue = fifo.Queue[message]{} }

func (m *mailbox) Send(header []byte, frames [][]byte) error {
	m.host.pass()
	t := m.host.net
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case m.closed:
		return transport.ErrClosed
	case m.replaced || m.host.dead:
		return nil
	case m.queue.Len() >= transport.HighWaterMark:
		return transport.ErrAgain
	}
	message := message{due: time.Now(), frames: [][]byte{bytes.Clone(header)}}
	for _, frame := range frames {
		message.frames = append(message.frames, bytes.Clone(frame))
	}
	if m.in != nil {
		message.due = message.due.Add(t.messageDelay(m, m.in.host))
	}
	if message.due.Before(m.lastDue) {
		message.due = m.lastDue
	}
	m.lastDue = message.due
	m.queue.Push(message)
	if m.in != nil && m.queue.Len() == 1 {
		m.in.notify()
	}
	return nil
}

func (m *mailbox) SendShared(header []byte, p *transport.Payload) error {
	return m.Send(header, [][]byte{p.Bytes()})
}

// Moved tells of connections alone: the network has no bandwidth that a message could take up.
func (m *mailbox) Moved(_ time.Time, from transport.Conn) (moved transport.Moved) {
	m.host.net.mu.Lock()
	defer m.host.net.mu.Unlock()
	if strings.HasPrefix(m.endpoint, "tcp:") {
		moved.Broken = m.in == nil
		moved.Replaced = m.in != nil && from != transport.Conn{} && !m.host.hasConn(from)
	}
	return moved
}

// Close lets what is queued arrive for as long as linger. What would arrive later is lost.
func (m *mailbox) Close(linger time.Duration) error {
	m.host.net.mu.Lock()
	defer m.host.net.mu.Unlock()
	if m.closed {
		return nil
	}
	m.closed, m.lingerUntil = true, time.Now().Add(linger)
	if linger <= 0 || m.in == nil || m.lastDue.After(m.lingerUntil) {
		m.dropQueue()
	}
	if m.queue.Len() > 0 {
		return nil
	}
	if m.in != nil {
		m.in.remove(m)
	} else {
		m.stopDialing()
	}
	return nil
}
