package zyre

import (
	"slices"
	"testing"
	"time"

	"github.com/go-zyre/zyre/internal/transport"
	"github.com/go-zyre/zyre/internal/transport/mem"
)

// scriptedInbox hands out packets, and then an error.
type scriptedInbox struct {
	transport.Inbox
	packets         []*transport.Packet
	then            error
	woken           chan struct{}
	stoppedOffering bool
}

func (in *scriptedInbox) Recv(p *transport.Packet) error {
	if len(in.packets) == 0 {
		return in.then
	}
	*p, in.packets = *in.packets[0], in.packets[1:]
	return nil
}

func (in *scriptedInbox) Wait(until time.Time) {
	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	select {
	case <-in.woken:
	case <-timer.C:
	}
}

func (in *scriptedInbox) Wake() {
	select {
	case in.woken <- struct{}{}:
	default:
	}
}

func (in *scriptedInbox) StopOffering() { in.stoppedOffering = true }

func (in *scriptedInbox) Close() error { return nil }

// newScriptedNode makes a node that has met a peer and has more to read from it, but
// does not run yet.
func newScriptedNode(t *testing.T, then error, messages ...*ZreMsg) (*node, *Peer) {
	t.Helper()
	in := &scriptedInbox{then: then, woken: make(chan struct{}, 1)}
	cfg := defaultConfig()
	cfg.endpoint = "inproc://scripted"
	n := newNode([16]byte{9}, cfg, mem.New(), newEventQueue(newEventChannel(), defaultQueueLimit))
	n.inbox, n.outbox, n.net.endpoints = in, newOutbox(in.Wake), []string{cfg.endpoint}
	peer := [16]byte{1}
	pack := func(sequence uint16, m *ZreMsg) *transport.Packet {
		m.sequence = sequence
		header, err := m.append(nil)
		if err != nil {
			t.Fatal(err)
		}
		return &transport.Packet{From: appendIdentity(nil, peer), Header: header, Frames: m.content()}
	}
	n.receive(time.Now(), pack(1, simHello("tcp://10.0.0.9:9")))
	for i, m := range messages {
		in.packets = append(in.packets, pack(uint16(i+2), m))
	}
	return n, n.peers[peer]
}

// A goodbye is heard when all that had arrived before it has been read.
func TestNode_goodbyeWaitsForMessages(t *testing.T) {
	last := &ZreMsg{id: WhisperID, Content: []byte("last words")}
	n, p := newScriptedNode(t, transport.ErrAgain, last)
	datagram, err := newBeaconMsg(p.uuid, 0).append(nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := n.outbox.put(call{kind: callSignal, signal: &Signal{Addr: "10.0.0.9", Transmit: datagram}}); err != nil {
		t.Fatal(err)
	}
	go n.run()
	var seen []string
	for e := range n.events.ch {
		if seen = append(seen, e.Type); e.Type == eventExit {
			go n.stop()
		}
	}
	if want := []string{eventEnter, eventWhisper, eventExit, eventStop}; !slices.Equal(seen, want) {
		t.Errorf("events = %v, want %v", seen, want)
	}
}

// A node that says farewell offers no inproc any more: who connected by it would lose messages.
func TestNode_farewellStopsOffering(t *testing.T) {
	n, _ := newScriptedNode(t, transport.ErrAgain)
	n.handle(time.Now(), []call{{kind: callStop}})
	if in := n.inbox.(*scriptedInbox); !in.stoppedOffering {
		t.Error("the inbox still offers inproc when the farewell begins")
	}
}

// A node that reads again after a pause takes nobody for silent before its inbox has
// made sure that nothing is left.
func TestNode_unpolledInboxProvesNothing(t *testing.T) {
	now := time.Now()
	for then, blind := range map[error]bool{transport.ErrNotPolled: true, transport.ErrAgain: false} {
		n, p := newScriptedNode(t, then)
		n.pause()
		n.resume()
		now = now.Add(10 * n.cfg.expired)
		if n.drain(now) || n.blind > 0 != blind {
			t.Errorf("drain() until %v: blind = %d, want it above 0: %t", then, n.blind, blind)
		}
		n.tick(now)
		if p.entered() != blind {
			t.Errorf("after a pause, and %v, the peer is here: %t, want %t", then, p.entered(), blind)
		}
	}
}
