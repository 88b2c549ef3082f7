package foreignnet_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/go-zyre/zyre"
	"github.com/go-zyre/zyre/e2e/kit"
	"github.com/go-zyre/zyre/e2e/watch"
	"github.com/go-zyre/zyre/internal/foreign"
	"github.com/go-zyre/zyre/internal/foreign/foreignnet"
)

// patience is how long a test waits for what has to come.
const patience = 20 * time.Second

// pair is a node and a peer of foreign make on one UDP port.
type pair struct {
	t    *testing.T
	ctx  context.Context
	node *zyre.Zyre
	uuid [16]byte // of the node
	port int      // UDP
	peer *foreignnet.Peer
}

func startPair(t *testing.T, opts foreignnet.Options) *pair {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	p := &pair{t: t, ctx: ctx}
	opts.Name, opts.UDPPort, opts.Interval = "theirs", kit.FreeUDPPort(t), 100*time.Millisecond
	p.node = zyre.NewZyre(ctx).SetName("ours").SetInterface("lo").SetPort(opts.UDPPort).
		SetInterval(100 * time.Millisecond).SetExpiredTimeout(3 * time.Second)
	p.node.Join("hall")
	if err := p.node.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.node.Stop)
	uuid, err := foreign.ParseUUID(p.node.UUID())
	p.uuid, p.port = uuid, opts.UDPPort
	p.must(err)
	p.peer, err = foreignnet.Start(ctx, opts)
	p.must(err)
	t.Cleanup(func() {
		if err := p.peer.Close(); err != nil {
			t.Errorf("Close() = %v, want nil", err)
		}
	})
	return p
}

func (p *pair) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

// expect waits for an event of the node that says what is wanted.
func (p *pair) expect(kind, group, msg string) *zyre.Event {
	p.t.Helper()
	for {
		select {
		case e := <-p.node.Events():
			if e == nil {
				p.t.Fatalf("the node has stopped; want %s", kind)
			}
			if e.Type == kind && e.PeerUUID == p.peer.UUIDText() && e.Group == group && string(e.Msg) == msg {
				return e
			}
		case <-p.ctx.Done():
			p.t.Fatalf("the node does not see %s %s %q; the peer saw %v", kind, group, msg, p.peer.Events())
		}
	}
}

// expectAtPeer waits for an event of the peer.
func (p *pair) expectAtPeer(kind, group, msg string) {
	p.t.Helper()
	_, err := p.peer.WaitEvent(p.ctx, 1, func(e foreign.Event) bool {
		return e.Type == kind && e.Peer == p.uuid && e.Group == group && string(slices.Concat(e.Content...)) == msg
	})
	if err != nil {
		p.t.Fatalf("the peer does not see %s %s %q: %v", kind, group, msg, err)
	}
}

// A node and each implementation meet, talk, and part.
func TestPeer_meetsNode(t *testing.T) {
	for _, kind := range foreign.Kinds() {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			p := startPair(t, foreignnet.Options{
				Kind: kind, Groups: []string{"hall"}, Headers: []foreign.Header{{Key: "k", Value: "v"}},
			})
			if e := p.expect("ENTER", "", ""); e.PeerName != "theirs" || e.Headers["k"] != "v" {
				t.Errorf("ENTER of %q with headers %v, want theirs and k=v", e.PeerName, e.Headers)
			}
			p.expect("JOIN", "hall", "")
			p.expectAtPeer(foreign.Enter, "", "")
			p.expectAtPeer(foreign.Join, "hall", "")

			p.must(p.peer.Whisper(p.uuid, []byte("to you")))
			p.expect("WHISPER", "", "to you")
			p.must(p.peer.Shout("hall", []byte("to all")))
			p.expect("SHOUT", "hall", "to all")
			p.must(p.peer.Join("den"))
			p.expect("JOIN", "den", "")
			p.must(p.peer.Leave("den"))
			p.expect("LEAVE", "den", "")

			p.node.Whisper(p.peer.UUIDText(), []byte("and to you"))
			p.expectAtPeer(foreign.Whisper, "", "and to you")
			p.node.Shout("hall", []byte("hear"))
			p.expectAtPeer(foreign.Shout, "hall", "hear")
			p.node.Join("yard")
			p.expectAtPeer(foreign.Join, "yard", "")
			p.node.Leave("yard")
			p.expectAtPeer(foreign.Leave, "yard", "")

			p.must(p.peer.Stop())
			p.expect("EXIT", "", "")
			if n := p.peer.CountEvents(foreignnet.IsEvent(foreign.Exit, p.uuid)); n != 0 {
				t.Errorf("the peer saw EXIT %d times before it stopped", n)
			}
		})
	}
}

