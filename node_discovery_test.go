package zyre

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-zyre/zyre/internal/bubble"
	"github.com/go-zyre/zyre/internal/netif/netiftest"
	"github.com/go-zyre/zyre/internal/transport"
	"github.com/go-zyre/zyre/internal/transport/mem"
	"github.com/go-zyre/zyre/internal/zgossip"
)

// A peer restarts at another endpoint: the node that waits for the old one gets it at once.
func TestNode_claimantOfPeerThatMoved(t *testing.T) {
	s := newSim(t, 1)
	a, b := s.nodes(2)[0], s.hosts[1].(*simNode)
	s.run(2 * time.Second)
	endpoint := b.endpoint
	s.kill(b)
	c := s.node(func(_ *config, site *simSite) { site.endpoint = endpoint })
	c.sight(a.uuid, a.endpoint)
	s.settle()
	d := s.node(func(_ *config, site *simSite) { site.uuid = b.uuid })
	d.sight(a.uuid, a.endpoint)
	s.run(4 * time.Second)
	simConnected(s)
}

// The endpoint of another live peer in a HELLO: no event for the forger, and the
// peer stays. Once it is really gone, the endpoint's new owner enters.
func TestNode_claimantOfEndpoint(t *testing.T) {
	s := newSim(t, 1)
	a, b := s.nodes(2)[0], s.hosts[1].(*simNode)
	s.run(2 * time.Second)
	forger := [16]byte{1}
	for range 20 {
		a.hear(forger, 1, simHello(b.endpoint))
		a.sight([16]byte{2}, b.endpoint)
		s.run(time.Second)
	}
	if got := a.sees(); !slices.Equal(got, []string{uuidString(b.uuid)}) || len(a.history) != 1 {
		t.Errorf("sees %.4q, history %q", got, a.history)
	}
	s.run(40 * time.Second) // let the forged claims expire
	s.kill(b)
	c := s.node(func(_ *config, site *simSite) { site.endpoint = b.endpoint })
	c.sight(a.uuid, a.endpoint)
	s.run(2 * time.Second)
	want := []string{"ENTER " + simName(b.uuid), "EXIT " + simName(b.uuid), "ENTER " + simName(c.uuid)}
	if !slices.Equal(a.history, want) {
		t.Errorf("history = %q, want %q", a.history, want)
	}
}

// A goodbye of a peer that has just restarted may be late, from before: it needs
// confirmation. Twice, for a stranger or for ourselves it does nothing.
func TestNode_goodbye(t *testing.T) {
	s := newSim(t, 1)
	a, b := s.nodes(2)[0], s.hosts[1].(*simNode)
	s.run(2 * time.Second)
	a.bye(a.uuid)
	a.bye([16]byte{7})
	s.kill(b)
	c := s.node(func(_ *config, site *simSite) { site.uuid, site.endpoint = b.uuid, b.endpoint })
	c.sight(a.uuid, a.endpoint)
	s.settle()
	a.bye(b.uuid)
	a.bye(b.uuid)
	s.run(5 * time.Second)
	simConnected(s)
	if got := a.count(EventEnter, b.uuid); got != 2 {
		t.Errorf("ENTER events = %d, want 2", got)
	}
	s.stop(c)
	a.bye(b.uuid)
	if got := a.count(EventExit, b.uuid); got != 2 {
		t.Errorf("EXIT events = %d, want 2", got)
	}
}

// Sightings of nodes that do not exist: those half open are bounded, and peers
// that have entered stay.
func TestNode_floodOfSightings(t *testing.T) {
	s := newSim(t, 1)
	a, b := s.nodes(2)[0], s.hosts[1].(*simNode)
	s.run(2 * time.Second)
	for i := range 50_000 {
		uuid := [16]byte{byte(i), byte(i >> 8), byte(i >> 16), 1}
		a.n.zre.sighted(s.now, uuid, "tcp://10.9.9.9:"+string(rune('1'+i%9)))
		a.n.zre.sighted(s.now, uuid, simEndpoint(i))
		if i%500 == 0 {
			s.now = s.now.Add(50 * time.Millisecond)
		}
	}
	a.turn()
	if got := len(a.n.zre.peers); got > maxHalfOpen+1 {
		t.Errorf("peers = %d, want at most %d", got, maxHalfOpen+1)
	}
	if len(a.n.zre.throttles) > maxThrottles {
		t.Errorf("histories = %d", len(a.n.zre.throttles))
	}
	s.run(45 * time.Second)
	simConnected(s)
	if got := a.count(EventEnter, b.uuid); got != 1 || len(a.history) != 1 {
		t.Errorf("history = %q, want one ENTER", a.history)
	}
	if got := len(a.n.zre.peers); got != 1 {
		t.Errorf("peers in the end = %d, want 1", got)
	}
}

