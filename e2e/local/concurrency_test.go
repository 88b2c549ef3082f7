package local_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/go-zyre/zyre"
	"github.com/go-zyre/zyre/e2e/kit"
	"github.com/go-zyre/zyre/e2e/watch"
)

// mixers is how many goroutines use three nodes at once.
const mixers = 64

// A group of goroutines uses every method of three nodes at once. Every answer is
// the right one, and every message arrives, in the order of its sender.
func TestDelivery_everythingAtOnce(t *testing.T) {
	port := kit.FreeUDPPort(t)
	var zs []*zyre.Zyre
	var rs []*watch.Log
	for i := range 3 {
		z := kit.NewNode(t, fmt.Sprint("node", i), port)
		z.SetHeader("number", "%d", i).Join("all")
		kit.MustStart(t, z)
		zs, rs = append(zs, z), append(rs, watch.Record(z))
	}
	for i, r := range rs {
		for j, z := range zs {
			if i != j {
				r.Wait(t, "JOIN "+z.Name()+" all", 1)
			}
		}
	}
	var sent [mixers]int
	var wg sync.WaitGroup
	each := kit.Long(5000, 400)
	for g := range mixers {
		wg.Go(func() {
			from := g % 3
			to := (from + 1 + g/3%2) % 3
			for sent[g] < each {
				sent[g]++
				if err := mixed(zs[from], zs[to], g, sent[g]); err != nil {
					t.Errorf("goroutine %d: %v", g, err)
					return
				}
			}
		})
	}
	wg.Wait()
	total := 0
	for _, n := range sent {
		total += n + 2*shouted(n)
	}
	watch.Reaches(t, "everything has arrived", total, func() int {
		return messages(rs[0]) + messages(rs[1]) + messages(rs[2])
	})
	t.Logf("%d messages", total)
	for i, r := range rs {
		checkMixed(t, i, r, sent)
	}
}

// messages counts the whispers and shouts that a node has reported.
func messages(l *watch.Log) int { return l.Count("WHISPER") + l.Count("SHOUT") }

// checkMixed checks that node i got what goroutines have sent it, in order.
func checkMixed(t *testing.T, i int, r *watch.Log, sent [mixers]int) {
	t.Helper()
	var whispers, shouts [mixers]int
	seen := r.Entries()
	for _, e := range seen {
		if e.Type == "EXIT" {
			t.Errorf("%s saw %s", r.Name, watch.Describe(e.Event))
		}
		if e.Type != "WHISPER" && e.Type != "SHOUT" {
			continue
		}
		var g, n int
		if _, err := fmt.Sscanf(string(e.Msg), "%d.%d", &g, &n); err != nil {
			t.Fatalf("%s got %s %q: %v", r.Name, e.Type, e.Msg, err)
		}
		count, due := &whispers[g], n
		if e.Type == "SHOUT" {
			count, due = &shouts[g], shouted(n)
		}
		if *count++; *count != due {
			t.Fatalf("%s got %s %s as the %d. of its kind", r.Name, e.Type, e.Msg, *count)
		}
	}
	for g, n := range sent {
		if (g%3+1+g/3%2)%3 == i && whispers[g] != n {
			t.Errorf("%s got %d whispers of goroutine %d, want %d", r.Name, whispers[g], g, n)
		}
		if g%3 != i && shouts[g] != shouted(n) {
			t.Errorf("%s got %d shouts of goroutine %d, want %d", r.Name, shouts[g], g, shouted(n))
		}
	}
}

// shoutAt is the last digit of the numbers at which a goroutine shouts to all, and
// shouted how often it has at number n.
const shoutAt = 6

func shouted(n int) int { return (n + 10 - shoutAt) / 10 }

// mixed whispers the n-th message of goroutine g and asks something.
func mixed(z, peer *zyre.Zyre, g, n int) error {
	if g%2 == 0 {
		z.Whispers(peer.UUID(), "%d.%d", g, n)
	} else if err := z.WhisperContext(context.Background(), peer.UUID(), fmt.Appendf(nil, "%d.%d", g, n)); err != nil {
		return err
	}
	group := fmt.Sprint("group", g)
	switch n % 10 {
	case 0:
		if name := z.PeerName(peer.UUID()); name != peer.Name() {
			return fmt.Errorf("PeerName(%s) = %q, want %q", peer.UUID(), name, peer.Name())
		}
	case 1:
		if err := z.WhisperContext(context.Background(), z.UUID(), nil); !errors.Is(err, zyre.ErrUnknownPeer) {
			return fmt.Errorf("WhisperContext(itself) = %w, want zyre.ErrUnknownPeer", err)
		}
	case 2:
		want := peer.Name()[len("node"):]
		if value, ok := z.PeerHeaderValue(peer.UUID(), "number"); value != want || !ok {
			return fmt.Errorf("PeerHeaderValue = %q, %v, want %q, true", value, ok, want)
		}
	case 3:
		if peers := z.Peers(); len(peers) != 2 || slices.Contains(peers, z.UUID()) {
			return fmt.Errorf("Peers() = %v, want the two others", peers)
		}
	case 4:
		z.Join(group)
		if !slices.Contains(z.OwnGroups(), group) {
			return fmt.Errorf("OwnGroups() without %s, which was joined", group)
		}
	case 5:
		z.Leave(group)
		if slices.Contains(z.OwnGroups(), group) {
			return fmt.Errorf("OwnGroups() with %s, which was left", group)
		}
	case shoutAt:
		if err := z.ShoutContext(context.Background(), "all", fmt.Appendf(nil, "%d.%d", g, n)); err != nil {
			return err
		}
	case 7:
		z.Shout(group, []byte("to few"))
		z.Shouts("nobody", "%d", n)
	case 8:
		if members := z.PeersByGroup("all"); len(members) != 2 || !slices.Contains(z.PeerGroups(), "all") {
			return fmt.Errorf("PeersByGroup(all) = %v, want the two others", members)
		}
	case 9:
		if s := z.Stats(); s.Peers != 2 || z.PeerAddress(peer.UUID()) == "" {
			return fmt.Errorf("Stats() = %+v, want 2 peers", s)
		}
		z.SetHeader("changing", "%d", n).SetName(z.Name())
	}
	return nil
}
