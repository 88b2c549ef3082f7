package zyre

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/go-zyre/zyre/internal/transport"
)

// simPair makes two nodes that know each other, with small mailboxes.
func simPair(tb testing.TB, hwm int) (s *sim, a, b *simNode) {
	s = newSim(tb, 1)
	a, b = s.node(nil), s.node(nil)
	s.run(2 * time.Second)
	s.hwm = hwm
	return s, a, b
}

// settled says what became of a message; nil and false while it waits.
func settled(r *receipt) (error, bool) {
	select {
	case <-r.done:
		return r.err, true
	default:
		return nil, false
	}
}

// A full mailbox: messages wait in order, the gate is shut, and all arrive.
func TestNode_backlogKeepsOrder(t *testing.T) {
	s, a, b := simPair(t, 3)
	b.join("G")
	s.settle()
	for range 50 {
		a.whisper(b.uuid)
		a.n.handle(s.now, []call{{kind: callShout, group: "G", payload: []byte("w")}})
	}
	if a.n.outbox.peerGates[b.uuid] == nil || a.n.outbox.groupGates["G"] == nil {
		t.Error("gates are open, want shut")
	}
	for range 100 {
		s.settle()
		a.turn()
	}
	if got := b.peers[uuidString(a.uuid)]; got.number != 50 || got.enters != 1 {
		t.Errorf("last whisper = %d, ENTERs = %d; want 50, 1", got.number, got.enters)
	}
	if len(a.n.outbox.peerGates)+len(a.n.outbox.groupGates) != 0 {
		t.Error("gates are shut, want open")
	}
}

// notingMailbox notes to whom each message goes, before it goes there.
type notingMailbox struct {
	transport.Mailbox
	to    *Peer
	notes *[]string
}

func (m notingMailbox) Send(header []byte, frames [][]byte) error {
	*m.notes = append(*m.notes, fmt.Sprintf("%s %s", m.to.Name, frames[0]))
	return m.Mailbox.Send(header, frames)
}

// Whispers that wait together go out peer by peer, but none overtakes another to the
// same peer, nor a shout.
func TestNode_whispersPeerByPeer(t *testing.T) {
	s := newSim(t, 1)
	a, b, c := s.node(nil), s.node(nil), s.node(nil)
	b.join("G")
	s.run(2 * time.Second)
	var sent []string
	for _, p := range a.n.peers {
		p.Name = map[[16]byte]string{b.uuid: "b", c.uuid: "c"}[p.uuid]
		p.mailbox = notingMailbox{p.mailbox, p, &sent}
	}
	whisper := func(to [16]byte, text string) call {
		return call{kind: callWhisper, peer: to, payload: []byte(text)}
	}
	before := a.n.counters.unknownPeer
	a.n.handle(s.now, []call{
		whisper(b.uuid, "1"), whisper(c.uuid, "1"), whisper([16]byte{}, "1"), whisper(b.uuid, "2"), whisper(c.uuid, "2"),
		{kind: callShout, group: "G", payload: []byte("all")},
		whisper(c.uuid, "3"), whisper(b.uuid, "3"), whisper(c.uuid, "4"),
	})
	want := []string{"b 1", "b 2", "c 1", "c 2", "b all", "c 3", "c 4", "b 3"}
	if !slices.Equal(sent, want) {
		t.Errorf("sent %q, want %q", sent, want)
	}
	if got := a.n.counters.unknownPeer - before; got != 1 {
		t.Errorf("whispers to nobody = %d, want 1", got)
	}
}

// The node looks for room ever more rarely, but soon again after there was some.
func TestNode_looksForRoom(t *testing.T) {
	s, a, b := simPair(t, 1)
	for range 5 {
		a.whisper(b.uuid)
	}
	next := func() time.Duration {
		a.turn()
		return a.n.nextWake(s.now, false).Sub(s.now)
	}
	for range 3 {
		s.settle() // b takes one message, but never all that wait
		for _, want := range []time.Duration{retryShortest, 2 * retryShortest, 4 * retryShortest} {
			if got := next(); got != want {
				t.Errorf("the next look is in %v, want %v", got, want)
			}
		}
	}
	if !a.n.peers[b.uuid].clogged() {
		t.Error("nothing waits any more")
	}
}

// A message that its sender no longer waits for is taken out of the backlog, and
// those around it go on.
func TestNode_withdraw(t *testing.T) {
	s, a, b := simPair(t, 1)
	r := make([]*receipt, 6)
	for i := range r {
		r[i] = a.whisperText(b.uuid, fmt.Sprint("m", i))
	}
	a.n.withdraw(r[3], ErrPushedBack)
	for range 10 {
		s.settle()
		a.turn()
	}
	for i := range r {
		err, done := settled(r[i])
		if want := i == 3; !done || (err != nil) != want {
			t.Errorf("message %d: %v, done %t", i, err, done)
		}
	}
	if got := b.peers[uuidString(a.uuid)].whispers; got != 5 {
		t.Errorf("whispers = %d, want 5", got)
	}
	last := a.whisperText(b.uuid, "x")
	only := a.whisperText(b.uuid, "y")
	a.n.withdraw(only, ErrPushedBack)
	a.turn()
	if err, done := settled(only); !errors.Is(err, ErrPushedBack) || !done || len(a.n.outbox.peerGates) != 0 {
		t.Errorf("withdrawn: %v, done %t, gates %d", err, done, len(a.n.outbox.peerGates))
	}
	if err, done := settled(last); err != nil || !done {
		t.Errorf("sent: %v, done %t", err, done)
	}
}