func simEndpoint(i int) string {
	return "tcp://10." + string(rune('1'+i%7)) + ".0.1:" + string(rune('1'+i%9)) + string(rune('0'+i/9%10)) + string(rune('0'+i/90%10))
}

var errBroken = errors.New("broken")

// A message could not be sent: the peer has to go, whatever it says meanwhile, for
// it can't know that it misses something.
func TestNode_failedSendEndsPeer(t *testing.T) {
	s := newSim(t, 1)
	a, b := s.nodes(2)[0], s.hosts[1].(*simNode)
	s.run(2 * time.Second)
	a.whisper(b.uuid)
	s.settle()
	conn, z := s.conn(a, b.endpoint), a.n.zre
	conn.broken = errBroken
	z.addWhisper(&message{peer: b.uuid, payload: []byte("w 1 2")})
	z.sendWhispers(s.now)
	conn.broken = nil
	ping := appendPlain(nil, PingID, b.n.zre.peers[a.uuid].out.last+1)
	z.receive(s.now, &transport.Packet{From: appendIdentity(nil, b.uuid), Header: ping})
	b.n.zre.peers[a.uuid].out.last++
	a.told[b.uuid]++
	z.addWhisper(&message{peer: b.uuid, payload: []byte("w 1 3")})
	z.sendWhispers(s.now)
	a.turn()
	s.run(5 * time.Second)
	simConnected(s)
	if got := a.count(EventExit, b.uuid); got != 1 {
		t.Errorf("EXIT events = %d, want 1", got)
	}
}

// A peer with a gap in its sequence lives, so nobody else gets its endpoint.
func TestNode_gapRejectsClaimant(t *testing.T) {
	s := newSim(t, 1)
	a, b := s.nodes(2)[0], s.hosts[1].(*simNode)
	s.run(2 * time.Second)
	forger := [16]byte{1}
	a.hear(forger, 1, simHello(b.endpoint))
	a.hear(b.uuid, 99, NewZreMsg(PingID))
	s.run(5 * time.Second)
	simConnected(s)
	if a.peers[uuidString(forger)] != nil {
		t.Error("events about the forger, want none")
	}
}

// A new process took over the endpoint of one that was killed. Words of the dead
// one that come late must not cost the new one its HELLO.
func TestNode_claimantKeepsItsHello(t *testing.T) {
	s := newSim(t, 1)
	a := s.node(nil)
	old := [16]byte{1}
	endpoint := "tcp://10.0.0.1:9"
	a.hear(old, 1, simHello(endpoint))
	s.conn(a, endpoint).lose(1)
	b := s.node(func(_ *config, site *simSite) { site.endpoint = endpoint })
	b.sight(a.uuid, a.endpoint)
	s.settle()
	a.hear(old, 2, NewZreMsg(PingOkID))
	s.run(4 * time.Second)
	simConnected(s)
	if got := a.count(EventExit, old); got != 1 {
		t.Errorf("EXIT events of the dead peer = %d, want 1", got)
	}
}

// A HELLO is lost with its connection. The peer, which believes to have said it,
// goes on with other messages: that is how it shows.
func TestNode_lostHelloHeals(t *testing.T) {
	s := newSim(t, 1)
	a, b := s.node(nil), s.node(nil)
	b.sight(a.uuid, a.endpoint)
	s.conn(b, a.endpoint).lose(1)
	a.sight(b.uuid, b.endpoint)
	s.run(10 * time.Second)
	simConnected(s)
	if got := b.count(EventEnter, a.uuid); got > 2 {
		t.Errorf("ENTER events = %d, want at most 2", got)
	}
}

