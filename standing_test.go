package zyre

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	zmq "github.com/pebbe/zmq4"

	"github.com/go-zyre/zyre/internal/zgossip"
)

// A required peer comes up late, goes, and comes back, and each time it enters.
func TestZyre_requiredPeerComesAndGoes(t *testing.T) {
	a, b := newStaticNode(t, "alice"), newStaticNode(t, "bob")
	mustStart(t, b)
	at := firstEndpoint(b)
	b.Stop()
	port := at[strings.LastIndexByte(at, ':'):]
	if err := a.RequirePeer(b.UUID(), "tcp://localhost"+port, ""); err != nil {
		t.Fatal(err)
	}
	mustStart(t, a) // RequirePeer before Start, with a host name
	ra := record(a)
	pause(1500 * time.Millisecond) // the time that bob is late
	if err := b.SetEndpoint("%s", at); err != nil {
		t.Fatal(err)
	}
	for times := 1; times <= 2; times++ {
		start := time.Now()
		eventually(t, "bob starts", func() bool { return b.Start() == nil })
		ra.wait(t, "ENTER bob", times)
		t.Logf("entered %v after its start", time.Since(start))
		start = time.Now()
		b.Stop()
		ra.wait(t, "EXIT bob", times)
		if took := time.Since(start); took > time.Second {
			t.Errorf("EXIT %v after Stop, want less than 1s", took)
		}
	}
}

// Nodes meet at every kind of endpoint.
func TestZyre_endpointKinds(t *testing.T) {
	for _, kind := range []string{"tcp://127.0.0.1:*", "ipc", "inproc"} {
		t.Run(kind, func(t *testing.T) {
			checkLeaks(t)
			var nodes []*Zyre
			for _, name := range []string{"alice", "bob"} {
				z := NewZyre(context.Background()).SetName(name)
				t.Cleanup(z.Stop)
				endpoint := kind
				switch kind {
				case "ipc":
					endpoint = "ipc://" + t.TempDir() + "/" + name
				case "inproc":
					endpoint = "inproc://kind-" + name
				}
				if err := z.SetEndpoint("%s", endpoint); err != nil {
					t.Fatal(err)
				}
				mustStart(t, z)
				nodes = append(nodes, z)
			}
			a, b := nodes[0], nodes[1]
			if err := a.RequirePeer(b.UUID(), firstEndpoint(b), ""); err != nil {
				t.Fatal(err)
			}
			ra, rb := record(a), record(b)
			ra.wait(t, "ENTER bob", 1)
			rb.wait(t, "ENTER alice", 1)
			b.Whispers(a.UUID(), "hello")
			ra.wait(t, "WHISPER bob hello", 1)
			a.Stop()
			b.Stop()
		})
	}
}

// Whichever of beacon, gossip and RequirePeer finds a peer first, it enters once.
func TestZyre_waysToMeet(t *testing.T) {
	for _, first := range []string{"beacon", "gossip", "required"} {
		t.Run(first, func(t *testing.T) {
			port := freeUDPPort(t)
			a, b := newLoopbackNode(t, "alice", port), newLoopbackNode(t, "bob", port)
			hub := newStaticNode(t, "hub")
			hub.GossipBind("tcp://127.0.0.1:*")
			mustStart(t, hub)
			for _, z := range []*Zyre{a, b} {
				z.GossipConnect("%s", hub.GossipEndpoint())
			}
			mustStart(t, a)
			ra := record(a)
			ra.wait(t, "ENTER hub", 1)
			at := firstEndpoint(a)
			tell := map[string]func(n *node, now time.Time){
				"beacon": func(n *node, now time.Time) {
					var number uint16
					fmt.Sscanf(at, "tcp://127.0.0.1:%d", &number)
					datagram, _ := newBeaconMsg(a.uuid, number).append(nil)
					n.signal(now, &Signal{Addr: "127.0.0.1", Transmit: datagram})
				},
				"gossip": func(n *node, now time.Time) { n.expect(now, a.uuid, &standing{endpoint: at}) },
				"required": func(n *node, now time.Time) {
					n.expect(now, a.uuid, &standing{endpoint: at, required: true})
				},
			}
			mustStart(t, b)
			rb := record(b)
			b.configure(tell[first])
			for _, fn := range tell {
				b.configure(fn)
			}
			ra.wait(t, "ENTER bob", 1)
			rb.wait(t, "ENTER alice", 1)
			pause(500 * time.Millisecond) // for anything that should not come
			for _, r := range []*recorder{ra, rb} {
				if enters, exits := r.count("ENTER"), r.count("EXIT"); enters != 2 || exits != 0 {
					t.Errorf("%s saw %d ENTER and %d EXIT, want 2 and 0:\n%s", r.name, enters, exits, r)
				}
			}
		})
	}
}

