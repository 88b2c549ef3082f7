package zyre

import (
	"net"
	"slices"
	"testing"
	"time"

	"github.com/go-zyre/zyre/internal/tcpinfo"
	"github.com/go-zyre/zyre/internal/transport"
)

// someConn returns a connection of this process.
func someConn(t *testing.T) transport.Conn { return connFrom(t, "127.0.0.1") }

// connFrom returns the connection of a node at an address of loopback to this process.
func connFrom(t *testing.T, address string) transport.Conn {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}}
	from, err := dialer.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	to, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { from.Close(); to.Close() })
	raw, err := to.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var conn transport.Conn
	if err := raw.Control(func(fd uintptr) { conn = tcpinfo.Of(int(fd)) }); err != nil {
		t.Fatal(err)
	}
	return conn
}

// A connection that ended, while there is one to the endpoint, has the peer pinged. It goes
// if it does not answer, and whoever is there now is asked.
func TestSeed_replaced(t *testing.T) {
	for _, answers := range []bool{false, true} {
		b := newZREBench(t)
		b.addSeed(stateEndpoint)
		b.hello(stateEndpoint)
		b.pass(2 * time.Second)
		b.peer().conn = someConn(t)
		b.port.forget()
		b.port.moves = func() transport.Moved { return transport.Moved{Replaced: true} }
		b.pass(time.Second)
		if answers {
			b.hearID(PingOkID)
		}
		b.pass(4 * time.Second)
		want, events := []string{"PING", "HELLO"}, []string{"EXIT"}
		if answers {
			want, events = []string{"PING"}, nil
		}
		if !slices.Equal(b.port.sent, want) || !slices.Equal(b.port.events, events) {
			t.Errorf("answers %t: sent %q, events %q, want %q, %q", answers, b.port.sent, b.port.events, want, events)
		}
		if !answers && !slices.Equal(b.port.reasons, []string{ReasonReplaced}) {
			t.Errorf("reasons %q, want %q", b.port.reasons, ReasonReplaced)
		}
	}
}

// A host with several addresses may name another one than the seed's: its port, and where
// it connects from, tell that it is the one.
func TestSeed_otherAddress(t *testing.T) {
	const seed = "tcp://127.0.0.9:9"
	for _, c := range []struct {
		name, endpoint, from string
		answers              bool
	}{
		{"the same host and port", "tcp://10.0.0.9:9", "127.0.0.9", true},
		{"another port", "tcp://10.0.0.9:10", "127.0.0.9", false},
		{"a seed elsewhere", "tcp://10.0.0.9:9", "", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newZREBench(t)
			k := b.addSeed(seed)
			packet := packetOf(t, stateUUID, 1, simHello(c.endpoint))
			if c.from != "" {
				packet.Conn = connFrom(t, c.from)
			}
			b.z.receive(b.now, &packet)
			if p := b.peer(); p != nil && p.handshake.state == helloUnconfirmed {
				b.hearID(PingOkID)
			}
			b.pass(2 * time.Second) // for a test whether it is at the seed
			if answers := k.holder == stateUUID && b.peer().endpoint == seed; answers != c.answers || !b.isEntered() {
				t.Errorf("answers %t, entered %t, want %t, true", answers, b.isEntered(), c.answers)
			}
		})
	}
}
