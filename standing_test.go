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
