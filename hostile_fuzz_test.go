package zyre

import (
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/go-zyre/zyre/internal/netif"
	"github.com/go-zyre/zyre/internal/transport"
)

// countingMailbox leads nowhere, and is full after a few messages.
type countingMailbox struct {
	open map[*countingMailbox]bool
	sent int
}

func (m *countingMailbox) Send([]byte, [][]byte) error {
	if m.sent++; m.sent > 20 {
		return transport.ErrAgain
	}
	return nil
}

func (m *countingMailbox) SendShared([]byte, *transport.Payload) error { return m.Send(nil, nil) }

func (m *countingMailbox) Moved(time.Time, transport.Conn) transport.Moved { return transport.Moved{} }

func (m *countingMailbox) Close(time.Duration) error {
	delete(m.open, m)
	return nil
}

// fuzzNode is a node without sockets, to which a script of bytes happens.
type fuzzNode struct {
	*node
	t      *testing.T
	in     *queueInbox
	open   map[*countingMailbox]bool
	now    time.Time
	script []byte
	uuids  [4][16]byte
	inside map[string]bool            // peers between ENTER and EXIT
	groups map[string]map[string]bool // and their groups
}

func newFuzzNode(t *testing.T, script []byte) *fuzzNode {
	f := &fuzzNode{
		t: t, in: newQueueInbox(), open: map[*countingMailbox]bool{}, now: time.Unix(1e9, 0), script: script,
		inside: map[string]bool{}, groups: map[string]map[string]bool{},
	}
	for i := range f.uuids {
		f.uuids[i] = [16]byte{byte(i + 1)}
	}
	cfg := defaultConfig()
	cfg.name, cfg.groups, cfg.iface, cfg.peerPort = "fuzz", []string{"G"}, "lo", 9
	f.node = newNode([16]byte{9}, cfg, seams{
		transport: &queueTransport{inbox: f.in, dial: f.dial},
		interfaces: func() ([]netif.Interface, error) {
			return []netif.Interface{{
				Name: "lo", Index: 1, Flags: net.FlagUp | net.FlagLoopback,
				Prefixes: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/8")},
			}}, nil
		},
	}, newEventQueue(newEventChannel(), minQueueLimit))
	if err := f.start(f.now); err != nil {
		t.Fatal(err)
	}
	f.step(f.now)
	return f
}

func (f *fuzzNode) dial(endpoint string) (transport.Mailbox, error) {
	if err := transport.CheckEndpoint(endpoint); err != nil {
		return nil, err
	}
	box := &countingMailbox{open: f.open}
	f.open[box] = true
	return box, nil
}

// advance lets time pass, in which the node works when it wants to.
func (f *fuzzNode) advance(d time.Duration) {
	for end := f.now.Add(d); ; {
		wake := f.plan(f.now, false)
		if !wake.Before(end) {
			f.now = end
			return
		}
		f.now = wake
		f.step(f.now)
		f.checkEvents()
	}
}

// cut cuts up to n bytes off the script.
func (f *fuzzNode) cut(n int) []byte {
	n = min(n, len(f.script))
	b := f.script[:n:n]
	f.script = f.script[n:]
	return b
}

func (f *fuzzNode) byte() byte {
	if b := f.cut(1); len(b) == 1 {
		return b[0]
	}
	return 0
}

// play does what the next bytes of the script say.
func (f *fuzzNode) play() {
	op, arg := f.byte(), f.byte()
	uuid := f.uuids[arg%4]
	switch op % 8 {
	case 0, 1: // as it is, from anybody
		from := appendIdentity(nil, uuid)
		if op >= 128 {
			from = f.cut(int(arg))
		}
		f.message(from, f.cut(int(f.byte())), arg/4)
	case 2, 3, 4: // in sequence
		header := append([]byte{0xAA, 0xA1, op / 8, Version, 0, 1}, f.cut(int(f.byte()))...)
		if p := f.zre.peers[uuid]; p != nil && op/8 != HelloID {
			putSequence(header, p.in.next)
		}
		f.message(appendIdentity(nil, uuid), header, arg/4)
	case 5:
		f.advance(time.Duration(arg) * 50 * time.Millisecond)
	case 6:
		at := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(f.byte()%12))
		s := sighting{beaconOrigin: beaconOrigin{uuid, at}, secure: op >= 128}
		f.do(command{kind: cmdTake, news: s})
	case 7:
		f.application(op/8, uuid)
	}
	for f.step(f.now) {
		f.checkEvents()
	}
}

// do has the node carry out a command in its next round.
func (f *fuzzNode) do(c command) {
	if err := f.commands.put(c); err != nil {
		f.t.Fatal(err)
	}
}

// message gives the node a message with a few frames of content, or as many as it may have;
// some are said to have had more than that.
func (f *fuzzNode) message(from, header []byte, frames byte) {
	m := transport.Packet{From: from, Header: header, Excess: frames >= 48, Address: thisHost}
	if transport.HasContent(header) {
		for range frames % 4 {
			m.Frames = append(m.Frames, []byte("content"))
		}
		if frames%16 == 15 {
			m.Frames = make([][]byte, transport.MaxFrames)
		}
	}
	f.in.packets = append(f.in.packets, m)
}