// The byte before the UUID in a routing id does not matter: haskell-zre has the character
// '1'.
func TestPeer_routingByte(t *testing.T) {
	for _, first := range []byte{'1', 2, 0xff} {
		t.Run(fmt.Sprint(first), func(t *testing.T) {
			t.Parallel()
			p := startPair(t, foreignnet.Options{Kind: foreign.Generic, RoutingByte: first, Groups: []string{"hall"}})
			p.expect("ENTER", "", "")
			p.expect("JOIN", "hall", "")
			p.expectAtPeer(foreign.Enter, "", "")
			p.expectAtPeer(foreign.Join, "hall", "")
			p.must(p.peer.Whisper(p.uuid, []byte("to you")))
			p.expect("WHISPER", "", "to you")
			p.must(p.peer.Shout("hall", []byte("to all")))
			p.expect("SHOUT", "hall", "to all")
			p.node.Whisper(p.peer.UUIDText(), []byte("and to you"))
			p.expectAtPeer(foreign.Whisper, "", "and to you")
			p.node.Shout("hall", []byte("and to all"))
			p.expectAtPeer(foreign.Shout, "hall", "and to all")
			if n := p.node.Stats().Dropped.BadIdentity; n != 0 {
				t.Errorf("BadIdentity = %d, want 0", n)
			}
		})
	}
}

// Each implementation sees that a node stops.
func TestPeer_nodeStops(t *testing.T) {
	for _, kind := range foreign.Kinds() {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			p := startPair(t, foreignnet.Options{Kind: kind})
			p.expectAtPeer(foreign.Enter, "", "")
			p.node.Stop()
			p.expectAtPeer(foreign.Exit, "", "")
			if n := p.peer.CountEvents(func(e foreign.Event) bool { return e.Type == foreign.Crashed }); n != 0 {
				t.Errorf("the peer crashed: %v", p.peer.Events())
			}
		})
	}
}

// A peer that is out of sequence, or begins again, is there again soon.
func TestPeer_beginsAgain(t *testing.T) {
	for name, disturb := range map[string]func(p *pair) error{
		"forgets": func(p *pair) error { return p.peer.Forget(p.uuid) },
		"HELLO":   func(p *pair) error { return p.peer.SayHelloAgain(p.uuid) },
		"gap": func(p *pair) error {
			ping := foreign.Message{ID: foreign.PingID, Sequence: 9999}
			frames, err := ping.Frames()
			return errors.Join(err, p.peer.SendTo(p.uuid, frames...))
		},
		"freezes": func(p *pair) error {
			err := p.peer.Freeze()
			p.expect("EXIT", "", "")
			return errors.Join(err, p.peer.Thaw(), p.peer.Forget(p.uuid))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := startPair(t, foreignnet.Options{Kind: foreign.Libzyre})
			p.expect("ENTER", "", "")
			p.expectAtPeer(foreign.Enter, "", "")
			p.must(disturb(p))
			if name == "gap" {
				p.expect("EXIT", "", "")
			}
			if name == "gap" || name == "freezes" {
				p.expect("ENTER", "", "")
			}
			watch.Until(t, "a whisper reaches the peer", func() bool {
				p.node.Whisper(p.peer.UUIDText(), []byte("still there?"))
				return p.peer.CountEvents(func(e foreign.Event) bool { return e.Type == foreign.Whisper }) > 0
			})
		})
	}
}

// Without a model a peer sends what it is told, and keeps what it hears.
func TestPeer_raw(t *testing.T) {
	p := startPair(t, foreignnet.Options{Headers: []foreign.Header{{Key: "k", Value: "v"}}})
	endpoint, err := p.peer.WaitBeacon(p.ctx, p.uuid)
	p.must(err)
	c, err := p.peer.Connect(endpoint, foreignnet.ConnOptions{})
	p.must(err)
	p.must(c.Send([]byte("garbage")))
	p.must(c.SayHello("hall"))
	p.expect("JOIN", "hall", "")
	r, err := p.peer.WaitMessage(p.ctx, 1, foreignnet.IsMessageFrom(foreign.HelloID, p.uuid))
	p.must(err)
	if m := r.Message; m.Name != "ours" || m.Sequence != 1 || m.Endpoint != endpoint || !slices.Equal(m.Groups, []string{"hall"}) {
		t.Errorf("HELLO of the node: %+v", m)
	}
	p.must(c.Say(foreign.Message{ID: foreign.WhisperID, Content: [][]byte{[]byte("x")}}))
	p.expect("WHISPER", "", "x")
	p.must(c.Say(foreign.Message{ID: foreign.PingID}))
	if _, err := p.peer.WaitMessage(p.ctx, 1, foreignnet.IsMessage(foreign.PingOkID)); err != nil {
		t.Error(err)
	}
	if sequence, err := c.Next(); err != nil || sequence != 4 {
		t.Errorf("Next() = %d, %v, want 4, nil", sequence, err)
	}
	p.must(c.Say(foreign.Message{ID: foreign.WhisperID})) // a gap
	p.expect("EXIT", "", "")
	for range 2 {
		p.must(p.peer.CloseMailbox())
	}
	p.must(c.SayHello()) // it can still send
	p.must(c.Say(foreign.Message{ID: foreign.PingOkID}))
	p.expect("ENTER", "", "")
	p.must(c.Close())
	if err := c.Send(nil); !errors.Is(err, foreignnet.ErrClosed) {
		t.Errorf("Send after Close = %v, want %v", err, foreignnet.ErrClosed)
	}
	if n := p.node.Stats().Dropped.Foreign; n != 1 {
		t.Errorf("Foreign = %d, want 1", n)
	}
}