// mutePeer says HELLO to a node and nothing else, ever.
func mutePeer(t *testing.T, to *Zyre) {
	t.Helper()
	d := newRawDealer(t, to, [16]byte{9}, "", "", "")
	inbox, err := zmq.NewSocket(zmq.ROUTER)
	if err == nil {
		err = inbox.Bind("tcp://127.0.0.1:*")
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { inbox.Close() })
	at, err := inbox.GetLastEndpoint()
	if err != nil {
		t.Fatal(err)
	}
	d.send(1, simHello(at, "hall"))
}

func TestZyre_silence(t *testing.T) {
	a, patient := newStaticNode(t, "alice"), newStaticNode(t, "patient")
	a.SetEvasiveTimeout(200 * time.Millisecond).SetSilentTimeout(500 * time.Millisecond).SetExpiredTimeout(900 * time.Millisecond)
	mustStart(t, a)
	mustStart(t, patient)
	ra, rp := record(a), record(patient)
	mutePeer(t, a)
	mutePeer(t, patient)
	rp.wait(t, "ENTER stranger", 1)
	ra.wait(t, "JOIN stranger hall", 1)
	if got := a.PeerGroups(); !slices.Equal(got, []string{"hall"}) {
		t.Errorf("PeerGroups() = %q, want hall", got)
	}
	ra.wait(t, "EXIT stranger", 1)
	a.Stop()
	<-ra.done
	var types []string
	seen, _ := ra.events()
	for _, e := range seen {
		types = append(types, e.Type)
	}
	if want := []string{"ENTER", "JOIN", "EVASIVE", "SILENT", "EXIT", "STOP"}; !slices.Equal(types, want) {
		t.Errorf("events = %q, want %q", types, want)
	}
	if n := rp.count("EVASIVE") + rp.count("EXIT"); n != 0 {
		t.Errorf("a node with default timeouts saw %d EVASIVE and EXIT, want 0", n)
	}
}

func TestZyre_queries(t *testing.T) {
	a, b := newStaticNode(t, "alice"), newStaticNode(t, "bob")
	b.SetHeader("X-ROLE", "cook").SetHeader("X-EMPTY", "").Join("kitchen")
	a.Join("hall")
	mustStart(t, a)
	mustStart(t, b)
	if err := a.RequirePeer(b.UUID(), firstEndpoint(b), ""); err != nil {
		t.Fatal(err)
	}
	ra := record(a)
	record(b)
	ra.wait(t, "JOIN bob kitchen", 1)
	id := strings.ToLower(b.UUID())
	value, ok := a.PeerHeaderValue(id, "X-ROLE")
	_, empty := a.PeerHeaderValue(id, "X-EMPTY")
	_, missing := a.PeerHeaderValue(id, "X-NONE")
	got := []any{a.Peers(), a.PeersByGroup("kitchen"), a.PeersByGroup("none"), a.OwnGroups(), a.PeerGroups(), a.PeerName(id), a.PeerAddress(id), value, ok, empty, missing}
	want := []any{[]string{b.UUID()}, []string{b.UUID()}, []string(nil), []string{"hall"}, []string{"kitchen"}, "bob", firstEndpoint(b), "cook", true, true, false}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("queries = %v, want %v", got, want)
	}
	var dump bytes.Buffer
	a.Dump(&dump)
	for _, s := range []string{a.UUID(), b.UUID(), `"kitchen"`, "X-ROLE=cook", firstEndpoint(a)} {
		if !strings.Contains(dump.String(), s) {
			t.Errorf("Dump() lacks %q:\n%s", s, &dump)
		}
	}
	for _, peer := range []string{"", "nonsense", a.UUID(), strings.Repeat("0", 32)} {
		value, ok := a.PeerHeaderValue(peer, "X-ROLE")
		if name, addr := a.PeerName(peer), a.PeerAddress(peer); name+addr+value != "" || ok {
			t.Errorf("queries of peer %q = %q %q %q %t, want nothing", peer, name, addr, value, ok)
		}
	}
	b.Leave("kitchen")
	ra.wait(t, "LEAVE bob kitchen", 1)
	if got := a.PeerGroups(); len(got) != 0 {
		t.Errorf("PeerGroups() after the last member left = %q, want none", got)
	}
}

