package local_test

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
	ctx, cancel := context.WithTimeout(t.Context(), watch.Patience)
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
		"HELLO":   func(p *pair) error { return p.peer.SayHelloAgain(p.uuid, 1) },
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
