package zyre

import (
	"slices"
	"testing"
	"time"
)

// scriptedInbox hands out packets, and then an error.
type scriptedInbox struct {
	inbox
	packets []*packet
	then    error
	woken   chan struct{}
	retired bool
}

func (in *scriptedInbox) recv(p *packet) error {
	if len(in.packets) == 0 {
		return in.then
	}
	*p, in.packets = *in.packets[0], in.packets[1:]
	return nil
}

func (in *scriptedInbox) wait(until time.Time) {
	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	select {
	case <-in.woken:
	case <-timer.C:
	}
}

func (in *scriptedInbox) wake() {
	select {
	case in.woken <- struct{}{}:
	default:
	}
}

func (in *scriptedInbox) retire() { in.retired = true }

func (in *scriptedInbox) close() error { return nil }

// newScriptedNode makes a node that has met a peer and has more to read from it, but
// does not run yet.
func newScriptedNode(t *testing.T, then error, messages ...*ZreMsg) (*node, *Peer) {
	t.Helper()
	in := &scriptedInbox{then: then, woken: make(chan struct{}, 1)}
	cfg := defaultConfig()
	cfg.endpoint = "inproc://scripted"
	n := newNode([16]byte{9}, cfg, newMemTransport(), newEventQueue(newEventChannel(), defaultQueueLimit))
	n.inbox, n.outbox, n.net.endpoints = in, newOutbox(in.wake), []string{cfg.endpoint}
	peer := [16]byte{1}
	pack := func(sequence uint16, m *ZreMsg) *packet {
		m.sequence = sequence
		header, err := m.append(nil)
		if err != nil {
			t.Fatal(err)
		}
		return &packet{from: appendIdentity(nil, peer), header: header, frames: m.content()}
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
	n, p := newScriptedNode(t, errAgain, last)
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

// A node that says farewell offers no shortcut any more: who took one would lose it.
func TestNode_farewellRetires(t *testing.T) {
	n, _ := newScriptedNode(t, errAgain)
	n.handle(time.Now(), []call{{kind: callStop}})
	if in := n.inbox.(*scriptedInbox); !in.retired {
		t.Error("the inbox is not retired when the farewell begins")
	}
}

// A node that reads again after a pause takes nobody for silent before its inbox has
// made sure that nothing is left.
func TestNode_unaskedInboxProvesNothing(t *testing.T) {
	now := time.Now()
	for then, blind := range map[error]bool{errUnasked: true, errAgain: false} {
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

// Of messages that come one by one recv does not ask whether there is another; wait does.
func TestZMQInbox_recv_unasked(t *testing.T) {
	tr := newTestTransport(t)
	in, endpoint := mustListen(t, tr, listenOptions{}, "tcp://127.0.0.1:*")
	m := mustDial(t, tr, endpoint, dialOptions{identity: testIdentity})
	var p packet
	err := error(nil)
	for start := time.Now(); err != errUnasked; err = in.recv(&p) {
		if time.Since(start) > patience {
			t.Fatalf("recv() after one alone = %v, want %v", err, errUnasked)
		}
		mustSend(t, m, pingHeader)
		mustRecv(t, in, &p)
	}
	in.wait(time.Now())
	if err := in.recv(&p); err != errAgain {
		t.Errorf("recv() after wait = %v, want %v", err, errAgain)
	}
}