// What a node advertises is where its peers connect to, also with beacons, if its
// HELLO comes before its beacon.
func TestZyre_advertisedEndpointIsUsed(t *testing.T) {
	a, b := newStaticNode(t, "alice"), newStaticNode(t, "bob")
	tap := newWiretap(t, func() string { return firstEndpoint(b) })
	at := "tcp://" + tap.Addr().String()
	b.SetAdvertisedEndpoint(at)
	mustStart(t, a)
	mustStart(t, b)
	if err := b.RequirePeer(a.UUID(), firstEndpoint(a), ""); err != nil {
		t.Fatal(err)
	}
	ra := record(a)
	record(b)
	ra.wait(t, "ENTER bob", 1)
	if got := a.PeerAddress(b.UUID()); got != at {
		t.Errorf("PeerAddress(bob) = %q, want the advertised %q", got, at)
	}
	a.Whispers(b.UUID(), "through the proxy")
	eventually(t, "the proxy passes it on", func() bool { return tap.contains("through the proxy") })
	a.Stop()
	b.Stop()
}

// A required endpoint where nobody is, or somebody else, does not keep a peer out that
// gossip has told of us.
func TestZyre_wrongRequiredEndpoint(t *testing.T) {
	a, b := newStaticNode(t, "alice"), newStaticNode(t, "bob")
	quickTimeouts(a, 200*time.Millisecond, patience)
	a.GossipBind("tcp://127.0.0.1:*")
	if err := a.RequirePeer(b.UUID(), "tcp://127.0.0.1:1", ""); err != nil {
		t.Fatal(err)
	}
	mustStart(t, a)
	b.GossipConnect("%s", a.GossipEndpoint())
	mustStart(t, b)
	ra, rb := record(a), record(b)
	rb.wait(t, "ENTER alice", 1)
	a.Whispers(b.UUID(), "here")
	rb.wait(t, "WHISPER alice here", 1)
	if n, m := ra.count("ENTER bob"), ra.count("EXIT bob"); n != 1 || m != 0 {
		t.Errorf("alice saw %d ENTER and %d EXIT of bob, want 1 and 0:\n%s", n, m, ra)
	}
	if got := a.PeerAddress(b.UUID()); got != firstEndpoint(b) {
		t.Errorf("PeerAddress(bob) = %q, want %q", got, firstEndpoint(b))
	}
}

// A node with beacons says GOODBYE to a peer that hears none, also if that was required
// only after Start.
func TestZyre_requiredWhileRunning(t *testing.T) {
	a, b := newLoopbackNode(t, "alice", freeUDPPort(t)), newStaticNode(t, "bob")
	mustStart(t, a)
	mustStart(t, b)
	for range 3 {
		if err := a.RequirePeer(b.UUID(), firstEndpoint(b), ""); err != nil {
			t.Fatal(err)
		}
	}
	rb := record(b)
	rb.wait(t, "ENTER alice", 1)
	a.Stop()
	rb.wait(t, "EXIT alice", 1)
	if n := len(a.cfg.required); n != 1 {
		t.Errorf("a peer that was required 3 times is kept %d times, want 1", n)
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
			_, err := n.helloEndpoint(endpoint)
			if taken := err == nil; taken != (c.taken || endpoint == lan) {
				t.Errorf("%s: helloEndpoint(%s) = %v", name, endpoint, err)
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
	for _, key := range []string{"", "x", strings.Repeat("Z", 32), a.n.id, uuidString(b.uuid), uuidString([16]byte{9})} {
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
		for i := range maxStanding + 2000 {
			tell(fmt.Sprintf("%032X", i+1), fmt.Sprintf("tcp://10.9.%d.%d:9", i/250, i%250), gone)
		}
	}
	many(false)
	s.run(time.Minute)
	if half := len(a.n.peers) - a.n.known.len(); len(a.n.standing) > maxStanding || half > maxHalfOpen {
		t.Errorf("%d standing nodes, %d half open, want at most %d and %d", len(a.n.standing), half, maxStanding, maxHalfOpen)
	}
	many(true)
	if len(a.n.standing) != 0 || len(a.n.peers) != 1 {
		t.Errorf("%d standing nodes, %d peers after all are gone, want 0 and 1", len(a.n.standing), len(a.n.peers))
	}
	if n := a.count("ENTER", b.uuid); n != 1 || len(a.history) != 1 {
		t.Errorf("history = %q, want one ENTER", a.history)
	}
}
