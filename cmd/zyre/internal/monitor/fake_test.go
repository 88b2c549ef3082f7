package monitor

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/go-zyre/zyre"
)

// fakeNetwork is a network for tests: the monitor's node and its peers, each with a few
// groups, some of which tell their view.
type fakeNetwork struct {
	model  *Model
	now    time.Time
	rand   *rand.Rand
	peers  []zyre.PeerInfo
	stats  []zyre.PeerStats
	rates  []float64
	shares []bool
	blind  map[pair]bool // who does not see whom
	hidden []zyre.ViewPeer
	drop   zyre.Dropped
	total  uint64
}

const ownUUID = "00000000000000000000000000000001"

func fakeUUID(i int) string { return fmt.Sprintf("%06X%026X", (i+1)*7919*31%0xffffff, i+1) }

var fakeGroups = []string{"sensors", "cameras", "control", "logging", "robots", "ui", "storage", "audio", "backup", "lab"}

// newFakeNetwork makes a network of peers, of which every n-th tells its view; none if n is
// 0. The same arguments make the same network.
func newFakeNetwork(peers, share int) *fakeNetwork {
	n := &fakeNetwork{
		now: time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC), rand: rand.New(rand.NewPCG(1, 2)), blind: map[pair]bool{},
	}
	n.model = NewModel(ownUUID, n.now)
	kinds := []string{"sensor", "camera", "arm", "logger", "robot", "panel", "disk", "mic"}
	for i := range peers {
		g := i % len(kinds)
		groups := []string{fakeGroups[g]}
		if n.rand.IntN(3) == 0 {
			groups = append(groups, fakeGroups[(g+1+n.rand.IntN(len(fakeGroups)-1))%len(fakeGroups)])
		}
		headers := map[string]string{"X-KIND": kinds[g], "X-VERSION": fmt.Sprintf("1.%d", i%4)}
		if share > 0 && i%share == 0 {
			headers[ShareHeader] = "1"
		}
		p := zyre.PeerInfo{
			UUID: fakeUUID(i), Name: fmt.Sprintf("%s-%d", kinds[g], i/len(kinds)+1), Endpoint: fmt.Sprintf("tcp://10.1.%d.%d:%d", i/200, i%200+2, 49152+i),
			Groups: groups, Headers: headers, RTT: time.Duration(150+n.rand.IntN(900)) * time.Microsecond, Since: n.now,
		}
		if n.rand.IntN(12) == 0 {
			p.RTT *= 40
		}
		n.peers = append(n.peers, p)
		n.stats = append(n.stats, zyre.PeerStats{UUID: p.UUID})
		n.rates = append(n.rates, []float64{0, 0.2, 1, 8, 120}[n.rand.IntN(5)])
		n.shares = append(n.shares, share > 0 && i%share == 0)
		n.model.Event(n.now, &zyre.Event{Type: zyre.EventEnter, PeerUUID: p.UUID, PeerName: p.Name, PeerAddr: p.Endpoint, Headers: headers})
		for _, g := range groups {
			n.model.Event(n.now, &zyre.Event{Type: zyre.EventJoin, PeerUUID: p.UUID, PeerName: p.Name, Group: g})
		}
	}
	return n
}

// step lets time pass: those that are due tell their view, and then there is a sample.
func (n *fakeNetwork) step(d time.Duration) {
	for at := n.now; at.Before(n.now.Add(d)); at = at.Add(askEvery) { // as Watch does
		if uuid, interval, ok := n.model.NextToAsk(at); ok {
			n.model.View(at, interval, n.viewOf(uuid))
		}
	}
	n.now = n.now.Add(d)
	for i := range n.stats {
		s := &n.stats[i]
		m := uint64(n.rates[i]*d.Seconds()) + uint64(n.rand.IntN(2))
		s.Received += m
		s.Sent += m / 3
		n.total += m
		if !s.Evasive {
			n.peers[i].Idle = time.Duration(n.rand.IntN(900)) * time.Millisecond
		} else {
			n.peers[i].Idle += d
		}
	}
	stats := zyre.Stats{Received: n.total, Peers: len(n.peers), Dropped: n.drop, PeerList: n.stats}
	n.model.Sample(n.now, Sample{
		Name: "monitor", Address: "tcp://10.1.0.1:49151", Groups: []string{"control"}, Stats: stats, Peers: n.peers,
		Leaders: map[string]string{"control": fakeUUID(2)},
	})
}

// viewOf is what a peer tells.
func (n *fakeNetwork) viewOf(uuid string) zyre.View {
	v := zyre.View{UUID: uuid, Received: n.total * 3, Sent: n.total}
	add := func(p zyre.ViewPeer) {
		if p.UUID != uuid && !n.blind[pair{uuid, p.UUID}] {
			v.PeerList = append(v.PeerList, p)
		}
	}
	add(zyre.ViewPeer{UUID: ownUUID, Name: "monitor", Endpoint: "tcp://10.1.0.1:49151", RTT: 400 * time.Microsecond})
	for i, p := range n.peers {
		add(zyre.ViewPeer{UUID: p.UUID, Name: p.Name, Endpoint: p.Endpoint, RTT: p.RTT + 100*time.Microsecond, Received: n.stats[i].Received / 2, Sent: n.stats[i].Sent, Idle: p.Idle})
	}
	for _, h := range n.hidden {
		add(h)
	}
	v.Peers = len(v.PeerList)
	return v
}

// disturb makes some of everything that can be wrong.
func (n *fakeNetwork) disturb() {
	n.blind[pair{fakeUUID(4), fakeUUID(8)}] = true
	n.blind[pair{fakeUUID(0), ownUUID}] = true
	n.stats[5].Evasive = true
	n.model.Event(n.now, &zyre.Event{Type: zyre.EventEvasive, PeerUUID: fakeUUID(5), PeerName: n.peers[5].Name})
	n.stats[6].Evasive = true
	n.peers[6].Idle = 20 * time.Second
	n.model.Event(n.now, &zyre.Event{Type: zyre.EventSilent, PeerUUID: fakeUUID(6), PeerName: n.peers[6].Name})
	n.hidden = append(n.hidden, zyre.ViewPeer{UUID: "ABCDEF" + fmt.Sprintf("%026d", 7), Name: "printer-7", Endpoint: "tcp://10.9.0.7:40000"})
	n.drop.NeverEntered, n.drop.KeysRefused, n.drop.LateShouts = 3, 12, 141
}

// talk puts messages into the time line.
func (n *fakeNetwork) talk() {
	for i := range min(6, len(n.peers)) {
		p := n.peers[i]
		text := fmt.Sprintf(`{"sensor":%d,"celsius":%d.%d}`, i, 18+i, i)
		n.model.Event(n.now, &zyre.Event{Type: zyre.EventShout, PeerUUID: p.UUID, PeerName: p.Name, Group: "control", Msg: []byte(text), Frames: [][]byte{[]byte(text)}})
	}
	n.model.Event(n.now, &zyre.Event{Type: zyre.EventWhisper, PeerUUID: fakeUUID(1), PeerName: n.peers[1].Name, Msg: []byte("\x1b[31mhello\x00"), Frames: [][]byte{[]byte("\x1b[31mhello\x00"), {1}}})
}
