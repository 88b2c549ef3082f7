package zyretest_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-zyre/zyre"
	"github.com/go-zyre/zyre/internal/bubble"
	"github.com/go-zyre/zyre/zyretest"
)

// trace is what the application of each node sees, and when.
type trace struct {
	start time.Time
	mu    sync.Mutex
	lines map[string][]string // by the name of the node
}

// follow notes the events of a node until it stops, and answers some of them.
func (tr *trace) follow(node *zyre.Zyre) {
	events := node.Events()
	go func() {
		for e := range events {
			tr.mu.Lock()
			tr.lines[node.Name()] = append(tr.lines[node.Name()], fmt.Sprintf("%v %s %s %s %s %s %q",
				time.Since(tr.start), e.Type, e.PeerName, e.PeerAddr, e.Group, e.Reason, e.Msg))
			tr.mu.Unlock()
			switch e.Type {
			case zyre.EventJoin:
				node.Whispers(e.PeerUUID, "welcome from %s", node.Name())
			case zyre.EventWhisper:
				node.Shouts("hall", "%s was welcomed by %s", node.Name(), e.PeerName)
			}
		}
	}()
}

// scenario has much happen at once to eight nodes, and returns what they saw.
func scenario(t *testing.T, seed uint64, gossip bool) (lines map[string][]string) {
	synctest.Test(t, func(t *testing.T) {
		network := zyretest.NewNetwork(t, zyretest.Seed(seed))
		network.SetLoss(0.3)
		tr := &trace{start: time.Now(), lines: map[string][]string{}}
		var nodes []*zyre.Zyre
		for i := range 8 {
			node := network.NewNode(fmt.Sprint("node", i)).SetContestInGroup("hall")
			node.Join("hall")
			switch {
			case gossip && i == 6:
				node.GossipBind("tcp://*:9999")
			case gossip:
				node.GossipConnect("tcp://node6:9999")
			}
			nodes = append(nodes, node)
			if err := node.Start(); err != nil {
				t.Fatal(err)
			}
			tr.follow(node)
		}
		bubble.Sleep(10 * time.Second)
		network.Partition(nodes[:3]...)
		bubble.Sleep(7 * time.Second)
		network.Freeze(nodes[4])
		network.Heal()
		bubble.Sleep(12 * time.Second)
		nodes[0].Shouts("hall", "one")
		synctest.Wait()
		network.Break(nodes[0], nodes[1])
		nodes[0].Shouts("hall", "two")
		synctest.Wait()
		network.Thaw(nodes[4])
		synctest.Wait()
		network.Cut(nodes[1], nodes[2])
		network.Kill(nodes[7])
		bubble.Sleep(40 * time.Second)
		network.Heal()
		network.SetLatency(20 * time.Millisecond)
		if err := nodes[7].Start(); err != nil {
			t.Fatal(err)
		}
		tr.follow(nodes[7])
		for i := range 50 {
			nodes[i%3].Shouts("hall", "%d", i)
			bubble.Sleep(time.Millisecond)
		}
		bubble.Sleep(20 * time.Second)
		nodes[0].Stop()
		bubble.Sleep(5 * time.Second)
		network.Close()
		lines = tr.lines
	})
	return lines
}

// With the same seed each node sees the same, at the same times.
func TestSeed_same(t *testing.T) {
	for seed := range uint64(4) {
		gossip := seed == 3
		want := scenario(t, seed, gossip)
		for range 3 {
			got := scenario(t, seed, gossip)
			for name := range want {
				if d := firstDifference(want[name], got[name]); d != "" {
					t.Fatalf("seed %d: %s sees %s", seed, name, d)
				}
			}
		}
		events := 0
		for _, lines := range want {
			events += len(lines)
		}
		if events < 500 {
			t.Errorf("seed %d: %d events, want many", seed, events)
		}
	}
}

// What a test does to the network at a moment at which nodes send beacons comes after them,
// in each run.
func TestSeed_moment(t *testing.T) {
	heal := func() (lines map[string][]string) {
		synctest.Test(t, func(t *testing.T) {
			network := zyretest.NewNetwork(t)
			tr := &trace{start: time.Now(), lines: map[string][]string{}}
			for i := range 6 {
				node := network.NewNode(fmt.Sprint("node", i)).SetLogger(nil)
				must(t, "Start", node.Start())
				tr.follow(node)
			}
			network.Partition(network.Nodes()[:3]...)
			time.Sleep(40 * time.Second) //nolint:forbidigo // it takes no time; bubble.Sleep would settle
			network.Heal()
			bubble.Sleep(5 * time.Second)
			network.Close()
			lines = tr.lines
		})
		return lines
	}
	want := heal()
	for range 20 {
		got := heal()
		for name := range want {
			if d := firstDifference(want[name], got[name]); d != "" {
				t.Fatalf("%s sees %s", name, d)
			}
		}
	}
}

// firstDifference shows where two lists begin to differ.
func firstDifference(a, b []string) string {
	for i := range max(len(a), len(b)) {
		if i >= min(len(a), len(b)) || a[i] != b[i] {
			from := max(0, i-3)
			return fmt.Sprintf("event %d first\n%s\nthen\n%s", i,
				strings.Join(a[min(from, len(a)):min(i+4, len(a))], "\n"), strings.Join(b[min(from, len(b)):min(i+4, len(b))], "\n"))
		}
	}
	return ""
}

// With another seed the nodes have other UUIDs, and other beacons are lost.
func TestSeed_other(t *testing.T) {
	a, b := scenario(t, 1, false), scenario(t, 2, false)
	for name := range a {
		if slices.Equal(a[name], b[name]) {
			t.Errorf("%s sees the same with two seeds", name)
		}
	}
}
