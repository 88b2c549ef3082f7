package zyre

import (
	"slices"
	"testing"

	"github.com/go-zyre/zyre/internal/transport"
)

// The HELLO of a peer that has died is read late, and its descriptor belongs to the connection
// of another peer by then. What comes from that one is no sign of life of the first.
func TestProgress_descriptorUsedAgain(t *testing.T) {
	b := newZREBench(t)
	conn := someConn(t)
	hear := func(uuid byte, seq uint16, m *ZreMsg) {
		packet := packetOf(t, [16]byte{uuid}, seq, m)
		packet.Conn = conn
		b.z.receive(b.now, &packet)
	}
	hello := func(endpoint string) *ZreMsg { return &ZreMsg{id: HelloID, Endpoint: endpoint, Name: endpoint} }
	const dead, alive = 11, 12
	hear(alive, 1, hello("tcp://10.0.0.2:2"))
	hear(dead, 1, hello("tcp://10.0.0.3:3"))
	var bytes uint64
	b.port.movesOf = func(c transport.Conn) (m transport.Moved) {
		if bytes++; c == conn {
			m.Received = bytes
		}
		return m
	}
	b.port.forget()
	for seq := uint16(2); seq < 40; seq++ {
		b.pass(defaultEvasive / 2)
		hear(alive, seq, NewZreMsg(PingID))
	}
	if !slices.Equal(b.port.events, []string{EventEvasive, EventSilent, EventExit}) {
		t.Errorf("events = %v, want EVASIVE, SILENT and EXIT of the dead peer", b.port.events)
	}
	if got := slices.Collect(b.z.heard); !slices.Equal(got, []transport.Heard{{Conn: conn, Host: thisHost}}) {
		t.Errorf("heard on %v, want on the connection of the living peer", got)
	}
}
