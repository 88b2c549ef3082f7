package local_test

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	zmq "github.com/pebbe/zmq4"

	"github.com/go-zyre/zyre"
	"github.com/go-zyre/zyre/e2e/kit"
	"github.com/go-zyre/zyre/e2e/watch"
	"github.com/go-zyre/zyre/internal/zgossip"
)

// A node that restarts on the same port under another UUID leaves an old tuple behind
// when it was killed. Nobody loops because of it.
func TestZyre_gossipRestartOnSameEndpoint(t *testing.T) {
	for _, killed := range []bool{false, true} {
		t.Run(fmt.Sprint("killed=", killed), func(t *testing.T) {
			hub, b := kit.NewStaticNode(t, "hub"), kit.NewStaticNode(t, "bob")
			hub.GossipBind("tcp://127.0.0.1:*")
			kit.MustStart(t, hub)
			b.GossipConnect("%s", hub.GossipEndpoint())
			kit.MustStart(t, b)
			rh := watch.Record(hub)
			rh.Wait(t, "ENTER bob", 1)
			at, old := kit.Endpoint(t, b), b.UUID()
			b.Stop()
			again := kit.NewStaticNode(t, "bob")
			again.GossipConnect("%s", hub.GossipEndpoint())
			if err := again.SetEndpoint("%s", at); err != nil {
				t.Fatal(err)
			}
			if killed { // what a node leaves that had no time to take it back
				newGossip(t, hub.GossipEndpoint()).publish(old, at)
				newGossip(t, hub.GossipEndpoint()).wait(old, true)
			}
			watch.Until(t, "bob starts again", func() bool { return again.Start() == nil })
			rh.Wait(t, "ENTER bob", 2)
			late := kit.NewStaticNode(t, "late")
			late.GossipConnect("%s", hub.GossipEndpoint())
			kit.MustStart(t, late)
			rl := watch.Record(late)
			rl.Wait(t, "ENTER bob", 1)
			rl.Wait(t, "ENTER hub", 1)
			watch.Until(t, "the hub has asked bob, who has the old one's endpoint, whether he is there", func() bool {
				return !killed || peerStats(hub, again.UUID()).Received > 0
			})
			ra := watch.Record(again)
			ra.Wait(t, "ENTER hub", 1)
			ra.Wait(t, "ENTER late", 1)
			again.Whispers(hub.UUID(), "still here")
			again.Whispers(late.UUID(), "still here")
			rh.Wait(t, "WHISPER bob still here", 1)
			rl.Wait(t, "WHISPER bob still here", 1)
			if n, m := rh.Count("ENTER bob"), rh.Count("EXIT bob"); n != 2 || m != 1 {
				t.Errorf("the hub saw %d ENTER and %d EXIT of bob, want 2 and 1:\n%s", n, m, rh)
			}
			if n, m := rl.Count("ENTER"), rl.Count("EXIT"); n != 2 || m != 0 {
				t.Errorf("a newcomer saw %d ENTER and %d EXIT, want 2 and 0:\n%s", n, m, rl)
			}
		})
	}
}

// Wildcards are resolved before they are announced, and no UDP socket is open.
func TestZyre_gossipAnnouncesRealAddress(t *testing.T) {
	before := udpSockets(t)
	hub, a := kit.NewStaticNode(t, "hub"), kit.NewStaticNode(t, "alice")
	hub.GossipBind("tcp://127.0.0.1:*")
	for _, z := range []*zyre.Zyre{hub, a} {
		if err := z.SetEndpoint("tcp://*:*"); err != nil {
			t.Fatal(err)
		}
	}
	kit.MustStart(t, hub)
	a.GossipConnect("%s", hub.GossipEndpoint())
	kit.MustStart(t, a)
	rh := watch.Record(hub)
	rh.Wait(t, "ENTER alice", 1)
	if got := hub.PeerAddress(a.UUID()); !strings.HasPrefix(got, "tcp://127.0.0.1:") || strings.HasSuffix(got, "*") {
		t.Errorf("PeerAddress(alice) = %q, want an address of lo and a port", got)
	}
	if strings.Contains(hub.GossipEndpoint(), "*") {
		t.Errorf("GossipEndpoint() = %q, want a port", hub.GossipEndpoint())
	}
	if after := udpSockets(t); after > before {
		t.Errorf("%d UDP sockets with gossip, %d before; want no more", after, before)
	}
}

// udpSockets counts the UDP sockets of this process.
func udpSockets(t *testing.T) (n int) {
	t.Helper()
	inodes := map[string]bool{}
	for _, path := range []string{"/proc/self/net/udp", "/proc/self/net/udp6"} {
		f, err := os.Open(path)
		if err != nil {
			t.Skip("cannot list sockets: ", err)
		}
		for s := bufio.NewScanner(f); s.Scan(); {
			if fields := strings.Fields(s.Text()); len(fields) > 9 {
				inodes["socket:["+fields[9]+"]"] = true
			}
		}
		f.Close()
	}
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("cannot list descriptors: ", err)
	}
	for _, e := range entries {
		if target, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil && inodes[target] {
			n++
		}
	}
	return n
}

