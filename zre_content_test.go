package zyre

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/go-zyre/zyre/internal/transport"
	"github.com/go-zyre/zyre/internal/zmqmsg"
)

const largeSize = 64 << 10

// large returns a message with one large frame.
func large() *message {
	return &message{peer: stateUUID, receipt: newOutcome().receipt, shared: transport.Share(make([]byte, largeSize))}
}

// checkNoPayloads waits until no payload is in use; sockets of an earlier test may be
// closing.
func checkNoPayloads(t *testing.T) {
	t.Helper()
	for until := time.Now().Add(patience); ; runtime.Gosched() {
		used, _ := zmqmsg.PayloadBytes()
		if used == 0 {
			return
		}
		if time.Now().After(until) {
			t.Fatalf("payloads of %d bytes are in use, want none", used)
		}
	}
}

func TestMessage_carry(t *testing.T) {
	small, big := bytes.Repeat([]byte("a"), 100), bytes.Repeat([]byte("b"), largeSize)
	for _, test := range []struct {
		name   string
		frames [][]byte
		shared bool
	}{
		{"none", nil, false},
		{"small", [][]byte{small}, false},
		{"large", [][]byte{big}, true},
		{"several", [][]byte{small, {}, big}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			var given [][]byte
			for _, f := range test.frames {
				given = append(given, bytes.Clone(f))
			}
			m := &message{}
			if err := m.carry(given...); err != nil {
				t.Fatal(err)
			}
			for _, f := range given {
				clear(f) // the caller's again
			}
			c := newZRE(zreConfig{}, nil).content(m)
			got := c.frames
			if c.shared != nil {
				got = [][]byte{c.shared.Bytes()}
			}
			if want := bytes.Join(test.frames, []byte("|")); !bytes.Equal(bytes.Join(got, []byte("|")), want) || len(got) != max(1, len(test.frames)) {
				t.Errorf("%d frames of %d bytes in all, want %d of %d", len(got), c.size(), len(test.frames), len(want))
			}
			if m.size() != c.size() || c.isEmpty() || (c.shared != nil) != test.shared {
				t.Errorf("size %d and %d, empty %t, shared %t; want the same size, false, %t", m.size(), c.size(), c.isEmpty(), c.shared != nil, test.shared)
			}
			m.release()
			m.release() // does nothing
			checkNoPayloads(t)
		})
	}
}

// sharingMailbox notes what is sent to it.
type sharingMailbox struct {
	nullMailbox
	sent *[]*transport.Payload
}

func (m sharingMailbox) SendShared(_ []byte, p *transport.Payload) error {
	*m.sent = append(*m.sent, p)
	return nil
}

// A large message is copied once, for however many members it is shouted to.
func TestContent_isCopiedOnce(t *testing.T) {
	const members = 8
	now := time.Now()
	n, in := newQueueNode(t, now)
	var sent []*transport.Payload
	n.seams.transport.(*queueTransport).dial = func(string) (transport.Mailbox, error) { return sharingMailbox{sent: &sent}, nil }
	for i := range byte(members) {
		hello := simHello(fmt.Sprintf("tcp://10.0.0.9:%d", i+1))
		hello.Groups = []string{"hall"}
		in.packets = append(in.packets, packetOf(t, [16]byte{1 + i}, 1, hello))
	}
	n.step(now)
	checkNoPayloads(t)
	c := command{kind: cmdShout, message: *large()}
	c.group, c.receipt = "hall", nil
	if err := n.commands.message(t.Context(), &c); err != nil {
		t.Fatal(err)
	}
	used, _ := zmqmsg.PayloadBytes()
	n.step(now)
	if used != largeSize || len(sent) != members {
		t.Fatalf("%d bytes used, sent to %d members; want %d, %d", used, len(sent), largeSize, members)
	}
	for _, p := range sent {
		if p != sent[0] {
			t.Error("a member got a copy of its own")
		}
	}
	checkNoPayloads(t)
}

// Whatever becomes of a large message, its memory is given back.
func TestContent_isReleased(t *testing.T) {
	canceled := errors.New("canceled")
	for _, test := range []struct {
		name string
		do   func(b *zreBench)
	}{
		{"sent", func(b *zreBench) { b.post(large()) }},
		{"no such peer", func(b *zreBench) { m := large(); m.peer[0]++; b.post(m) }},
		{"no such group", func(b *zreBench) { b.z.shout(b.now, large()) }},
		{"sent later", func(b *zreBench) {
			b.port.sendErr = transport.ErrAgain
			b.post(large())
			b.post(large())
			b.port.sendErr = nil
			b.z.advance(b.now)
		}},
		{"taken back", func(b *zreBench) {
			b.port.sendErr = transport.ErrAgain
			m := large()
			b.post(m)
			b.z.withdraw(m.receipt, canceled)
		}},
		{"the peer goes", func(b *zreBench) {
			b.port.sendErr = transport.ErrAgain
			b.post(large())
			b.hearID(GoodbyeID)
		}},
		{"not sent", func(b *zreBench) { b.port.sendErr = errors.New("broken"); b.post(large()) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := fullBench(t)
			b.port.sendErr = nil
			test.do(b)
			checkNoPayloads(t)
		})
	}
}

// whisper sends a message to its peer.
func (b *zreBench) post(m *message) {
	b.z.addWhisper(m)
	b.z.sendWhispers(b.now)
}

func TestCommandQueue_releases(t *testing.T) {
	q := newCommandQueue(func() {})
	c := command{kind: cmdWhisper, message: *large()}
	if err := q.message(t.Context(), &c); err != nil {
		t.Fatal(err)
	}
	q.close()
	checkNoPayloads(t)
	c = command{kind: cmdWhisper, message: *large()}
	if err := q.message(t.Context(), &c); !errors.Is(err, ErrNotRunning) {
		t.Errorf("message() after close = %v, want %v", err, ErrNotRunning)
	}
	checkNoPayloads(t)
}
