package local_test

import (
	"context"
	"strings"
	"testing"

	"github.com/go-zyre/zyre"
	"github.com/go-zyre/zyre/e2e/kit"
	"github.com/go-zyre/zyre/e2e/sandbox"
	"github.com/go-zyre/zyre/e2e/watch"
)

// In a sandbox that refuses netlink nodes meet by beacons and by gossip.
func TestZyre_withoutNetlink(t *testing.T) {
	sandbox.WithoutNetlink(t, meetWithoutNetlink)
}

func meetWithoutNetlink(t *testing.T) {
	udp := kit.FreeUDPPort(t)
	byName := func(name string) *zyre.Zyre { return kit.NewNode(t, name, udp) }
	byAddress := func(name string) *zyre.Zyre { return kit.NewNode(t, name, udp).SetInterface("127.0.0.1") }
	static := func(name string) *zyre.Zyre { return kit.NewStaticNode(t, name) }
	for _, test := range []struct {
		name   string
		make   func(name string) *zyre.Zyre
		gossip bool
	}{{"beacon by name", byName, false}, {"beacon by address", byAddress, false}, {"endpoint and gossip", static, true}} {
		t.Run(test.name, func(t *testing.T) {
			alice, bob := test.make("alice"), test.make("bob")
			if test.gossip {
				alice.GossipBind("tcp://127.0.0.1:*")
			}
			kit.MustStart(t, alice)
			if test.gossip {
				bob.GossipConnect("%s", alice.GossipEndpoint())
			}
			kit.MustStart(t, bob)
			ra, rb := watch.Record(alice), watch.Record(bob)
			ra.Wait(t, "ENTER bob", 1)
			rb.Wait(t, "ENTER alice", 1)
			alice.Whisper(bob.UUID(), []byte("hello"))
			rb.Wait(t, "WHISPER alice hello", 1)
			alice.Stop()
			bob.Stop()
		})
	}
	named := zyre.NewZyre(context.Background())
	if err := named.SetEndpoint("tcp://lo:*"); err != nil {
		t.Fatal(err)
	}
	if err := named.Start(); err == nil || !strings.Contains(err.Error(), "netlink") {
		t.Errorf("Start() of a node that is to be bound to the name of an interface = %v, want an error that names netlink", err)
	}
}
