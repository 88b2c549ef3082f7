package monitor

import (
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"testing"
	"time"

	"github.com/go-zyre/zyre"
)

// noPage takes what a viewer is sent, and keeps nothing of it.
type noPage struct {
	header http.Header
	bytes  int
}

func (p *noPage) Header() http.Header         { return p.header }
func (p *noPage) WriteHeader(int)             {}
func (p *noPage) Write(b []byte) (int, error) { p.bytes += len(b); return len(b), nil }
func (p *noPage) Flush()                      {}

// Hours of nodes that come, talk and go leave nothing behind: not in the model, not in the
// terminal, not with who follows the page. No node, group, header or text comes twice, so
// that whatever is kept of each of them grows. It is not parallel: the heap is that of all tests.
func TestModel_hours(t *testing.T) {
	const settled, rounds, limit = 300, 1500, 40 << 10
	n := newFakeNetwork(6, 1)
	s := NewStream(n.model, func() time.Time { return n.now })
	sc := &screen{stream: s, color: true, width: 120, height: 40}
	sc.Init()
	page := &noPage{header: http.Header{}}
	v := &viewer{w: page, out: http.NewResponseController(page), stream: s}
	log := slog.New(LogHandler(s))
	hidden := 0
	residents, keys := len(n.peers), []string{"1", "down", "enter", "esc", "2", "3", "4", "x", "5", "end", "home"}
	round := func(i int) {
		n.peers, n.stats, n.rates = n.peers[:residents], n.stats[:residents], n.rates[:residents]
		var events []zyre.Event
		for k := range 3 { // who entered in the last round is gone: two of them say so
			last, uuid := fakeUUID(1000+3*(i-1)+k), fakeUUID(1000+3*i+k)
			name, group := fmt.Sprint("guest", i, k), fmt.Sprint("group", i, k)
			headers := map[string]string{fmt.Sprint("X-", i, k): name}
			if k == 0 {
				headers[ShareHeader] = "1" // not more, or nobody else would be asked
			} else {
				events = append(events, zyre.Event{Type: zyre.EventExit, PeerUUID: last, Reason: zyre.ReasonGoodbye})
			}
			events = append(events,
				zyre.Event{Type: zyre.EventEnter, PeerUUID: uuid, PeerName: name, Headers: headers, PeerAddr: "tcp://10.1.0.9:" + fmt.Sprint(i)},
				zyre.Event{Type: zyre.EventJoin, PeerUUID: uuid, PeerName: name, Group: group},
				zyre.Event{Type: zyre.EventShout, PeerUUID: uuid, PeerName: name, Group: group, Msg: []byte(name), Frames: [][]byte{[]byte(name)}},
				zyre.Event{Type: zyre.EventSilent, PeerUUID: uuid, PeerName: name})
			n.peers = append(n.peers, zyre.PeerInfo{UUID: uuid, Name: name, Groups: []string{group}, Headers: headers, Since: n.now})
			n.stats, n.rates = append(n.stats, zyre.PeerStats{UUID: uuid}), append(n.rates, 1)
		}
		for _, e := range events {
			s.Event(func(m *Model, now time.Time) { m.Event(now, &e) })
		}
		// One that does not see another, and one that only others see: each for a while, as only
		// views that come after it was noticed count.
		if i%12 == 0 {
			clear(n.blind)
			n.blind[pair{fakeUUID(i / 12 % residents), fakeUUID((i/12 + 1) % residents)}] = true
			n.hidden = []zyre.ViewPeer{{UUID: fakeUUID(1_000_000 + i), Name: fmt.Sprint("hidden", i)}}
			n.drop.BadBeacons++
		}
		hidden += len(n.model.hidden)
		log.Warn("a warning", "round", i)
		s.Sample(func(*Model, time.Time) { n.step(time.Second) })
		sc.keys(keys[i%len(keys)])
		sc.Update(refresh{})
		_ = sc.View()
		for k := range 3 {
			s.Detail(n.peers[residents+k].UUID)
		}
		if _, err := v.push(); err != nil {
			t.Fatal(err)
		}
	}
	live := func() int {
		runtime.GC()
		runtime.GC() // what pools held as well
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int(m.HeapAlloc)
	}
	var before, grown, goroutines int
	for i := range rounds + 1 {
		round(i)
		switch i {
		case settled: // the time line is full
			before, goroutines = live(), runtime.NumGoroutine()
			if kept := len(n.model.timeline.entries); kept != maxEntries {
				t.Fatalf("%d entries are kept, want %d by now", kept, maxEntries)
			}
		case rounds:
			grown = live() - before
		}
	}
	runtime.KeepAlive([]any{n, sc, v})
	types := map[string]int{}
	for _, e := range n.model.LastEntries(maxEntries) {
		types[e.Type]++
	}
	for _, kind := range []string{"ENTER", "EXIT", "SHOUT", "SILENT", EntryDropped, EntryOneSided, EntryHealed, EntryLog} {
		if types[kind] == 0 {
			t.Errorf("there was no %s: %v", kind, types)
		}
	}
	if hidden == 0 || page.bytes == 0 {
		t.Errorf("%d hidden nodes and %d bytes for the page, want some", hidden, page.bytes)
	}
	if grown > limit {
		t.Errorf("after %d rounds %d bytes more are reachable than after %d, want %d at most", rounds, grown, settled, limit)
	} else {
		t.Logf("%d bytes reachable after %d rounds, %+d after %d", before, settled, grown, rounds)
	}
	if now := runtime.NumGoroutine(); now > goroutines {
		t.Errorf("%d goroutines, want %d as before", now, goroutines)
	}
}
