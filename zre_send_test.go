package zyre

import (
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
func settled(o *outcome) (error, bool) { return o.err, o.known }

// A full mailbox: messages wait in order, the gate is shut, and all arrive.
func TestNode_backlogKeepsOrder(t *testing.T) {
	s, a, b := simPair(t, 3)
	b.join("G")
	s.settle()
	for range 50 {
		a.whisper(b.uuid)
		a.do(command{kind: cmdShout, message: message{group: "G", payload: []byte("w")}})
	}
	if a.n.commands.blockedPeers[b.uuid] == nil || a.n.commands.blockedGroups["G"] == nil {
		t.Error("gates are open, want shut")
	}
	for range 100 {
		s.settle()
		a.turn()
	}
	if got := b.peers[uuidString(a.uuid)]; got.number != 50 || got.enters != 1 {
		t.Errorf("last whisper = %d, ENTERs = %d; want 50, 1", got.number, got.enters)
	}
	if len(a.n.commands.blockedPeers)+len(a.n.commands.blockedGroups) != 0 {
		t.Error("gates are shut, want open")
	}
}

// notingMailbox notes to whom each message goes, before it goes there.
type notingMailbox struct {
	transport.Mailbox
	to    *peer
	notes *[]string
}

func (m notingMailbox) Send(header []byte, frames [][]byte) error {
	*m.notes = append(*m.notes, fmt.Sprintf("%s %s", m.to.name, frames[0]))
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
	for _, p := range a.n.zre.peers {
		p.name = map[[16]byte]string{b.uuid: "b", c.uuid: "c"}[p.uuid]
		p.mailbox = notingMailbox{p.mailbox, p, &sent}
	}
	whisper := func(to [16]byte, text string) command {
		return command{kind: cmdWhisper, message: message{peer: to, payload: []byte(text)}}
	}
	before := a.n.zre.counters.unknownPeer
	a.n.handle(s.now, []command{
		whisper(b.uuid, "1"), whisper(c.uuid, "1"), whisper([16]byte{}, "1"), whisper(b.uuid, "2"), whisper(c.uuid, "2"),
		{kind: cmdShout, message: message{group: "G", payload: []byte("all")}},
		whisper(c.uuid, "3"), whisper(b.uuid, "3"), whisper(c.uuid, "4"),
	})
	want := []string{"b 1", "b 2", "c 1", "c 2", "b all", "c 3", "c 4", "b 3"}
	if !slices.Equal(sent, want) {
		t.Errorf("sent %q, want %q", sent, want)
	}
	if got := a.n.zre.counters.unknownPeer - before; got != 1 {
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
		return a.wake.Sub(s.now)
	}
	for range 3 {
		s.settle() // b takes one message, but never all that wait
		for _, want := range []time.Duration{pollShortest, 2 * pollShortest, 4 * pollShortest} {
			if got := next(); got != want {
				t.Errorf("the next look is in %v, want %v", got, want)
			}
		}
	}
	if !a.n.zre.peers[b.uuid].backlog.isBlocked() {
		t.Error("nothing waits any more")
	}
}

// A message that its sender no longer waits for is taken out of the backlog, and
// those around it go on.
func TestNode_withdraw(t *testing.T) {
	s, a, b := simPair(t, 1)
	r := make([]*outcome, 6)
	for i := range r {
		r[i] = a.whisperText(b.uuid, fmt.Sprint("m", i))
	}
	a.n.zre.withdraw(r[3].receipt, ErrPushedBack)
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
	a.n.zre.withdraw(only.receipt, ErrPushedBack)
	a.turn()
	if err, done := settled(only); !errors.Is(err, ErrPushedBack) || !done || len(a.n.commands.blockedPeers) != 0 {
		t.Errorf("withdrawn: %v, done %t, gates %d", err, done, len(a.n.commands.blockedPeers))
	}
	if err, done := settled(last); err != nil || !done {
		t.Errorf("sent: %v, done %t", err, done)
	}
}

// A peer that goes while messages wait for it: they are answered.
func TestNode_removedWhileBlocked(t *testing.T) {
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
func TestNode_memberExitsWhileBlocked(t *testing.T) {
	s, a, b := simPair(t, 1)
	b.join("G")
	s.settle()
	var last *outcome
	for range 2 {
		last = newOutcome()
		a.do(command{kind: cmdShout, message: message{group: "G", payload: []byte("x"), receipt: last.receipt}})
	}
	a.bye(b.uuid)
	if err, done := settled(last); err != nil || !done {
		t.Errorf("shout = %v, done %t; want nil, true", err, done)
	}
	if len(a.n.commands.blockedGroups) != 0 {
		t.Error("gate of the group is shut")
	}
}

// A peer that takes nothing is asked no more than once; when it says nothing either, it
// expires.
func TestNode_blockedPeerExpires(t *testing.T) {
	s, a, b := simPair(t, 2)
	for range 3 {
		a.whisper(b.uuid)
	}
	seq := b.n.zre.peers[a.uuid].out.last
	for range 20 {
		seq++
		a.hear(b.uuid, seq, NewZreMsg(PingID))
	}
	p := a.n.zre.peers[b.uuid]
	if got := p.backlog; got.queue.Len() != 1 || got.pingOKsOwed != 20 {
		t.Errorf("backlog = %d messages, %d PING-OKs; want a whisper, and 20", got.queue.Len(), got.pingOKsOwed)
	}
	s.hwm = 0
	s.kill(b)
	s.run(20 * time.Second)
	if got := p.backlog; got.queue.Len() != 1 || !got.pingQueued {
		t.Errorf("backlog = %d messages, PING %t; want one, and a PING", got.queue.Len(), got.pingQueued)
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
	var outcomes []*outcome
	for range maxBacklog + 3 {
		o := newOutcome()
		a.do(command{kind: cmdWhisper, message: message{peer: b.uuid, payload: []byte("x"), receipt: o.receipt}})
		outcomes = append(outcomes, o)
	}
	a.turn()
	for i, o := range outcomes {
		if err, done := settled(o); !done || (err == nil) != (i == 0) {
			t.Fatalf("message %d: %v, done %t", i, err, done)
		}
	}
	if got := a.count(EventExit, b.uuid); got != 1 {
		t.Errorf("EXIT events = %d, want 1", got)
	}
}
