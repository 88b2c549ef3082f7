package local_test

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-zyre/zyre"
	"github.com/go-zyre/zyre/e2e/kit"
	"github.com/go-zyre/zyre/e2e/leak"
	"github.com/go-zyre/zyre/e2e/watch"
	"github.com/go-zyre/zyre/internal/foreign/foreignnet"
)

// A required peer comes up late, goes, and comes back, and each time it enters.
func TestZyre_requiredPeerComesAndGoes(t *testing.T) {
	a, b := kit.NewStaticNode(t, "alice"), kit.NewStaticNode(t, "bob")
	kit.MustStart(t, b)
	at := kit.Endpoint(t, b)
	b.Stop()
	port := at[strings.LastIndexByte(at, ':'):]
	if err := a.RequirePeer(b.UUID(), "tcp://localhost"+port, ""); err != nil {
		t.Fatal(err)
	}
	kit.MustStart(t, a) // RequirePeer before Start, with a host name
	ra := watch.Record(a)
	watch.Until(t, "alice tries before bob is there", func() bool { return a.Stats().HalfOpen > 0 })
	if err := b.SetEndpoint("%s", at); err != nil {
		t.Fatal(err)
	}
	for times := 1; times <= 2; times++ {
		start := time.Now()
		watch.Until(t, "bob starts", func() bool { return b.Start() == nil })
		ra.Wait(t, "ENTER bob", times)
		t.Logf("entered %v after its start", time.Since(start))
		start = time.Now()
		b.Stop()
		ra.Wait(t, "EXIT bob", times)
		if took := time.Since(start); took > time.Second {
			t.Errorf("EXIT %v after Stop, want less than 1s", took)
		}
	}
}

// A peer that is required by its endpoint alone enters once, whatever kind of endpoint it
// is, with certificates too, and the node itself may be on the list.
func TestZyre_requiredByEndpointAlone(t *testing.T) {
	for _, kind := range []string{"tcp", "secure", "host name", "ipc", "inproc"} {
		t.Run(kind, func(t *testing.T) {
			leak.Check(t)
			a, b := kit.NewStaticNode(t, "alice"), kit.NewStaticNode(t, "bob")
			keys := map[*zyre.Zyre]string{}
			for _, z := range []*zyre.Zyre{a, b} {
				switch kind {
				case "secure":
					public, secret := kit.KeyPair(t)
					z.SetZCert(public, secret)
					keys[z] = public
				case "ipc", "inproc":
					if err := z.SetEndpoint("%s://%s/%s", kind, t.TempDir(), z.Name()); err != nil {
						t.Fatal(err)
					}
				}
			}
			kit.MustStart(t, a, b)
			ra, rb := watch.Record(a), watch.Record(b)
			for _, z := range []*zyre.Zyre{a, b} {
				for _, seed := range []*zyre.Zyre{a, b} {
					at := kit.Endpoint(t, seed)
					if kind == "host name" {
						at = strings.Replace(at, "127.0.0.1", "localhost", 1)
					}
					if err := z.RequirePeer("", at, keys[seed]); err != nil {
						t.Fatal(err)
					}
				}
			}
			ra.Wait(t, "ENTER bob", 1)
			rb.Wait(t, "ENTER alice", 1)
			a.Whispers(b.UUID(), "hello")
			rb.Wait(t, "WHISPER alice hello", 1)
			b.Stop()
			ra.Wait(t, "EXIT bob", 1)
			a.Stop()
			ra.CheckCount(t, "ENTER", 1)
			rb.CheckCount(t, "ENTER", 1)
		})
	}
}

// Nodes meet at every kind of endpoint.
func TestZyre_endpointKinds(t *testing.T) {
	for _, kind := range []string{"tcp://127.0.0.1:*", "ipc", "inproc"} {
		t.Run(kind, func(t *testing.T) {
			leak.Check(t)
			var nodes []*zyre.Zyre
			for _, name := range []string{"alice", "bob"} {
				z := zyre.NewZyre(context.Background()).SetName(name)
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
				kit.MustStart(t, z)
				nodes = append(nodes, z)
			}
			a, b := nodes[0], nodes[1]
			if err := a.RequirePeer(b.UUID(), kit.Endpoint(t, b), ""); err != nil {
				t.Fatal(err)
			}
			ra, rb := watch.Record(a), watch.Record(b)
			ra.Wait(t, "ENTER bob", 1)
			rb.Wait(t, "ENTER alice", 1)
			b.Whispers(a.UUID(), "hello")
			ra.Wait(t, "WHISPER bob hello", 1)
			a.Stop()
			b.Stop()
		})
	}
}

