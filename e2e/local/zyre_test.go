// Package local_test is about nodes of one process, and about sockets that speak to a node
// as nodes of other make could, all of it on this host.
package local_test

import (
	"bytes"
	"slices"
	"testing"

	"github.com/go-zyre/zyre"
	"github.com/go-zyre/zyre/e2e/kit"
	"github.com/go-zyre/zyre/e2e/leak"
	"github.com/go-zyre/zyre/e2e/watch"
)

func TestZyre_twoNodesTalk(t *testing.T) {
	leak.Check(t)
	port := kit.FreeUDPPort(t)
	a, b := kit.NewNode(t, "alice", port), kit.NewNode(t, "bob", port)
	a.SetHeader("X-Wert", "%s", "grün").Join("hall")
	kit.MustStart(t, a)
	kit.MustStart(t, b)
	ra, rb := watch.Record(a), watch.Record(b)

	enter := rb.Wait(t, "ENTER alice", 1)
	if v, ok := enter.Header("X-Wert"); v != "grün" || !ok {
		t.Errorf("Header(X-Wert) = %q, %v, want grün, true", v, ok)
	}
	rb.Wait(t, "JOIN alice hall", 1)
	ra.Wait(t, "ENTER bob", 1)
	b.Join("hall")
	ra.Wait(t, "JOIN bob hall", 1)
	a.Shouts("hall", "hello %d", 42)
	rb.Wait(t, "SHOUT alice hall hello 42", 1)
	b.Whisper(a.UUID(), []byte("psst"))
	e := ra.Wait(t, "WHISPER bob psst", 1)
	if e.PeerUUID != b.UUID() || len(e.Frames) != 1 || !bytes.Equal(e.Frames[0], e.Msg) {
		t.Errorf("WHISPER event = %+v", e)
	}
	if got := a.Peers(); len(got) != 1 || got[0] != b.UUID() {
		t.Errorf("Peers() = %v, want [%s]", got, b.UUID())
	}
	b.Leave("hall")
	ra.Wait(t, "LEAVE bob hall", 1)
	b.Stop()
	ra.Wait(t, "EXIT bob", 1)
	<-rb.Done
	rb.Wait(t, "STOP bob", 1)
	a.Stop()
	<-ra.Done
}

func TestZyre_manyFrames(t *testing.T) {
	port := kit.FreeUDPPort(t)
	a, b := kit.NewNode(t, "alice", port), kit.NewNode(t, "bob", port)
	b.Join("hall")
	kit.MustStart(t, a)
	kit.MustStart(t, b)
	ra, rb := watch.Record(a), watch.Record(b)
	ra.Wait(t, "JOIN bob hall", 1)
	thousand := make([][]byte, 1000)
	for i := range thousand {
		thousand[i] = bytes.Repeat([]byte{byte(i)}, i%50)
	}
	for i, frames := range [][][]byte{{}, {{}}, {[]byte("a"), {}, []byte("c")}, thousand, {make([]byte, 8<<20)}} {
		want := frames
		if len(want) == 0 {
			want = [][]byte{{}}
		}
		if err := a.WhisperContext(t.Context(), b.UUID(), frames...); err != nil {
			t.Fatalf("WhisperContext(%d frames) = %v, want nil", len(frames), err)
		}
		if err := a.ShoutContext(t.Context(), "hall", frames...); err != nil {
			t.Fatalf("ShoutContext(%d frames) = %v, want nil", len(frames), err)
		}
		for _, pattern := range []string{"WHISPER alice", "SHOUT alice hall"} {
			e := rb.Wait(t, pattern, i+1)
			if len(e.Frames) != len(want) || !bytes.Equal(e.Msg, want[0]) {
				t.Fatalf("%s: %d frames, want %d", pattern, len(e.Frames), len(want))
			}
			for j := range want {
				if !bytes.Equal(e.Frames[j], want[j]) {
					t.Fatalf("%s: frame %d differs", pattern, j)
				}
			}
		}
	}
}

func TestZyre_startStopStart(t *testing.T) {
	leak.Check(t)
	port := kit.FreeUDPPort(t)
	watcher, z := kit.NewNode(t, "watcher", port), kit.NewNode(t, "again", port)
	z.Join("hall")
	kit.MustStart(t, watcher)
	r := watch.Record(watcher)
	for i := 1; i <= 100; i++ {
		kit.MustStart(t, z)
		r.Wait(t, "ENTER again", i)
		r.Wait(t, "JOIN again hall", i)
		z.Stop()
		r.Wait(t, "EXIT again", i)
	}
	watcher.Stop()
}

// What a node counts, it counts by peer too, and each message once.
func TestZyre_stats(t *testing.T) {
	port := kit.FreeUDPPort(t)
	a, b := kit.NewNode(t, "alice", port), kit.NewNode(t, "bob", port)
	b.Join("hall")
	kit.MustStart(t, a, b)
	ra, rb := watch.Record(a), watch.Record(b)
	ra.Wait(t, "JOIN bob hall", 1)
	for range 3 {
		a.Whispers(b.UUID(), "one")
		a.Shouts("hall", "all")
	}
	a.Whisper(a.UUID(), nil)
	a.Shout("nobody", nil)
	rb.Wait(t, "SHOUT alice hall all", 3)
	b.Whispers(a.UUID(), "back")
	ra.Wait(t, "WHISPER bob back", 1)
	s, r := a.Stats(), b.Stats()
	got := []uint64{s.WhispersSent, s.ShoutsSent, r.WhispersReceived, r.ShoutsReceived, s.Dropped.ToUnknownPeer, s.Dropped.ToUnknownGroup}
	if want := []uint64{3, 3, 3, 3, 1, 1}; !slices.Equal(got, want) {
		t.Errorf("counts of messages = %d, want %d", got, want)
	}
	if s.Beacon == (zyre.BeaconStats{}) || s.Beacon.Sent == 0 {
		t.Errorf("Stats().Beacon = %+v, want what the node sends", s.Beacon)
	}
	checkPeerStats(t, s.PeerList, zyre.PeerStats{
		UUID: b.UUID(), Name: "bob", Endpoint: kit.Endpoint(t, b), Groups: []string{"hall"},
	})
	checkPeerStats(t, r.PeerList, zyre.PeerStats{UUID: a.UUID(), Name: "alice", Endpoint: kit.Endpoint(t, a)})
}

// checkPeerStats checks what a node says of its only peer.
func checkPeerStats(t *testing.T, list []zyre.PeerStats, want zyre.PeerStats) {
	t.Helper()
	if len(list) != 1 {
		t.Fatalf("PeerList has %d peers, want 1", len(list))
	}
	p := list[0]
	if p.UUID != want.UUID || p.Name != want.Name || p.Endpoint != want.Endpoint || !slices.Equal(p.Groups, want.Groups) {
		t.Errorf("PeerList = %+v, want %+v", p, want)
	}
	if p.Received == 0 || p.Sent == 0 || p.Waiting != 0 || p.Evasive || p.Idle > watch.Patience {
		t.Errorf("PeerList = %+v, want messages both ways, and nothing waiting", p)
	}
}