// application does what an application does meanwhile.
func (f *fuzzNode) application(what byte, uuid [16]byte) {
	switch what % 5 {
	case 0:
		f.do(command{kind: cmdWhisper, message: message{peer: uuid, payload: []byte("x")}})
	case 1:
		f.do(command{kind: cmdShout, message: message{group: "G", payload: []byte("x")}})
	case 2:
		f.do(command{kind: cmdTake, news: func(now time.Time) { f.zre.join(now, "H") }})
	case 3:
		f.do(command{kind: cmdTake, news: func(now time.Time) { f.zre.leave(now, "H") }})
	case 4: // it was not running for a while
		f.now = f.now.Add(3 * time.Second)
	}
}

// checkEvents fails the test unless the events so far follow the grammar.
func (f *fuzzNode) checkEvents() {
	for more := true; more; {
		for len(f.events.ch) > 0 {
			f.checkEvent(<-f.events.ch)
		}
		more = f.events.pump()
	}
}

func (f *fuzzNode) checkEvent(e *Event) {
	id := e.PeerUUID
	if f.inside[id] == (e.Type == EventEnter) {
		f.t.Fatalf("%s of %s, inside %v", e.Type, id, f.inside[id])
	}
	switch e.Type {
	case EventEnter:
		f.inside[id], f.groups[id] = true, map[string]bool{}
	case EventExit:
		delete(f.inside, id)
	case EventJoin, EventLeave:
		if f.groups[id][e.Group] == (e.Type == EventJoin) {
			f.t.Fatalf("%s %q of %s, in it already: %v", e.Type, e.Group, id, f.groups[id][e.Group])
		}
		f.groups[id][e.Group] = e.Type == EventJoin
	case EventWhisper, EventShout:
		if len(e.Frames) == 0 || len(e.Msg) != len(e.Frames[0]) {
			f.t.Fatalf("%s has %d frames and Msg %q", e.Type, len(e.Frames), e.Msg)
		}
	case EventEvasive, EventSilent:
	default:
		f.t.Fatalf("event %s", e.Type)
	}
}

// checkState fails the test unless what the node knows fits together.
func (f *fuzzNode) checkState() {
	if err := simInvariants(f.node); err != nil {
		f.t.Fatal(err)
	}
	boxes := 0
	for _, p := range f.zre.peers {
		if p.isEntered() != f.inside[p.id] {
			f.t.Fatalf("peer %s: entered %v, by events %v", p.id, p.isEntered(), f.inside[p.id])
		}
		if p.mailbox != nil {
			boxes++
		}
	}
	if boxes != len(f.open) {
		f.t.Fatalf("mailboxes of peers %d, open %d", boxes, len(f.open))
	}
}

// fuzzHello is a HELLO after its sequence number, for scripts.
func fuzzHello(endpoint string, groups ...string) []byte {
	b, err := (&ZreMsg{id: HelloID, Endpoint: endpoint, Groups: groups, Name: "n"}).append(nil)
	if err != nil {
		panic(err)
	}
	return append([]byte{byte(len(b) - headerSize)}, b[headerSize:]...)
}

// FuzzNodeReceive lets messages, beacons, time and an application happen to a node:
// it must not panic, its events must follow the grammar, and what it knows must fit
// together after every step.
func FuzzNodeReceive(f *testing.F) {
	hello := func(peer byte, port int) []byte {
		return append([]byte{8*HelloID + 2, peer}, fuzzHello(fmt.Sprintf("tcp://127.0.0.1:%d", port), "G", "H")...)
	}
	join := func(scripts ...[]byte) (all []byte) {
		for _, s := range scripts {
			all = append(all, s...)
		}
		return all
	}
	whisper, bye := []byte{8*WhisperID + 2, 4, 0}, []byte{8*GoodbyeID + 2, 0, 0}
	f.Add(join(hello(0, 1), whisper, []byte{7, 0}, hello(0, 1), whisper, bye))
	f.Add(join(hello(0, 1), hello(1, 1), []byte{5, 25}, hello(1, 1), []byte{5, 25}))
	f.Add(join([]byte{6, 2, 3}, hello(2, 3), []byte{6, 2, 0}, []byte{6, 2, 4, 5, 200, 5, 200, 6, 2, 5}))
	f.Add(join(hello(0, 1), hello(1, 1), hello(0, 2), []byte{5, 25}, hello(1, 1), []byte{5, 200, 5, 200, 5, 200}))
	f.Add(join(hello(3, 9), []byte{8*HelloID + 2, 3}, fuzzHello("garbage"), []byte{6, 3, 7, 15, 3, 15, 3, 15, 3}))
	f.Add(join(hello(0, 1), []byte{5, 40}, hello(1, 1), hello(0, 1), []byte{5, 40}))
	many, excess := []byte{8*WhisperID + 2, 4 * 15, 0}, []byte{8*WhisperID + 2, 4 * 50, 0}
	f.Add(join(hello(0, 1), many, many, many, []byte{5, 25}, excess, hello(0, 1), whisper, many, bye))
	f.Add(join(hello(0, 1), []byte{0, 0, 6, 0xAA, 0xA1, 6, 2, 0, 77}, hello(0, 1)))
	f.Fuzz(func(t *testing.T, script []byte) {
		n := newFuzzNode(t, script)
		for len(n.script) > 0 {
			n.play()
			n.checkEvents()
			n.checkState()
		}
	})
}
