package local_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/go-zyre/zyre"
	"github.com/go-zyre/zyre/e2e/kit"
	"github.com/go-zyre/zyre/e2e/watch"
	"github.com/go-zyre/zyre/internal/foreign"
	"github.com/go-zyre/zyre/internal/foreign/foreignnet"
)

// publicKeyHeader carries a secure node's public key in its HELLO.
const publicKeyHeader = "X-PUBLICKEY"

// stranger is a peer of foreign make. A test drives it; with a model it answers by itself
// too.
type stranger struct {
	*foreignnet.Peer
	t    testing.TB
	conn *foreignnet.Conn // the connection made last by the test
}

// newStranger starts a peer with a mailbox on loopback, which ends when the test does.
func newStranger(t testing.TB, o foreignnet.Options) *stranger {
	t.Helper()
	p, err := foreignnet.Start(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	s := &stranger{Peer: p, t: t}
	t.Cleanup(s.kill)
	return s
}

// kill ends the peer as kill -9 would: it says nothing.
func (s *stranger) kill() {
	if err := s.Close(); err != nil {
		s.t.Errorf("%s: Close() = %v, want nil", s.Name(), err)
	}
}

// must fails the test for an error.
func (s *stranger) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatalf("%s: %v", s.Name(), err)
	}
}

// dial opens a fresh connection to a mailbox, in place of the one before.
func (s *stranger) dial(endpoint string, o foreignnet.ConnOptions) {
	s.t.Helper()
	if s.conn != nil {
		s.must(s.conn.Close())
	}
	var err error
	s.conn, err = s.Connect(endpoint, o)
	s.must(err)
}

// sayHello opens a fresh connection to a node and says HELLO.
func (s *stranger) sayHello(z *zyre.Zyre, groups ...string) {
	s.t.Helper()
	s.dial(kit.Endpoint(s.t, z), foreignnet.ConnOptions{})
	s.must(s.conn.SayHello(groups...))
}

// say sends a message with the next sequence number. If the connection has been refused,
// there is no way left to send on, which is no fault.
func (s *stranger) say(m foreign.Message) {
	s.t.Helper()
	if err := s.conn.Say(m); !errors.Is(err, foreignnet.ErrFull) {
		s.must(err)
	}
}

// whisper sends a message of one frame.
func (s *stranger) whisper(format string, args ...any) {
	s.t.Helper()
	s.say(foreign.Message{ID: foreign.WhisperID, Content: [][]byte{fmt.Appendf(nil, format, args...)}})
}

// heard counts the messages of a node that came with a command, and a first frame if one
// is given.
func (s *stranger) heard(id uint8, content ...string) int {
	return s.CountMessages(func(r foreignnet.Received) bool {
		return r.Err == nil && r.Message.ID == id &&
			(len(content) == 0 || len(r.Message.Content) > 0 && string(r.Message.Content[0]) == content[0])
	})
}

// waitHeard waits until as many messages with a command have come.
func (s *stranger) waitHeard(id uint8, times int) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), watch.Patience)
	defer cancel()
	_, err := s.WaitMessage(ctx, times, foreignnet.IsMessage(id))
	s.must(err)
}

// waitEvent waits for an event about a node at the peer's application.
func (s *stranger) waitEvent(kind string, z *zyre.Zyre, times int) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), watch.Patience)
	defer cancel()
	_, err := s.WaitEvent(ctx, times, foreignnet.IsEvent(kind, kit.UUIDBytes(s.t, z)))
	s.must(err)
}

// broadcast sends datagrams to all nodes of this host on a UDP port.
func broadcast(t testing.TB, udp int, datagrams ...[]byte) {
	t.Helper()
	if err := foreignnet.Broadcast(udp, datagrams...); err != nil {
		t.Fatal(err)
	}
}

// sendBeacon sends a forged beacon to all nodes of this host on a UDP port; port 0 is
// goodbye.
func sendBeacon(t testing.TB, udp int, uuid [16]byte, port int) {
	t.Helper()
	broadcast(t, udp, foreign.AppendBeacon(nil, uuid, uint16(port)))
}

// secureBeacon is the beacon of a node with a public key.
func secureBeacon(uuid [16]byte, port uint16, key string) []byte {
	b := foreign.AppendBeacon(nil, uuid, port)
	b[3] = 3
	raw := kit.RawKey(key)
	return append(b, raw[:]...)
}
