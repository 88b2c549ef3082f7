package zyre

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-zyre/zyre/internal/bubble"
	"github.com/go-zyre/zyre/internal/transport/mem"
)

func TestQueries_peers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := mem.New(1)
		a, b, c := newMemNode(network, "a"), newMemNode(network, "b"), newMemNode(network, "c")
		b.SetUUID("0B000000-0000-0000-0000-000000000000").SetHeader("k", "v")
		c.SetUUID("0c000000000000000000000000000000").SetName("b").SetContestInGroup("hall")
		if _, ok := b.Peer(a.UUID()); ok || b.PeerList() != nil || b.Endpoint() != "" {
			t.Error("Peer, PeerList, Endpoint before Start give something, want nothing")
		}
		for _, z := range []*Zyre{a, b, c} {
			z.Join("hall")
		}
		for _, z := range []*Zyre{c, b, a} {
			mustStart(t, z)
			record(z)
		}
		must(t, "WaitPeers", a.WaitPeers(t.Context(), "hall", 2))
		bubble.Sleep(3 * time.Second)
		const idB, idC = "0B000000000000000000000000000000", "0C000000000000000000000000000000"
		info, ok := a.Peer("0b000000-0000-0000-0000-000000000000")
		if since := time.Since(info.Since); !ok || since < 2*time.Second || since > 4*time.Second || info.Idle > since {
			t.Errorf("Peer(b): entered %t, %v ago, idle %v, want true, about 3s, not more", ok, since, info.Idle)
		}
		info.Since, info.Idle, info.RTT = time.Time{}, 0, 0
		want := PeerInfo{UUID: idB, Name: "b", Endpoint: b.Endpoint(), Headers: map[string]string{"k": "v"}, Groups: []string{"hall"}}
		if !reflect.DeepEqual(info, want) {
			t.Errorf("Peer(b) = %+v, want %+v", info, want)
		}
		if l := a.PeerList(); len(l) != 2 || l[0].UUID != idB || l[1].UUID != idC {
			t.Errorf("PeerList() = %+v, want those of b and c", l)
		}
		for name, want := range map[string][]string{"b": {idB, idC}, "a": nil, "": nil} {
			if got := a.PeersByName(name); !slices.Equal(got, want) {
				t.Errorf("PeersByName(%q) = %q, want %q", name, got, want)
			}
		}
		if got, ok := a.Leader("hall"); got != idC || !ok {
			t.Errorf("Leader(hall) = %q, %t, want c, true", got, ok)
		}
		if got, ok := a.Leader("nowhere"); got != "" || ok {
			t.Errorf("Leader(nowhere) = %q, %t, want none, false", got, ok)
		}
		if _, ok := a.Peer(a.UUID()); ok {
			t.Error("Peer(itself) = true, want false")
		}
		if got := b.Endpoint(); !strings.HasPrefix(got, "tcp://10.0.0.2:") {
			t.Errorf("Endpoint() = %q, want that of its host, 10.0.0.2", got)
		}
		for _, z := range []*Zyre{a, b, c} {
			z.Stop()
		}
		if _, ok := a.Peer(idB); ok || a.Endpoint() != "" || a.PeerList() != nil {
			t.Error("Peer, Endpoint, PeerList after Stop give something, want nothing")
		}
	})
}

// A ping that was answered tells the round trip.
func TestPeer_roundTrip(t *testing.T) {
	b := newZREBench(t)
	b.hello(stateEndpoint)
	b.z.ping(b.now, b.peer())
	b.now = b.now.Add(7 * time.Millisecond)
	b.hearID(PingOkID)
	if got := b.peer().info(b.now).RTT; got != 7*time.Millisecond {
		t.Errorf("RTT = %v, want 7ms", got)
	}
}

// Messages of many frames, without a context.
func TestFrames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := mem.New(1)
		a, b := newMemNode(network, "a"), newMemNode(network, "b")
		b.Join("hall")
		mustStart(t, b)
		mustStart(t, a)
		must(t, "WaitPeers", a.WaitPeers(context.Background(), "hall", 1))
		frame := []byte("two")
		a.WhisperFrames(b.UUID(), []byte("one"), frame)
		a.ShoutFrames("hall", frame, nil, []byte("three"))
		copy(frame, "xxx") // it is the caller's again
		a.WhisperFrames(b.UUID())
		synctest.Wait()
		a.Stop()
		b.Stop()
		var got [][][]byte
		for e := range b.Events() {
			if e.Type == EventWhisper || e.Type == EventShout {
				got = append(got, e.Frames)
			}
		}
		if text, want := fmt.Sprintf("%q", got), `[["one" "two"] ["two" "" "three"] [""]]`; text != want {
			t.Errorf("frames = %s, want %s", text, want)
		}
	})
}
