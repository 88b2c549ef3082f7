package zyre

import (
	"strings"
	"testing"
	"time"

	"github.com/go-zyre/zyre/internal/transport"
)

// Another key under the routing id of a peer ends the connection from the peer. Bytes go on
// arriving there, which nobody reads: HELLO is said again all the same, until the peer answers.
func TestKeys_routingIDTakenOver(t *testing.T) {
	for _, c := range []struct {
		name    string
		answers bool   // our HELLO, before
		sent    string // in 3 s
		events  string // likewise
	}{
		{"entered", true, "PING HELLO PING HELLO PING", "EXIT"},
		{"not confirmed", false, "HELLO PING HELLO PING", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, key := newSecureBench(t)
			forger := transport.Z85FromRaw([32]byte{8})
			hear := func(seq uint16, m *ZreMsg, key string, conn transport.Conn) {
				m.Headers = map[string]string{publicKeyHeader: key}
				packet := packetOf(t, stateUUID, seq, m)
				packet.UserID, packet.Conn = key, conn
				b.z.receive(b.now, &packet)
			}
			hello := &ZreMsg{id: HelloID, Endpoint: stateEndpoint, Name: "peer"}
			before := someConn(t)
			b.z.sightedWithKey(b.now, stateUUID, stateEndpoint, key)
			hear(1, hello, key, before)
			if c.answers {
				hear(2, NewZreMsg(PingOkID), key, before)
			}
			var bytes uint64
			b.port.moves = func() (m transport.Moved) {
				if bytes++; b.peer().conn == before {
					m.Received = bytes
				}
				return m
			}
			b.port.forget()
			hear(1, hello, forger, someConn(t))
			b.pass(3 * time.Second)
			if sent, events := strings.Join(b.port.sent, " "), strings.Join(b.port.events, " "); sent != c.sent || events != c.events {
				t.Errorf("sent %q, events %q; want %q and %q", sent, events, c.sent, c.events)
			}
			b.port.forget()
			after := someConn(t)
			hear(1, hello, key, after)
			hear(2, NewZreMsg(PingOkID), key, after)
			if got := strings.Join(b.port.events, " "); got != EventEnter {
				t.Errorf("it answers: events %q, want ENTER", got)
			}
		})
	}
}