// A node takes its own tuple back everywhere; another's is forgotten by that node alone.
func TestZyre_gossipUnpublish(t *testing.T) {
	hub, a := kit.NewStaticNode(t, "hub"), kit.NewStaticNode(t, "alice")
	hub.GossipBind("tcp://127.0.0.1:*")
	kit.MustStart(t, hub)
	a.GossipConnect("%s", hub.GossipEndpoint()).GossipBind("tcp://127.0.0.1:*")
	kit.MustStart(t, a)
	ra := watch.Record(a)
	ra.Wait(t, "ENTER hub", 1)
	atHub, atAlice := newGossip(t, hub.GossipEndpoint()), newGossip(t, a.GossipEndpoint())
	for _, g := range []*gossip{atHub, atAlice} {
		g.wait(hub.UUID(), true)
		g.wait(a.UUID(), true)
	}
	a.GossipUnpublish(hub.UUID())
	// A newcomer is told all that alice still knows, and then what comes after it.
	late := newGossip(t, a.GossipEndpoint())
	late.wait(a.UUID(), true)
	atAlice.publish("marker", "tcp://127.0.0.1:1")
	late.wait("marker", true)
	if late.knows(hub.UUID()) {
		t.Error("alice still tells of the hub, which she was to forget")
	}
	a.GossipUnpublish(strings.ToLower(a.UUID())).GossipUnpublish("nonsense")
	atHub.wait(a.UUID(), false)
	if !atHub.knows(hub.UUID()) {
		t.Error("the hub's tuple is gone, want alice alone to forget it")
	}
	if n := ra.Count("EXIT"); n != 0 {
		t.Errorf("alice saw %d EXIT, want 0", n)
	}
}

// gossip is a member of the gossip network that is no node.
type gossip struct {
	t      *testing.T
	member *zgossip.Gossip

	mu   sync.Mutex
	live map[string]string
}

// newGossip connects to a hub.
func newGossip(t *testing.T, hub string) *gossip {
	t.Helper()
	ctx, err := zmq.NewContext()
	if err != nil {
		t.Fatal(err)
	}
	member, err := zgossip.New(ctx, zgossip.Options{})
	if err != nil {
		t.Fatal(err)
	}
	g := &gossip{t: t, member: member, live: map[string]string{}}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for tuple := range member.Tuples() {
			g.note(tuple)
		}
	}()
	t.Cleanup(func() {
		if err := errors.Join(member.Close(), ctx.Term()); err != nil {
			t.Errorf("close a member of gossip: %v", err)
		}
		<-done
	})
	if err := member.Connect(hub, ""); err != nil {
		t.Fatal(err)
	}
	return g
}

func (g *gossip) note(tuple zgossip.Tuple) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if tuple.Gone {
		delete(g.live, tuple.Key)
	} else {
		g.live[tuple.Key] = tuple.Value
	}
}

func (g *gossip) knows(key string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	_, ok := g.live[key]
	return ok
}

// wait waits until a tuple is known, or is not.
func (g *gossip) wait(key string, known bool) {
	g.t.Helper()
	watch.Until(g.t, fmt.Sprintf("tuple %s is known: %t", key, known), func() bool { return g.knows(key) == known })
}

func (g *gossip) publish(key, value string) {
	g.t.Helper()
	if err := g.member.Publish(key, value); err != nil {
		g.t.Fatal(err)
	}
}

// peerStats returns how a peer of a node stands, or nothing.
func peerStats(z *zyre.Zyre, uuid string) zyre.PeerStats {
	for _, p := range z.Stats().PeerList {
		if p.UUID == uuid {
			return p
		}
	}
	return zyre.PeerStats{}
}

// Stats tell of each hub whether it answers, since when, or why not.
func TestStats_gossip(t *testing.T) {
	hub, secure, z := kit.NewStaticNode(t, "hub"), kit.NewStaticNode(t, "secure"), kit.NewStaticNode(t, "z")
	public, secret := kit.KeyPair(t)
	wrongKey, _ := kit.KeyPair(t)
	hub.GossipBind("tcp://127.0.0.1:*")
	secure.SetZCert(public, secret).GossipBind("tcp://127.0.0.1:*")
	kit.MustStart(t, hub)
	kit.MustStart(t, secure)
	if s := z.Stats().Gossip; s.Hubs != nil {
		t.Errorf("Stats before Start: %+v, want nothing", s)
	}
	before := time.Now()
	dead := fmt.Sprintf("tcp://127.0.0.1:%d", kit.QuietTCPPort(t))
	z.GossipConnect("%s", hub.GossipEndpoint()).GossipConnect("%s", dead).GossipConnectCurve(wrongKey, "%s", secure.GossipEndpoint())
	kit.MustStart(t, z)
	watch.Until(t, "the states of the hubs", func() bool {
		h := z.Stats().Gossip.Hubs
		return len(h) == 3 && h[0].Since.After(before) && h[1].LastError == "nothing answers at this address" &&
			h[2].LastError == "the handshake failed: is the hub's key right?"
	})
	watch.Until(t, "two tuples", func() bool { return z.Stats().Gossip.Tuples == 2 && hub.Stats().Gossip.Clients == 1 })
	var running zyre.GossipStats = z.Stats().Gossip
	if h := running.Hubs; h[0].Endpoint != hub.GossipEndpoint() || h[0].Address != h[0].Endpoint || h[0].LastError != "" || !h[1].Since.IsZero() {
		t.Errorf("Stats: hubs %+v, want the first to answer, at its endpoint", h)
	}
	z.Stop()
	if s := z.Stats().Gossip; len(s.Hubs) != 3 || !s.Hubs[0].Since.Equal(running.Hubs[0].Since) {
		t.Errorf("Stats after Stop: %+v, want as before", s)
	}
	again := kit.NewStaticNode(t, "again")
	again.GossipConnect("%s", hub.GossipEndpoint())
	kit.MustStart(t, again)
	watch.Until(t, "the hub answers", func() bool { return !again.Stats().Gossip.Hubs[0].Since.IsZero() })
	hub.Stop()
	watch.Until(t, "the hub is lost", func() bool {
		var h zyre.GossipHub = again.Stats().Gossip.Hubs[0]
		return h.Since.IsZero() && h.LastError != ""
	})
}