// Beacons that a test sends, as a peer or as nobody.
func TestPeer_beacons(t *testing.T) {
	p := startPair(t, foreignnet.Options{Kind: foreign.Pyre, Quiet: true})
	p.expect("ENTER", "", "") // the node's beacons are heard
	p.must(p.peer.Announce())
	p.must(p.peer.Goodbye())
	p.expect("EXIT", "", "")
	p.must(foreignnet.Broadcast(p.port, []byte("noise"), foreign.AppendBeacon(nil, p.uuid, 0)))
	p.expectAtPeer(foreign.Exit, "", "")
	p.must(p.peer.SendDatagrams([]byte("ZRE")))
	if _, err := p.peer.WaitEvent(p.ctx, 1, func(e foreign.Event) bool { return e.Type == foreign.Crashed }); err != nil {
		t.Errorf("pyre survives a datagram of 3 bytes: %v", err)
	}
}

// Peers without beacons are told of a node. A connection may have a limit.
func TestPeer_noBeacons(t *testing.T) {
	one := startAlone(t, foreignnet.Options{Kind: foreign.Libzyre, Name: "one", Gossip: true})
	two := startAlone(t, foreignnet.Options{Kind: foreign.Pyre, Name: "two"})
	if err := one.Meet(two.UUID(), two.Endpoint()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for _, pair := range [][2]*foreignnet.Peer{{one, two}, {two, one}} {
		a, b := pair[0], pair[1]
		if _, err := a.WaitEvent(ctx, 1, foreignnet.IsEvent(foreign.Enter, b.UUID())); err != nil {
			t.Fatal(err)
		}
		if e := a.Events(); len(e) != 1 || e[0].Name != b.Name() || !a.HasEntered(b.UUID()) {
			t.Errorf("%s saw %v, want ENTER of %s", a.Name(), e, b.Name())
		}
		if n := a.CountMessages(foreignnet.IsMessageFrom(foreign.HelloID, b.UUID())); n != 1 {
			t.Errorf("%s got %d HELLOs, want 1", a.Name(), n)
		}
	}
	c, err := one.Connect("tcp://127.0.0.1:1", foreignnet.ConnOptions{HighWater: 1}) // nobody is there
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Say(foreign.Message{ID: foreign.PingID}); err != nil {
		t.Errorf("Say = %v, want nil", err)
	}
	if err := c.Say(foreign.Message{ID: foreign.PingID}); !errors.Is(err, foreignnet.ErrFull) {
		t.Errorf("Say on a full connection = %v, want %v", err, foreignnet.ErrFull)
	}
	if err := one.Stop(); err != nil { // GOODBYE, which pyre does not know
		t.Errorf("Stop() = %v, want nil", err)
	}
	if _, err := two.WaitEvent(ctx, 1, foreignnet.IsEvent(foreign.Exit, one.UUID())); err != nil {
		t.Error(err)
	}
}

func startAlone(t *testing.T, opts foreignnet.Options) *foreignnet.Peer {
	t.Helper()
	p, err := foreignnet.Start(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p
}

func TestPeer_closed(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	p, err := foreignnet.Start(ctx, foreignnet.Options{Kind: foreign.Gyre})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Announce(); err == nil {
		t.Error("Announce without a UDP port = nil, want an error")
	}
	cancel()
	if _, err := p.WaitEvent(t.Context(), 1, foreignnet.IsEvent(foreign.Enter, p.UUID())); !errors.Is(err, foreignnet.ErrClosed) {
		t.Errorf("WaitEvent of a closed peer = %v, want %v", err, foreignnet.ErrClosed)
	}
	for name, err := range map[string]error{"Close": p.Close(), "Stop": p.Stop()} {
		if err != nil {
			t.Errorf("%s of a closed peer = %v, want nil", name, err)
		}
	}
	for name, err := range map[string]error{
		"Join": p.Join("G"), "Whisper": p.Whisper(p.UUID()), "Freeze": p.Freeze(), "Goodbye": p.Goodbye(),
	} {
		if !errors.Is(err, foreignnet.ErrClosed) {
			t.Errorf("%s of a closed peer = %v, want %v", name, err, foreignnet.ErrClosed)
		}
	}
	if _, err := foreignnet.Start(t.Context(), foreignnet.Options{Kind: "jyre"}); err == nil {
		t.Error("Start(jyre) = nil, want an error")
	}
	if _, err := foreignnet.Start(t.Context(), foreignnet.Options{Host: "192.0.2.1"}); err == nil {
		t.Error("Start on an address that is not ours = nil, want an error")
	}
}
