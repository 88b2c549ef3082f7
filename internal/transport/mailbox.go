package transport

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	zmq "github.com/pebbe/zmq4"

	"github.com/go-zyre/zyre/internal/tcpinfo"
	"github.com/go-zyre/zyre/internal/zmqmsg"
)

const (
	// A dead address is tried again after 100 ms, then ever more slowly.
	reconnectInterval    = 100 * time.Millisecond
	reconnectIntervalMax = 2 * time.Second
	connectTimeout       = 5 * time.Second

	// No peer has reason to send on the connections we make: nothing of ZRE comes
	// back on a mailbox. These bound what a hostile one can leave there.
	mailboxRecvLimit   = 1
	mailboxMaxMsgBytes = 64 << 10
)

// Dial makes a mailbox: a DEALER that connects in the background, and again
// whenever the connection breaks.
func (t *ZMQ) Dial(endpoint string, opts DialOptions) (Mailbox, error) {
	if err := CheckEndpoint(endpoint); err != nil {
		return nil, fmt.Errorf("zyre: dial: %w", err)
	}
	secure := opts.ServerKey != ""
	if secure && strings.HasPrefix(endpoint, "inproc:") { // libzmq would send in plain text
		return nil, fmt.Errorf("zyre: dial: %w: CURVE needs tcp or ipc, not %s", ErrBadEndpoint, endpoint)
	}
	t.context.socketMu.Lock()
	defer t.context.socketMu.Unlock()
	soc, err := t.socket(zmq.DEALER, func(s *zmq.Socket) error {
		err := errors.Join(
			s.SetIpv6(strings.HasPrefix(endpoint, "tcp://[")),
			s.SetSndhwm(HighWaterMark),
			s.SetRcvhwm(mailboxRecvLimit),
			s.SetMaxmsgsize(mailboxMaxMsgBytes),
			s.SetReconnectIvl(reconnectInterval),
			s.SetReconnectIvlMax(reconnectIntervalMax),
			s.SetConnectTimeout(connectTimeout),
			s.SetImmediate(false), // queue from the start, before the connection stands
			setKeepalive(s, mailboxKeepalive()),
		)
		return errors.Join(err, setClientKeys(s, opts))
	})
	if err != nil {
		return nil, fmt.Errorf("zyre: dial %s: %w", endpoint, err)
	}
	m := &zmqMailbox{transport: t, soc: soc, endpoint: endpoint, identity: string(opts.Identity), dialedAt: time.Now()}
	if err = m.connect(!secure); err == nil {
		m.messages, err = t.messages(soc, false)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("zyre: dial %s: %w", endpoint, err), soc.Close())
	}
	t.open.Add(1)
	t.context.connections.addDialed(endpoint, 1)
	return m, nil
}

func setClientKeys(s *zmq.Socket, opts DialOptions) error {
	if opts.ServerKey == "" && opts.PublicKey == "" && opts.SecretKey == "" {
		return nil
	}
	if _, ok := RawFromZ85(opts.ServerKey); !ok {
		return fmt.Errorf("%w: server key", ErrBadKey)
	}
	if err := CheckKeyPair(opts.PublicKey, opts.SecretKey); err != nil {
		return err
	}
	return errors.Join(s.SetCurveServerkey(opts.ServerKey), s.SetCurvePublickey(opts.PublicKey),
		s.SetCurveSecretkey(opts.SecretKey))
}

// zmqMailbox is a DEALER.
type zmqMailbox struct {
	transport *ZMQ
	soc       *zmq.Socket
	messages  *zmqmsg.Socket // of soc
	endpoint  string
	identity  string       // its routing id, but by inproc
	offer     *inprocOffer // the one it is connected by; nil if by endpoint
	dialedAt  time.Time
	closed    bool
}

func (m *zmqMailbox) Send(header []byte, frames [][]byte) error {
	return m.send(func() error { return m.messages.Send(header, frames) })
}

func (m *zmqMailbox) SendShared(header []byte, p *Payload) error {
	return m.send(func() error { return m.messages.SendPayload(header, p) })
}

func (m *zmqMailbox) send(queue func() error) error {
	err := queue()
	if err != nil && m.reconnectOverTCP() {
		err = queue()
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, zmqmsg.ErrAgain):
		return ErrAgain
	}
	return fmt.Errorf("zyre: send: %w", err)
}

// Moved finds the mailbox's connection by its endpoint. Others of this process to the same
// endpoint lead to the same peer, so they count as well.
func (m *zmqMailbox) Moved(now time.Time, from Conn) (moved Moved) {
	in, exists := from.Count()
	moved.Received = in.Received
	address, isTCP := strings.CutPrefix(m.endpoint, "tcp://")
	remote, err := netip.ParseAddrPort(address)
	if m.offer != nil || !isTCP || err != nil {
		return moved
	}
	out, connected, at := m.transport.context.connections.to(remote, m.dialedAt, now)
	moved.Sent, moved.Waiting, moved.Broken = out.Acked, out.Waiting, connected == 0
	moved.Replaced = from != Conn{} && !exists && out != tcpinfo.Count{}
	if at.Before(now) {
		moved.At = at
	}
	return moved
}

func (m *zmqMailbox) Close(linger time.Duration) error {
	if m.closed {
		return nil
	}
	m.closed = true
	m.transport.context.socketMu.Lock()
	defer m.transport.context.socketMu.Unlock()
	m.messages.Free()
	// Never negative: that would be for ever.
	err := errors.Join(m.soc.SetLinger(max(linger, 0)), m.soc.Close())
	m.transport.open.Add(-1)
	m.transport.context.connections.addDialed(m.endpoint, -1)
	if err != nil {
		return fmt.Errorf("zyre: close mailbox: %w", err)
	}
	return nil
}