// Whichever of beacon, gossip and RequirePeer finds a peer first, it enters once.
func TestZyre_waysToMeet(t *testing.T) {
	for _, first := range []string{"beacon", "gossip", "required"} {
		t.Run(first, func(t *testing.T) {
			port := kit.FreeUDPPort(t)
			a, b := kit.NewStaticNode(t, "alice"), kit.NewNode(t, "bob", port)
			hub, late := kit.NewStaticNode(t, "hub"), kit.NewStaticNode(t, "late")
			hub.GossipBind("tcp://127.0.0.1:*")
			kit.MustStart(t, hub, a, late)
			b.GossipConnect("%s", hub.GossipEndpoint())
			kit.MustStart(t, b)
			ra, rb := watch.Record(a), watch.Record(b)
			rb.Wait(t, "ENTER hub", 1)
			g := newGossip(t, hub.GossipEndpoint())
			at := kit.Endpoint(t, a)
			tell := map[string]func(){ // bob of alice
				"beacon": func() {
					sendBeacon(t, port, kit.UUIDBytes(t, a), kit.Port(t, at))
				},
				"gossip": func() { g.publish(a.UUID(), at) },
				"required": func() {
					if err := b.RequirePeer(a.UUID(), at, ""); err != nil {
						t.Error(err)
					}
				},
			}
			tell[first]()
			for _, fn := range tell {
				fn()
			}
			ra.Wait(t, "ENTER bob", 1)
			rb.Wait(t, "ENTER alice", 1)
			for _, fn := range tell {
				fn()
			}
			// Of her, bob hears after all that he hears of alice.
			g.publish(late.UUID(), kit.Endpoint(t, late))
			rb.Wait(t, "ENTER late", 1)
			b.Whispers(a.UUID(), "hello")
			ra.Wait(t, "WHISPER bob hello", 1)
			for r, enter := range map[*watch.Log]string{ra: "ENTER bob", rb: "ENTER alice"} {
				if enters, exits := r.Count(enter), r.Count("EXIT"); enters != 1 || exits != 0 {
					t.Errorf("%s saw %d %s and %d EXIT, want 1 and 0:\n%s", r.Name, enters, enter, exits, r)
				}
			}
		})
	}
}

func TestZyre_silence(t *testing.T) {
	a, patient := kit.NewStaticNode(t, "alice"), kit.NewStaticNode(t, "patient")
	a.SetEvasiveTimeout(200 * time.Millisecond).SetSilentTimeout(500 * time.Millisecond).SetExpiredTimeout(900 * time.Millisecond)
	kit.MustStart(t, a)
	kit.MustStart(t, patient)
	ra, rp := watch.Record(a), watch.Record(patient)
	for _, z := range []*zyre.Zyre{a, patient} { // says HELLO and nothing else, ever
		newStranger(t, foreignnet.Options{Name: "stranger"}).sayHello(z, "hall")
	}
	rp.Wait(t, "ENTER stranger", 1)
	ra.Wait(t, "JOIN stranger hall", 1)
	if got := a.PeerGroups(); !slices.Equal(got, []string{"hall"}) {
		t.Errorf("PeerGroups() = %q, want hall", got)
	}
	ra.Wait(t, "EXIT stranger", 1)
	a.Stop()
	<-ra.Done
	var types []string
	seen := ra.Entries()
	for _, e := range seen {
		types = append(types, e.Type)
	}
	if want := []string{"ENTER", "JOIN", "EVASIVE", "SILENT", "EXIT", "STOP"}; !slices.Equal(types, want) {
		t.Errorf("events = %q, want %q", types, want)
	}
	if n := rp.Count("EVASIVE") + rp.Count("EXIT"); n != 0 {
		t.Errorf("a node with default timeouts saw %d EVASIVE and EXIT, want 0", n)
	}
}