// A claimant that died while it waited must not enter when the holder expires.
func TestNode_claimantDies(t *testing.T) {
	s, a, holder := simStranger(t)
	claimant := [16]byte{2}
	a.hear(claimant, 1, simHello("tcp://10.0.0.9:9"))
	a.hear(holder, 2, NewZreMsg(PingOkID))
	s.run(2 * defaultExpired)
	want := []string{"ENTER 0100", "EVASIVE 0100", "SILENT 0100", "EXIT 0100"}
	if !slices.Equal(a.history, want) {
		t.Errorf("history = %q, want %q", a.history, want)
	}
}

// Endpoints that mean something to one host only are believed by nodes whose application
// uses such.
func TestNode_localEndpoints(t *testing.T) {
	lan, host := "tcp://10.0.0.7:9", "tcp://127.0.0.1:9"
	for name, c := range map[string]struct {
		change func(cfg *config)
		taken  bool
	}{
		"beacons":            {func(*config) {}, false},
		"gossip":             {func(cfg *config) { cfg.gossip.binds = []string{"tcp://*:*"} }, false},
		"endpoint":           {func(cfg *config) { cfg.endpoint = "tcp://10.0.0.1:*" }, false},
		"required":           {func(cfg *config) { cfg.require(requiredPeer{endpoint: lan}) }, false},
		"local hub":          {func(cfg *config) { cfg.gossip.hubs = []gossipHub{{endpoint: "tcp://localhost:9"}} }, true},
		"ipc hub":            {func(cfg *config) { cfg.gossip.binds = []string{"ipc://hub"} }, true},
		"local endpoint":     {func(cfg *config) { cfg.endpoint = "tcp://127.0.0.1:*" }, true},
		"IPv6":               {func(cfg *config) { cfg.endpoint = "tcp://[::1]:*" }, true},
		"inproc":             {func(cfg *config) { cfg.endpoint = "inproc://a" }, true},
		"local and required": {func(cfg *config) { cfg.require(requiredPeer{endpoint: host}) }, true},
	} {
		n := newSim(t, 1).node(func(cfg *config, _ *simSite) { c.change(cfg) }).n
		for _, endpoint := range []string{lan, host, "tcp://[::1]:9", "ipc:///run/a", "inproc://a"} {
			_, err := n.zre.reachable(endpoint, transport.NamedHere)
			if taken := err == nil; taken != (c.taken || endpoint == lan) {
				t.Errorf("%s: reachable(%s) = %v", name, endpoint, err)
			}
		}
	}
}

// Whatever gossip tells, what a node keeps and tries is bounded, and ends with it.
func TestNode_hostileTuples(t *testing.T) {
	s := newSim(t, 1)
	a := s.node(func(cfg *config, _ *simSite) { cfg.gossip.binds = []string{"tcp://*:*"} })
	b := s.node(nil)
	s.run(2 * time.Second)
	tell := func(key, value string, gone bool) {
		a.n.tuple(s.now, zgossip.Tuple{Key: key, Value: value, Gone: gone})
	}
	for _, key := range []string{"", "x", strings.Repeat("Z", 32), a.n.zre.id, uuidString(b.uuid), uuidString([16]byte{9})} {
		for _, value := range []string{
			"", "|", "x", "|key", "tcp://", "tcp://10.0.0.9:0", "tcp://*:*", "ipc:///run/x", "tcp://127.0.0.1:1",
			a.endpoint, b.endpoint, a.endpoint + "|x", "tcp://10.0.0.9:9|", "tcp://no.invalid:1|||", strings.Repeat("v", 1024),
		} {
			tell(key, value, false)
			tell(key, value, true)
			if err := simInvariants(a.n); err != nil {
				t.Fatalf("tuple %q = %q: %v", key, value, err)
			}
		}
	}
	many := func(gone bool) {
		for i := range maxKnownNodes + 2000 {
			tell(fmt.Sprintf("%032X", i+1), fmt.Sprintf("tcp://10.9.%d.%d:9", i/250, i%250), gone)
		}
	}
	many(false)
	s.run(time.Minute)
	if half := len(a.n.zre.peers) - a.n.zre.entered; len(a.n.zre.known) > maxKnownNodes || half > maxHalfOpen {
		t.Errorf("%d known nodes, %d half open, want at most %d and %d", len(a.n.zre.known), half, maxKnownNodes, maxHalfOpen)
	}
	many(true)
	if len(a.n.zre.known) != 0 || len(a.n.zre.peers) != 1 {
		t.Errorf("%d known nodes, %d peers after all are gone, want 0 and 1", len(a.n.zre.known), len(a.n.zre.peers))
	}
	if n := a.count("ENTER", b.uuid); n != 1 || len(a.history) != 1 {
		t.Errorf("history = %q, want one ENTER", a.history)
	}
}

