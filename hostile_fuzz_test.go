package zyre

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/go-zyre/zyre/internal/netif"
	"github.com/go-zyre/zyre/internal/transport"
)

// countingTransport opens mailboxes that lead nowhere and counts them.
type countingTransport struct{ open map[*countingMailbox]bool }

func (tr *countingTransport) Listen(transport.ListenOptions) (transport.Inbox, error) {
	return nil, transport.ErrClosed
}
func (tr *countingTransport) Close() error { return nil }

func (tr *countingTransport) Dial(endpoint string, _ transport.DialOptions) (transport.Mailbox, error) {
	if err := transport.CheckEndpoint(endpoint); err != nil {
		return nil, err
	}
	box := &countingMailbox{tr: tr}
	tr.open[box] = true
	return box, nil
}

// countingMailbox is full after a few messages.
type countingMailbox struct {
	tr   *countingTransport
	sent int
}

func (m *countingMailbox) Send([]byte, [][]byte) error {
	if m.sent++; m.sent > 20 {
		return transport.ErrAgain
	}
	return nil
}

func (m *countingMailbox) Close(time.Duration) error {
	delete(m.tr.open, m)
	return nil
}

// fuzzNode is a node without sockets, to which a script of bytes happens.
type fuzzNode struct {
	*node
	t      *testing.T
	tr     *countingTransport
	now    time.Time
	script []byte
	uuids  [4][16]byte
	inside map[string]bool            // peers between ENTER and EXIT
	groups map[string]map[string]bool // and their groups
}

func newFuzzNode(t *testing.T, script []byte) *fuzzNode {
	f := &fuzzNode{
		t: t, tr: &countingTransport{open: map[*countingMailbox]bool{}}, now: time.Unix(1e9, 0), script: script,
		inside: map[string]bool{}, groups: map[string]map[string]bool{},
	}
	for i := range f.uuids {
		f.uuids[i] = [16]byte{byte(i + 1)}
	}
	cfg := defaultConfig()
	cfg.name, cfg.groups = "fuzz", []string{"G"}
	f.node = newNode([16]byte{9}, cfg, f.tr, newEventQueue(newEventChannel(), minQueueLimit))
	f.outbox = newOutbox(func() {})
	f.net.links = []netif.Link{{Name: "lo", Addr: netip.MustParseAddr("127.0.0.1"), Prefix: netip.MustParsePrefix("127.0.0.0/8")}}
	f.net.endpoints, f.net.port = []string{"tcp://127.0.0.1:9"}, 9
	f.tickAt = f.now
	return f
}

// take cuts up to n bytes off the script.
func (f *fuzzNode) take(n int) []byte {
	n = min(n, len(f.script))
	b := f.script[:n:n]
	f.script = f.script[n:]
	return b
}

func (f *fuzzNode) byte() byte {
	if b := f.take(1); len(b) == 1 {
		return b[0]
	}
	return 0
}

// step does what the next bytes of the script say.
func (f *fuzzNode) step() {
	op, arg := f.byte(), f.byte()
	uuid := f.uuids[arg%4]
	switch op % 8 {
	case 0, 1: // as it is, from anybody
		from := appendIdentity(nil, uuid)
		if op >= 128 {
			from = f.take(int(arg))
		}
		f.message(from, f.take(int(f.byte())), arg/4)
	case 2, 3, 4: // in sequence
		header := append([]byte{0xAA, 0xA1, op / 8, Version, 0, 1}, f.take(int(f.byte()))...)
		if p := f.peers[uuid]; p != nil && op/8 != HelloID {
			putSequence(header, p.want)
		}
		f.message(appendIdentity(nil, uuid), header, arg/4)
	case 5:
		f.now = f.now.Add(time.Duration(arg) * 50 * time.Millisecond)
	case 6:
		port := uint16(f.byte() % 12)
		b, err := newBeaconMsg(uuid, port).append(nil)
		if op >= 128 {
			b, err = f.take(int(arg)), nil
		}
		if err != nil {
			f.t.Fatal(err)
		}
		f.signal(f.now, &Signal{Addr: "127.0.0.1", Transmit: b})
	case 7:
		f.application(op/8, uuid)
	}
	f.unclog(f.now)
	if !f.now.Before(f.tickAt) {
		f.tick(f.now)
	}
}

// message gives the node a message with a few frames of content.
func (f *fuzzNode) message(from, header []byte, frames byte) {
	m := transport.Packet{From: from, Header: header}
	if transport.HasContent(header) {
		for range frames % 4 {
			m.Frames = append(m.Frames, []byte("content"))
		}
	}
	f.receive(f.now, &m)
}