func TestZyre_queries(t *testing.T) {
	a, b := kit.NewStaticNode(t, "alice"), kit.NewStaticNode(t, "bob")
	b.SetHeader("X-ROLE", "cook").SetHeader("X-EMPTY", "").Join("kitchen")
	a.Join("hall")
	kit.MustStart(t, a)
	kit.MustStart(t, b)
	if err := a.RequirePeer(b.UUID(), kit.Endpoint(t, b), ""); err != nil {
		t.Fatal(err)
	}
	ra := watch.Record(a)
	watch.Record(b)
	ra.Wait(t, "JOIN bob kitchen", 1)
	id := strings.ToLower(b.UUID())
	value, ok := a.PeerHeaderValue(id, "X-ROLE")
	_, empty := a.PeerHeaderValue(id, "X-EMPTY")
	_, missing := a.PeerHeaderValue(id, "X-NONE")
	got := []any{a.Peers(), a.PeersByGroup("kitchen"), a.PeersByGroup("none"), a.OwnGroups(), a.PeerGroups(), a.PeerName(id), a.PeerAddress(id), value, ok, empty, missing}
	want := []any{[]string{b.UUID()}, []string{b.UUID()}, []string(nil), []string{"hall"}, []string{"kitchen"}, "bob", kit.Endpoint(t, b), "cook", true, true, false}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("queries = %v, want %v", got, want)
	}
	var dump bytes.Buffer
	a.Dump(&dump)
	for _, s := range []string{a.UUID(), b.UUID(), `"kitchen"`, "X-ROLE=cook", kit.Endpoint(t, a)} {
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
	ra.Wait(t, "LEAVE bob kitchen", 1)
	if got := a.PeerGroups(); len(got) != 0 {
		t.Errorf("PeerGroups() after the last member left = %q, want none", got)
	}
}

// What a node advertises is where its peers connect to, also with beacons, if its
// HELLO comes before its beacon.
func TestZyre_advertisedEndpointIsUsed(t *testing.T) {
	a, b := kit.NewStaticNode(t, "alice"), kit.NewStaticNode(t, "bob")
	tap := newWiretap(t, b)
	at := "tcp://" + tap.Addr().String()
	b.SetAdvertisedEndpoint(at)
	kit.MustStart(t, a)
	kit.MustStart(t, b)
	if err := b.RequirePeer(a.UUID(), kit.Endpoint(t, a), ""); err != nil {
		t.Fatal(err)
	}
	ra := watch.Record(a)
	watch.Record(b)
	ra.Wait(t, "ENTER bob", 1)
	if got := a.PeerAddress(b.UUID()); got != at {
		t.Errorf("PeerAddress(bob) = %q, want the advertised %q", got, at)
	}
	a.Whispers(b.UUID(), "through the proxy")
	watch.Until(t, "the proxy passes it on", func() bool { return tap.contains("through the proxy") })
	a.Stop()
	b.Stop()
}

// A required endpoint where nobody is, or somebody else, does not keep a peer out that
// gossip has told of us.
func TestZyre_wrongRequiredEndpoint(t *testing.T) {
	a, b := kit.NewStaticNode(t, "alice"), kit.NewStaticNode(t, "bob")
	kit.QuickTimeouts(a, 200*time.Millisecond, 4*time.Second)
	a.GossipBind("tcp://127.0.0.1:*")
	if err := a.RequirePeer(b.UUID(), "tcp://127.0.0.1:1", ""); err != nil {
		t.Fatal(err)
	}
	kit.MustStart(t, a)
	b.GossipConnect("%s", a.GossipEndpoint())
	kit.MustStart(t, b)
	ra, rb := watch.Record(a), watch.Record(b)
	rb.Wait(t, "ENTER alice", 1)
	ra.Wait(t, "ENTER bob", 1) // when he has answered, where his HELLO says that he is
	a.Whispers(b.UUID(), "here")
	rb.Wait(t, "WHISPER alice here", 1)
	if n, m := ra.Count("ENTER bob"), ra.Count("EXIT bob"); n != 1 || m != 0 {
		t.Errorf("alice saw %d ENTER and %d EXIT of bob, want 1 and 0:\n%s", n, m, ra)
	}
	if got := a.PeerAddress(b.UUID()); got != kit.Endpoint(t, b) {
		t.Errorf("PeerAddress(bob) = %q, want %q", got, kit.Endpoint(t, b))
	}
}

// A node with beacons says GOODBYE to a peer that hears none, also if that was required
// only after Start.
func TestZyre_requiredWhileRunning(t *testing.T) {
	a, b := kit.NewNode(t, "alice", kit.FreeUDPPort(t)), kit.NewStaticNode(t, "bob")
	kit.MustStart(t, a)
	kit.MustStart(t, b)
	for range 3 {
		if err := a.RequirePeer(b.UUID(), kit.Endpoint(t, b), ""); err != nil {
			t.Fatal(err)
		}
	}
	rb := watch.Record(b)
	rb.Wait(t, "ENTER alice", 1)
	a.Stop()
	rb.Wait(t, "EXIT alice", 1)
}
