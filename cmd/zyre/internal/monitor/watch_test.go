package monitor

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-zyre/zyre"
)

// fakeSource is a node whose peers are those of a fakeNetwork.
type fakeSource struct {
	events chan *zyre.Event
	mu     sync.Mutex
	asked  map[string]int
	pinged map[string]int
	mute   bool // no view is told
	net    *fakeNetwork
}

func newFakeSource(peers, share int) *fakeSource {
	return &fakeSource{events: make(chan *zyre.Event), asked: map[string]int{}, pinged: map[string]int{}, net: newFakeNetwork(peers, share)}
}

func (f *fakeSource) Name() string                 { return "fake" }
func (f *fakeSource) Endpoint() string             { return "tcp://127.0.0.1:1" }
func (f *fakeSource) OwnGroups() []string          { return []string{"control"} }
func (f *fakeSource) Leader(string) (string, bool) { return fakeUUID(0), true }
func (f *fakeSource) Stats() zyre.Stats            { return zyre.Stats{PeerList: f.net.stats} }
func (f *fakeSource) PeerList() []zyre.PeerInfo    { return f.net.peers }
func (f *fakeSource) Events() chan *zyre.Event     { return f.events }

func (f *fakeSource) PeerView(ctx context.Context, uuid string) (zyre.View, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked[uuid]++
	if f.mute {
		return zyre.View{}, zyre.ErrPushedBack
	}
	return f.net.viewOf(uuid), ctx.Err()
}

func (f *fakeSource) Ping(ctx context.Context, uuid string) (time.Duration, error) {
	f.mu.Lock()
	f.pinged[uuid]++
	f.mu.Unlock()
	<-ctx.Done() // it does not answer
	return 0, ctx.Err()
}

// watchFake watches a source in the bubble of a test, and returns how to end it.
func watchFake(f *fakeSource, ask bool) (s *Stream, end func()) {
	s = NewStream(NewModel(ownUUID, time.Now()), time.Now)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		Watch(ctx, f, s, ask)
	}()
	return s, func() { cancel(); <-done }
}

// Watch takes samples and events, asks who tells for its view, and ends when told to. The
// clock of the bubble jumps to whatever is waited for.
func TestWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeSource(4, 2)
		s, end := watchFake(f, true)
		f.events <- &zyre.Event{Type: "SHOUT", PeerUUID: fakeUUID(0), Group: "control"}
		version := waitVersion(s, 15)
		state, entries := s.State(10)
		if state.Totals.Peers != 4 || state.Totals.Sharing != 2 || state.Nodes[0].Name != "fake" || state.Groups[0].Leader == "" {
			t.Errorf("picture = %+v, want 4 peers of which 2 tell", state.Totals)
		}
		if len(entries) != 1 || entries[0].Type != "SHOUT" {
			t.Errorf("entries = %+v, want the SHOUT", entries)
		}
		f.mu.Lock()
		asked, pinged := len(f.asked), len(f.pinged)
		f.mu.Unlock()
		if asked != 2 || pinged != 4 {
			t.Errorf("asked %d and pinged %d after %d samples, want 2 and 4", asked, pinged, version)
		}
		if d, ok := s.Detail(fakeUUID(0)); !ok || d.View == nil || d.View.Peers != 4 {
			t.Errorf("details = %+v, want the view of a peer", d)
		}
		end()
		if !s.Since(0, 0).IsEnd {
			t.Error("the stream has not ended")
		}
		s.Sample(func(m *Model, _ time.Time) { t.Error("a change after the end") })
		s.End()
	})
}

// waitVersion waits until the picture has changed so often.
func waitVersion(s *Stream, version uint64) uint64 {
	for {
		news := s.Since(0, 0)
		if news.Version >= version || news.IsEnd {
			return news.Version
		}
		<-news.Changed
	}
}

// A node that stops ends the stream.
func TestWatch_nodeStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeSource(1, 0)
		s, end := watchFake(f, false)
		close(f.events)
		waitVersion(s, 1<<60)
		end()
		if len(f.asked) != 0 {
			t.Errorf("asked %v, want nobody", f.asked)
		}
	})
}