// application does what an application does meanwhile.
func (f *fuzzNode) application(what byte, uuid [16]byte) {
	switch what % 5 {
	case 0:
		f.whisper(f.now, []call{{kind: callWhisper, peer: uuid, payload: []byte("x")}})
	case 1:
		f.shout(f.now, &call{kind: callShout, group: "G", payload: []byte("x")})
	case 2:
		f.join(f.now, "H")
	case 3:
		f.leave(f.now, "H")
	case 4:
		f.excuse(time.Second)
	}
}

// checkEvents fails the test unless the events so far follow the grammar.
func (f *fuzzNode) checkEvents() {
	for more := true; more; {
		for len(f.events.ch) > 0 {
			f.checkEvent(<-f.events.ch)
		}
		_, more = f.events.pump()
	}
}

func (f *fuzzNode) checkEvent(e *Event) {
	id := e.PeerUUID
	if f.inside[id] == (e.Type == eventEnter) {
		f.t.Fatalf("%s of %s, inside %v", e.Type, id, f.inside[id])
	}
	switch e.Type {
	case eventEnter:
		f.inside[id], f.groups[id] = true, map[string]bool{}
	case eventExit:
		delete(f.inside, id)
	case eventJoin, eventLeave:
		if f.groups[id][e.Group] == (e.Type == eventJoin) {
			f.t.Fatalf("%s %q of %s, in it already: %v", e.Type, e.Group, id, f.groups[id][e.Group])
		}
		f.groups[id][e.Group] = e.Type == eventJoin
	case eventWhisper, eventShout:
		if len(e.Frames) == 0 || len(e.Msg) != len(e.Frames[0]) {
			f.t.Fatalf("%s has %d frames and Msg %q", e.Type, len(e.Frames), e.Msg)
		}
	case eventEvasive, eventSilent:
	default:
		f.t.Fatalf("event %s", e.Type)
	}
}

// checkState fails the test unless what the node knows fits together.
func (f *fuzzNode) checkState() {
	entered, boxes := 0, 0
	for uuid, p := range f.peers {
		if p.uuid != uuid {
			f.t.Fatalf("peer %s under %x", p.Identity, uuid)
		}
		if p.entered() {
			entered++
			if !f.known.has(uuid, p.endpoint) || f.addressed[p.endpoint] != p || p.mailbox == nil {
				f.t.Fatalf("peer %s at %s: entered, but not addressed or connected", p.Identity, p.endpoint)
			}
		}
		if p.entered() != f.inside[p.Identity] {
			f.t.Fatalf("peer %s: entered %v, by events %v", p.Identity, p.entered(), f.inside[p.Identity])
		}
		if p.mailbox != nil {
			boxes++
		}
		if p.clogged() != f.slow[p] {
			f.t.Fatalf("peer %s: clogged %v, slow %v", p.Identity, p.clogged(), f.slow[p])
		}
		for name, g := range p.groups {
			if !p.entered() || f.node.groups[name] != g {
				f.t.Fatalf("peer %s: in group %q, which is not listed", p.Identity, name)
			}
		}
	}
	if f.known.len() != entered || boxes != len(f.tr.open) || len(f.slow) > entered+boxes {
		f.t.Fatalf("known %d, entered %d; mailboxes of peers %d, open %d", f.known.len(), entered, boxes, len(f.tr.open))
	}
	for endpoint, p := range f.addressed {
		if f.peers[p.uuid] != p || p.endpoint != endpoint {
			f.t.Fatalf("endpoint %s: peer %s is at %s or gone", endpoint, p.Identity, p.endpoint)
		}
	}
	for name, g := range f.node.groups {
		if len(g.peers) == 0 {
			f.t.Fatalf("group %q is empty", name)
		}
		for _, p := range g.peers {
			if p.groups[name] != g || f.peers[p.uuid] != p {
				f.t.Fatalf("group %q has %s, who is gone", name, p.Identity)
			}
		}
	}
}

// fuzzHello is a HELLO after its sequence number, for scripts.
func fuzzHello(endpoint string, groups ...string) []byte {
	b, err := (&ZreMsg{id: HelloID, Endpoint: endpoint, Groups: groups, Name: "n"}).append(nil)
	if err != nil {
		panic(err)
	}
	return append([]byte{byte(len(b) - plainSize)}, b[plainSize:]...)
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
	f.Add(join(hello(0, 1), []byte{0, 0, 6, 0xAA, 0xA1, 6, 2, 0, 77}, hello(0, 1)))
	f.Fuzz(func(t *testing.T, script []byte) {
		n := newFuzzNode(t, script)
		for len(n.script) > 0 {
			n.step()
			n.checkEvents()
			n.checkState()
		}
	})
}
