package zgossip_test

import (
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/go-zyre/zyre/internal/transport"
	"github.com/go-zyre/zyre/internal/transport/transporttest"
	"github.com/go-zyre/zyre/internal/zgossip"
)

// A client whose key is taken away loses its place at the next Recheck, and others are told
// that its tuples are gone. It does not come back. Whose key stays notices nothing.
func TestGossip_Recheck(t *testing.T) {
	zmq, err := transport.NewZMQ()
	must(t, err)
	t.Cleanup(func() { must(t, zmq.Close()) })
	public, secret := transporttest.NewKeys(t)
	alice, aliceSecret := transporttest.NewKeys(t)
	bob, bobSecret := transporttest.NewKeys(t)
	policy := transport.NewPolicy(slog.New(slog.DiscardHandler), true, []string{alice, bob})
	domain, err := zmq.RegisterPolicy("global", policy)
	must(t, err)
	t.Cleanup(func() { must(t, zmq.UnregisterPolicy(domain)) })
	open := func(o zgossip.Options) *zgossip.Gossip {
		g, err := zgossip.New(zmq.Context(), o)
		must(t, err)
		t.Cleanup(func() { must(t, g.Close()) })
		return g
	}
	hub := open(zgossip.Options{PublicKey: public, SecretKey: secret, ZapDomain: domain, Allows: policy.Allows})
	endpoint, err := hub.Bind("tcp://127.0.0.1:*")
	must(t, err)
	a := open(zgossip.Options{PublicKey: alice, SecretKey: aliceSecret, PingInterval: 20 * time.Millisecond})
	b := open(zgossip.Options{PublicKey: bob, SecretKey: bobSecret})
	for name, g := range map[string]*zgossip.Gossip{"alice": a, "bob": b} {
		must(t, g.Connect(endpoint, public))
		must(t, g.Publish(name, "here"))
	}
	expect := func(g *zgossip.Gossip, want zgossip.Tuple) {
		t.Helper()
		timeout := time.After(30 * time.Second)
		for {
			select {
			case got := <-g.Tuples():
				if got.Key == want.Key && got.Gone == want.Gone {
					return
				}
			case <-timeout:
				t.Fatalf("%+v did not come", want)
			}
		}
	}
	expect(b, zgossip.Tuple{Key: "alice"})
	expect(a, zgossip.Tuple{Key: "bob"})
	must(t, hub.Recheck())
	if got := hub.Stats().Clients; got != 2 {
		t.Fatalf("%d clients while both are allowed, want 2", got)
	}
	policy.SetKeys([]string{bob})
	must(t, hub.Recheck())
	if got := hub.Stats().Clients; got != 1 {
		t.Errorf("%d clients once the key of one is taken away, want 1", got)
	}
	expect(b, zgossip.Tuple{Key: "alice", Gone: true})
	// Alice asks again and again; Bob tells of something that comes behind that.
	must(t, b.Publish("later", "here"))
	expect(hub, zgossip.Tuple{Key: "later"})
	if s := hub.Stats(); s.Clients != 1 || s.Tuples != 2 {
		t.Errorf("%d clients and %d tuples, want those of bob: 1 and 2", s.Clients, s.Tuples)
	}
	must(t, hub.Close())
	if err := hub.Recheck(); err == nil {
		t.Error("Recheck after Close = nil, want an error")
	}
}

func must(t *testing.T, errs ...error) {
	t.Helper()
	if i := slices.IndexFunc(errs, func(err error) bool { return err != nil }); i >= 0 {
		t.Fatal(errs[i])
	}
}
