package zyre

import (
	"log/slog"
	"net/netip"
	"testing"
	"time"

	"github.com/go-zyre/zyre/internal/netif"
	"github.com/go-zyre/zyre/internal/transport"
)

// fakePort is a port that records what the protocol does.
type fakePort struct {
	sent    []string                               // names of commands
	events  []string                               // types
	reasons []string                               // of each EXIT
	lookups []string                               // endpoints
	busy    bool                                   // it looks up no more
	gates   []string                               // peers and groups blocked, and let go on
	sendErr error                                  // what sending gives
	room    *int                                   // for how many messages there is room; nil: for all
	host    []netif.Interface                      // of this host
	revoked bool                                   // no key is authorized any more
	moves   func() transport.Moved                 // what moves on connections; nil if that cannot be told
	movesOf func(c transport.Conn) transport.Moved // likewise, by the connection from the peer
}

func (f *fakePort) dial(endpoint, _ string) (transport.Mailbox, error) {
	return &fakeMailbox{port: f, endpoint: endpoint}, nil
}

func (f *fakePort) resolve(endpoint string, _ lookup) bool {
	f.lookups = append(f.lookups, endpoint)
	return !f.busy
}

func (f *fakePort) hostInterfaces() []netif.Interface { return f.host }

func (f *fakePort) isAuthorized(string) bool { return !f.revoked }

func (f *fakePort) deliver(e *Event) {
	f.events = append(f.events, e.Type)
	if e.Type == EventExit {
		f.reasons = append(f.reasons, e.Reason)
	}
}

func (f *fakePort) blockPeer(_ [16]byte, blocked bool) { f.block("peer", blocked) }
func (f *fakePort) blockGroup(_ string, blocked bool)  { f.block("group", blocked) }

func (f *fakePort) block(what string, blocked bool) {
	if blocked {
		f.gates = append(f.gates, what+" blocked")
	} else {
		f.gates = append(f.gates, what+" free")
	}
}

// forget drops what was recorded.
func (f *fakePort) forget() {
	*f = fakePort{sendErr: f.sendErr, room: f.room, moves: f.moves, movesOf: f.movesOf}
}

// fakeMailbox is a connection of a fakePort.
type fakeMailbox struct {
	port     *fakePort
	endpoint string
}

func (m *fakeMailbox) Send(header []byte, _ [][]byte) error {
	if m.port.sendErr != nil {
		return m.port.sendErr
	}
	if m.port.room != nil {
		if *m.port.room == 0 {
			return transport.ErrAgain
		}
		*m.port.room--
	}
	var v zreView
	if err := v.parse(header); err != nil {
		return err
	}
	name := commandNames[v.id]
	if m.endpoint != stateEndpoint {
		name += " elsewhere"
	}
	m.port.sent = append(m.port.sent, name)
	return nil
}

func (m *fakeMailbox) SendShared(header []byte, p *transport.Payload) error {
	return m.Send(header, [][]byte{p.Bytes()})
}

func (m *fakeMailbox) Moved(_ time.Time, c transport.Conn) (moved transport.Moved) {
	switch {
	case m.port.movesOf != nil:
		return m.port.movesOf(c)
	case m.port.moves != nil:
		return m.port.moves()
	}
	return moved
}

func (m *fakeMailbox) Close(time.Duration) error { return nil }

var commandNames = map[uint8]string{
	HelloID: "HELLO", WhisperID: "WHISPER", ShoutID: "SHOUT", JoinID: "JOIN", LeaveID: "LEAVE",
	PingID: "PING", PingOkID: "PING-OK", ElectID: "ELECT", LeaderID: "LEADER", GoodbyeID: "GOODBYE",
}

// Where the peer of these tests is, and where it may move to.
const (
	stateEndpoint   = "tcp://10.0.0.9:9"
	stateElsewhere  = "tcp://10.0.0.9:10"
	stateUnresolved = "tcp://somewhere:9"
)

var stateUUID = [16]byte{7}

// zreBench is a zre with one peer.
type zreBench struct {
	t    *testing.T
	z    *zre
	port *fakePort
	now  time.Time
}

func newZREBench(t *testing.T) *zreBench {
	t.Helper()
	b := &zreBench{t: t, port: &fakePort{}, now: time.Unix(1e9, 0)}
	b.z = newZRE(zreConfig{
		uuid: [16]byte{1}, name: "bench", log: slog.New(slog.DiscardHandler),
		timeouts: timeouts{evasive: defaultEvasive, silent: defaultSilent, expired: defaultExpired},
		stalled:  defaultStalled, backlogLimit: minQueueLimit,
	}, b.port)
	b.z.location = location{
		links: []netif.Link{{Name: "eth0", Addr: netip.MustParseAddr("10.0.0.1"), Prefix: netip.MustParsePrefix("10.0.0.0/24")}},
		port:  1000, endpoints: []string{"tcp://10.0.0.1:1000"},
	}
	b.z.advance(b.now)
	return b
}

func (b *zreBench) peer() *peer { return b.z.peers[stateUUID] }

func (b *zreBench) isEntered() bool { p := b.peer(); return p != nil && p.isEntered() }

// hear has the peer send a message, with the number that is expected next.
func (b *zreBench) hear(m *ZreMsg) { b.hearAfterGap(m, 0) }

// hearAfterGap has the peer send a message after some that were lost.
func (b *zreBench) hearAfterGap(m *ZreMsg, lost uint16) {
	packet := b.packet(m, lost)
	b.z.receive(b.now, &packet)
}

// packet is a message of the peer's after some that were lost, as it comes from the inbox.
func (b *zreBench) packet(m *ZreMsg, lost uint16) transport.Packet {
	b.t.Helper()
	seq := uint16(2)
	switch {
	case m.id == HelloID:
		seq = 1
	case b.peer() != nil && b.peer().handshake.isHelloReceived():
		seq = b.peer().in.next
	}
	return packetOf(b.t, stateUUID, seq+lost, m)
}

// hearID has the peer send a command that has no fields of interest.
func (b *zreBench) hearID(id uint8) { b.hear(&ZreMsg{id: id, Group: "G", Status: 1}) }

// hello has the peer say HELLO.
func (b *zreBench) hello(endpoint string) {
	b.hear(&ZreMsg{id: HelloID, Endpoint: endpoint, Name: "peer"})
}

// pass lets time pass in which the peer says nothing, with all ticks.
func (b *zreBench) pass(d time.Duration) {
	for end := b.now.Add(d); ; {
		if b.z.tickAt.After(end) {
			b.now = end
			return
		}
		if b.z.tickAt.After(b.now) {
			b.now = b.z.tickAt
		}
		b.z.advance(b.now)
	}
}

// newSecureBench makes a zre with CURVE, and returns a key of its peer.
func newSecureBench(t *testing.T) (b *zreBench, key string) {
	t.Helper()
	b = newZREBench(t)
	b.z.secure = true
	return b, transport.Z85FromRaw([32]byte{7})
}

// helloWithKey has the peer say HELLO under its key.
func (b *zreBench) helloWithKey(endpoint, key string) {
	b.t.Helper()
	packet := packetOf(b.t, stateUUID, 1, &ZreMsg{id: HelloID, Endpoint: endpoint, Name: "peer", Headers: map[string]string{publicKeyHeader: key}})
	packet.UserID = key
	b.z.receive(b.now, &packet)
}
