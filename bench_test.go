package zyre

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"github.com/go-zyre/zyre/internal/transport"
)

// newIdleNode makes a node that does not run, with one peer that has entered, and the
// group "group" with that peer in it.
func newIdleNode(t testing.TB) (*node, *peer) {
	now := time.Now()
	n, in := newQueueNode(t, now)
	p := meetPeer(t, now, n, in)
	n.zre.joined(p, "group")
	for len(n.events.ch) > 0 {
		<-n.events.ch
	}
	return n, p
}

// numberedWhisper is a WHISPER packet whose sequence number can be set.
func numberedWhisper(from [16]byte) *transport.Packet {
	return &transport.Packet{
		From:   appendIdentity(nil, from),
		Header: appendPlain(nil, WhisperID, 0),
		Frames: [][]byte{make([]byte, 100)},
	}
}

func BenchmarkEventQueue(b *testing.B) {
	q := newEventQueue(newEventChannel(), defaultQueueLimit)
	p := newZRE(zreConfig{}, nil).newPeer([16]byte{2}, "tcp://127.0.0.1:1", time.Now())
	e := messageEvent(EventWhisper, p, "", [][]byte{make([]byte, 100)})
	b.ReportAllocs()
	for b.Loop() {
		q.push(e)
		<-q.ch
	}
}

func BenchmarkCommandQueue(b *testing.B) {
	q := newCommandQueue(func() {})
	payload := make([]byte, 100)
	var commands []command
	b.ReportAllocs()
	for b.Loop() {
		c := command{kind: cmdWhisper, message: message{peer: [16]byte{2}, payload: payload}}
		if err := q.message(context.Background(), &c); err != nil {
			b.Fatal(err)
		}
		commands = q.take(commands)
	}
}

func BenchmarkNode_receiveWhisper(b *testing.B) {
	n, p := newIdleNode(b)
	m := numberedWhisper(p.uuid)
	now := time.Now()
	b.ReportAllocs()
	for b.Loop() {
		putSequence(m.Header, p.in.next)
		n.zre.receive(now, m)
		<-n.events.ch
	}
}

func BenchmarkNode_whisper(b *testing.B) {
	n, p := newIdleNode(b)
	commands := []command{{kind: cmdWhisper, message: message{peer: p.uuid, payload: make([]byte, 100)}}}
	now := time.Now()
	b.ReportAllocs()
	for b.Loop() {
		n.handle(now, commands)
	}
}

func BenchmarkNode_shout(b *testing.B) {
	n, _ := newIdleNode(b)
	m := &message{group: "group", payload: make([]byte, 100)}
	now := time.Now()
	b.ReportAllocs()
	for b.Loop() {
		n.zre.shout(now, m)
	}
}

// BenchmarkInbox is a message through both sockets: DEALER, TCP, ROUTER.
func BenchmarkInbox(b *testing.B) {
	in, out := newSocketPair(b)
	header, frames := appendPlain(nil, WhisperID, 0), [][]byte{make([]byte, 100)}
	var m transport.Packet
	b.ReportAllocs()
	for b.Loop() {
		passOn(b, in, out, &m, header, frames)
	}
}

// newSocketPair makes an inbox and a mailbox that is connected to it.
func newSocketPair(t testing.TB) (transport.Inbox, transport.Mailbox) {
	t.Helper()
	tr, err := transport.NewZMQ()
	if err != nil {
		t.Fatal(err)
	}
	in, err := tr.Listen(transport.ListenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	endpoint, err := in.Bind("tcp://127.0.0.1:*")
	if err != nil {
		t.Fatal(err)
	}
	out, err := tr.Dial(endpoint, transport.DialOptions{Identity: appendIdentity(nil, [16]byte{2})})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(out.Close(0), in.Close(), tr.Close()); err != nil {
			t.Error(err)
		}
	})
	return in, out
}

// passOn sends a message and receives it.
func passOn(t testing.TB, in transport.Inbox, out transport.Mailbox, m *transport.Packet, header []byte, frames [][]byte) {
	t.Helper()
	if err := out.Send(header, frames); err != nil {
		t.Fatal(err)
	}
	for until := time.Now().Add(patience); ; in.Wait(until) {
		err := in.Recv(m)
		if err == nil {
			return
		}
		if !errors.Is(err, transport.ErrAgain) || time.Now().After(until) {
			t.Fatalf("Recv() = %v, want a message", err)
		}
	}
}

func TestAllocs_receiveWhisper(t *testing.T) {
	n, p := newIdleNode(t)
	m := numberedWhisper(p.uuid)
	now := time.Now()
	got := testing.AllocsPerRun(2000, func() {
		putSequence(m.Header, p.in.next)
		n.zre.receive(now, m)
		<-n.events.ch
	})
	if got > 1 { // the Event
		t.Errorf("allocations to receive a WHISPER = %v, want at most 1", got)
	}
}

// With the Event, receiving a WHISPER takes two allocations.
func TestAllocs_inbox(t *testing.T) {
	in, out := newSocketPair(t)
	header, frames := appendPlain(nil, WhisperID, 0), [][]byte{bytes.Repeat([]byte{7}, 100)}
	var m transport.Packet
	got := testing.AllocsPerRun(500, func() { passOn(t, in, out, &m, header, frames) })
	if got > 1 { // the payload
		t.Errorf("allocations to pass on a WHISPER = %v, want at most 1", got)
	}
}

// allocsOf counts the allocations of a call that gives the node one command, and of the node
// that carries it out.
func allocsOf(t *testing.T, call func(z *Zyre, p *peer)) float64 {
	t.Helper()
	n, p := newIdleNode(t)
	z := NewZyre(t.Context())
	z.node.Store(n)
	defer z.node.Store(nil)
	var commands []command
	now := time.Now()
	return testing.AllocsPerRun(2000, func() {
		call(z, p)
		commands = n.commands.take(commands)
		n.handle(now, commands[:1])
	})
}

func TestAllocs_send(t *testing.T) {
	payload := make([]byte, 100)
	for what, call := range map[string]func(z *Zyre, p *peer){
		"whisper": func(z *Zyre, p *peer) { z.Whisper(p.id, payload) },
		"shout":   func(z *Zyre, _ *peer) { z.Shout("group", payload) },
	} {
		if got := allocsOf(t, call); got > 1 { // the copy of the payload
			t.Errorf("allocations to %s = %v, want at most 1", what, got)
		}
	}
}