// A node that looks every second where it can be reached, because of hubs or required peers,
// announces no more often for that.
func TestNode_intervalWithRoutes(t *testing.T) {
	for name, set := range map[string]func(z *Zyre){
		"no routes": func(*Zyre) {},
		"required":  func(z *Zyre) { must(t, "RequirePeer", z.RequirePeer("", "tcp://10.0.9.9:9", "")) },
		"gossip":    func(z *Zyre) { z.SetPort(defaultPort).GossipConnect("tcp://10.0.9.9:9") },
		"endpoint":  func(z *Zyre) { z.SetPort(defaultPort).GossipConnect("tcp://10.0.9.9:9").SetEndpoint("tcp://*:9") },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				z := newMemNode(mem.New(1), "z").SetInterval(10 * time.Second)
				set(z)
				mustStart(t, z)
				defer z.Stop()
				bubble.Sleep(65 * time.Second)
				if sent := z.Stats().Beacon.Sent; sent != 7 {
					t.Errorf("%d beacons in 65 s at an interval of 10 s, want 7", sent)
				}
			})
		})
	}
}

// A link comes on which the node's port is taken: it is announced on the others as before, and
// there once the port is free.
func TestNode_portTakenOnOneLink(t *testing.T) {
	f := newFakeNet(netiftest.Eth)
	place := "tcp://198.51.100.7:77"
	in := &portInbox{taken: map[string]bool{place: true}}
	synctest.Test(t, func(t *testing.T) {
		cfg := defaultConfig()
		cfg.iface, cfg.peerPort = "*", 77
		n := newNode([16]byte{9}, cfg, seams{interfaces: f.interfaces, newBeacon: func(c beaconConfig) *Beacon {
			c.interfaces, c.listen = f.interfaces, f.listen
			return newBeacon(c)
		}}, newEventQueue(newEventChannel(), defaultQueueLimit))
		n.binder = newBinder(&cfg, in, n.log)
		if err := n.startDiscovery(time.Now()); err != nil {
			t.Fatal(err)
		}
		defer n.closeDiscovery()
		run := func(what string, want map[string]int) {
			t.Helper()
			f.take()
			for range 10 {
				bubble.Sleep(time.Second)
				select {
				case links := <-n.beacon.linkChanges:
					n.relocate(time.Now(), links)
				default:
				}
				n.watch(time.Now())
			}
			got := map[string]int{}
			for _, s := range f.take() {
				got[s.on]++
			}
			if len(got) != len(want) || got["eth0"] < want["eth0"] || got["wlan0"] < want["wlan0"] {
				t.Errorf("%s: sent %v in 10 s, want at least %v", what, got, want)
			}
		}
		run("one link", map[string]int{"eth0": 10})
		f.set(func() { f.host = append(f.host, netiftest.Wlan) })
		run("port taken on the other", map[string]int{"eth0": 9})
		delete(in.taken, place)
		run("port free", map[string]int{"eth0": 9, "wlan0": 8})
		if want := []string{"+192.0.2.7:77", "+198.51.100.7:77"}; !slices.Equal(in.calls, want) {
			t.Errorf("the inbox does %q, want %q", in.calls, want)
		}
	})
}
