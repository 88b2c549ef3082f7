// Package mem is a network in memory, for tests. It keeps the promises of package transport
// and carries beacons, without sockets and without goroutines of its own.
package mem

import (
	"slices"
	"sync"
	"time"

	"github.com/go-zyre/zyre/internal/hostnet"
)

// reconnectTime is how long a mailbox takes to connect again after its connection broke.
const reconnectTime = 100 * time.Millisecond

// Network is a network in memory. It blocks only on channels and timers, so it works in a
// bubble of testing/synctest. Each node on it has a host of its own, with an address on
// one LAN; loopback, and the names of ipc and inproc, are shared by all.
//
// What happens by chance follows from the seed, the two hosts, and the number of the beacon
// or the time of the message: it does not depend on which goroutine runs first.
type Network struct {
	seed uint64
	made time.Time

	mu         sync.Mutex
	hosts      []*Host
	byNode     map[hostnet.Node]*Host
	bound      map[string]*inbox     // by endpoint
	dialing    map[string][]*mailbox // that are not connected, by endpoint, in order of dialling
	udp        []*udpConn            // in order of opening
	flying     []datagram            // that may still be under way, in order of sending
	dialled    int
	connected  int
	latency    time.Duration
	loss       float64
	partitions []map[*Host]bool
	cuts       map[way]bool
}

// way is the way from one host to another, by their numbers.
type way struct{ from, to int }

// New returns a network without nodes, on which messages take no time.
func New(seed uint64) *Network {
	return &Network{
		seed: seed, made: time.Now(), byNode: map[hostnet.Node]*Host{}, bound: map[string]*inbox{},
		dialing: map[string][]*mailbox{}, cuts: map[way]bool{},
	}
}

// Host returns the host of a node, or nil if the node is not of this network.
func (t *Network) Host(node hostnet.Node) *Host {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.byNode[node]
}

// Hosts returns all hosts, in the order in which they were made.
func (t *Network) Hosts() []*Host {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.hosts)
}

// SetLatency sets how long a message and a beacon take from now on. Each takes up to an
// eighth more. Messages between two nodes stay in order, beacons may overtake each other.
func (t *Network) SetLatency(d time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.latency = max(d, 0)
}

// SetLoss sets the share of beacons that are lost from now on, 0 to 1.
func (t *Network) SetLoss(share float64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.loss = share
}

// Partition separates some hosts from all others until Heal.
func (t *Network) Partition(hosts ...*Host) {
	side := map[*Host]bool{}
	for _, h := range hosts {
		side[h] = true
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.partitions = append(t.partitions, side)
}

// Cut separates two hosts from each other until Heal.
func (t *Network) Cut(a, b *Host) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.cuts[wayBetween(a, b)] = true
}

// Heal ends all that Partition and Cut have done. Messages that were held up arrive.
func (t *Network) Heal() {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	for _, h := range t.hosts {
		for _, in := range h.inboxes {
			for _, m := range in.boxes {
				if t.isCut(m.host, h) {
					m.holdUntil(now.Add(t.messageDelay(m, h)))
				}
			}
			in.notify()
		}
	}
	t.partitions, t.cuts = nil, map[way]bool{}
	for _, m := range t.allDialing() {
		m.connect(now)
	}
}

// Break breaks the connections between two hosts: what is on its way is lost, and they
// are made again after 100 ms.
func (t *Network) Break(a, b *Host) {
	t.mu.Lock()
	defer t.mu.Unlock()
	again := time.Now().Add(reconnectTime)
	for _, ends := range [][2]*Host{{a, b}, {b, a}} {
		for _, in := range ends[1].inboxes {
			for _, m := range in.boxes {
				if m.host != ends[0] {
					continue
				}
				m.dropQueue()
				m.holdUntil(again)
				if m.client != nil {
					m.connections++
					m.client.signal()
				}
			}
		}
	}
}

// wayBetween is the same in both directions.
func wayBetween(a, b *Host) way { return way{min(a.number, b.number), max(a.number, b.number)} }

// isCut reports whether nothing passes between two hosts; the caller holds mu.
func (t *Network) isCut(a, b *Host) bool {
	if a == b {
		return false
	}
	for _, side := range t.partitions {
		if side[a] != side[b] {
			return true
		}
	}
	return t.cuts[wayBetween(a, b)]
}

// What happens by chance.
const (
	messageTime = iota
	gossipTime
	datagramTime
	datagramLoss
	uuidHigh
	uuidLow
)

// chance returns a number that follows from the seed and its arguments, evenly spread.
func (t *Network) chance(kind uint64, from, to int, n uint64) uint64 {
	h := t.seed
	for _, v := range [...]uint64{kind, uint64(from), uint64(to), n} {
		h += v + 0x9e3779b97f4a7c15 // SplitMix64
		h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
		h = (h ^ h>>27) * 0x94d049bb133111eb
		h ^= h >> 31
	}
	return h
}

// messageDelay returns how long a message takes that m sends now to a host. It follows from
// the time, so that it does not matter which of two goroutines sends first. The caller
// holds mu.
func (t *Network) messageDelay(m *mailbox, to *Host) time.Duration {
	kind := uint64(messageTime)
	if m.gossip {
		kind = gossipTime
	}
	return t.delay(t.chance(kind, m.host.number, to.number, uint64(time.Since(t.made))))
}

// delay returns the latency and up to an eighth more.
func (t *Network) delay(chance uint64) time.Duration {
	if t.latency < 8 {
		return t.latency
	}
	return t.latency + time.Duration(chance%uint64(t.latency/8))
}

// allDialing lists the mailboxes that are not connected, in order of dialling.
func (t *Network) allDialing() []*mailbox {
	var all []*mailbox
	for _, list := range t.dialing {
		all = append(all, list...)
	}
	slices.SortFunc(all, func(a, b *mailbox) int { return a.number - b.number })
	return all
}