// A peer that goes while messages wait for it: they are answered.
func TestNode_removedWhileClogged(t *testing.T) {
	_, a, b := simPair(t, 1)
	first, second := a.whisperText(b.uuid, "1"), a.whisperText(b.uuid, "2")
	a.bye(b.uuid)
	if err, done := settled(first); err != nil || !done {
		t.Errorf("sent: %v, done %t", err, done)
	}
	if err, done := settled(second); !errors.Is(err, ErrUnknownPeer) || !done {
		t.Errorf("waiting: %v, done %t; want %v", err, done, ErrUnknownPeer)
	}
	if err, done := settled(a.whisperText(b.uuid, "3")); !errors.Is(err, ErrUnknownPeer) || !done {
		t.Errorf("afterwards: %v, done %t; want %v", err, done, ErrUnknownPeer)
	}
}

// A member that exits before it takes a shout is no error for who shouts.
func TestNode_memberExitsWhileClogged(t *testing.T) {
	s, a, b := simPair(t, 1)
	b.join("G")
	s.settle()
	r := newReceipt()
	for range 2 {
		r = newReceipt()
		a.n.handle(s.now, []call{{kind: callShout, group: "G", payload: []byte("x"), receipt: r}})
	}
	a.bye(b.uuid)
	if err, done := settled(r); err != nil || !done {
		t.Errorf("shout = %v, done %t; want nil, true", err, done)
	}
	if len(a.n.outbox.groupGates) != 0 {
		t.Error("gate of the group is shut")
	}
}

// A peer that takes nothing is asked no more than once, and answered no more than
// once; when it says nothing either, it expires.
func TestNode_clogged(t *testing.T) {
	s, a, b := simPair(t, 2)
	for range 3 {
		a.whisper(b.uuid)
	}
	seq := b.n.peers[a.uuid].sent
	for range 20 {
		seq++
		a.hear(b.uuid, seq, NewZreMsg(PingID))
	}
	p := a.n.peers[b.uuid]
	if got := p.backlog.len(); got != 2 {
		t.Errorf("backlog = %d, want a whisper and one PING-OK", got)
	}
	s.hwm = 0
	s.kill(b)
	s.run(20 * time.Second)
	if got := p.backlog.len(); got != 3 {
		t.Errorf("backlog = %d, want one PING more", got)
	}
	s.run(12 * time.Second)
	want := []string{"ENTER", "EVASIVE", "SILENT", "EXIT"}
	for i := range want {
		want[i] += " " + simName(b.uuid)
	}
	if !slices.Equal(a.history, want) {
		t.Errorf("history = %q, want %q", a.history, want)
	}
}

// More waits for a peer than may: the peer goes, and every message is answered.
func TestNode_backlogOverflows(t *testing.T) {
	_, a, b := simPair(t, 1)
	var receipts []*receipt
	for range maxBacklog + 3 {
		r := newReceipt()
		a.n.handle(a.net.now, []call{{kind: callWhisper, peer: b.uuid, payload: []byte("x"), receipt: r}})
		receipts = append(receipts, r)
	}
	a.turn()
	for i, r := range receipts {
		if err, done := settled(r); !done || (err == nil) != (i == 0) {
			t.Fatalf("message %d: %v, done %t", i, err, done)
		}
	}
	if got := a.count(eventExit, b.uuid); got != 1 {
		t.Errorf("EXIT events = %d, want 1", got)
	}
}

// Who waits in deliver and gives up takes the message back.
func TestNode_deliverWithdraws(t *testing.T) {
	s, a, b := simPair(t, 1)
	a.whisper(b.uuid)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	result := make(chan error, 1)
	go func() { result <- a.n.deliver(ctx, call{kind: callWhisper, peer: b.uuid, payload: []byte("x")}) }()
	var calls []call
	handled := 0
	for err, done := error(nil), false; !done; {
		calls = a.n.outbox.take(calls)
		for i := range calls {
			a.n.handle(s.now, calls[i:i+1])
			if handled++; handled == 1 {
				cancel()
			}
		}
		select {
		case err = <-result:
			done = true
			if !errors.Is(err, ErrPushedBack) || !errors.Is(err, context.Canceled) {
				t.Errorf("deliver = %v, want %v and %v", err, ErrPushedBack, context.Canceled)
			}
		default:
		}
	}
	if p := a.n.peers[b.uuid]; p.clogged() {
		t.Errorf("backlog = %d, want 0", p.backlog.len())
	}
}
