package transport

import (
	"cmp"
	"iter"
	"net/netip"
	"slices"

	"github.com/go-zyre/zyre/internal/netif"
	"github.com/go-zyre/zyre/internal/zmqmsg"
)

// What the connections to a socket may hold.
const (
	// Connections that are no peers' are at most so many of one host, and in all. The host that
	// has most of them gives way, the oldest first. They end if nothing comes on them for the
	// time of a handshake: libzmq sets memory aside for a frame that is announced.
	maxStrangersOfHost = 256
	maxStrangers       = 1024
	// maxUnfinished is how many bytes may have come of a message whose end has not, and beyond
	// the largest message on the connection of a peer. It is what a HELLO may have, and more.
	maxUnfinished = 1<<20 + 64<<10
	// maxHeld is how much memory libzmq may take for all of them beyond what peers may send at
	// once. It takes heldFactor times the bytes on the wire at most: 64 for an empty frame of 2.
	maxHeld    = 256 << 20
	heldFactor = 32
	// handshakeBytes is more than a connection brings before its first message.
	handshakeBytes = 1 << 10
)

// MaxStrangers is how many connections a socket has that are no peers', where they are limited.
const MaxStrangers = maxStrangers

// endRefused ends the connections that were refused. A connection has one routing id: one on which
// a peer is heard has only got the descriptor of another.
func (g *Guard) endRefused(peers iter.Seq[Heard]) {
	for p := range peers {
		g.refused = slices.DeleteFunc(g.refused, func(c Conn) bool { return c == p.Conn })
	}
	for _, c := range g.refused {
		if c.Reset(keepalive()) {
			g.cut++
		}
	}
	g.refused = nil
}

// sum finds out how many bytes each connection holds, and returns how many they hold together,
// how many of the connections are strangers', and how many of these are mute.
func (g *Guard) sum() (held uint64, strangers, mute int) {
	for _, k := range g.in {
		k.held = 0
		if other := k.read + k.unread + handshakeBytes; k.Received > other {
			k.held = k.Received - other
		}
		held += k.held
		if !k.isPeers {
			strangers++
		}
		if g.isMute(k) {
			mute++
		}
	}
	return held, strangers, mute
}

// isMute reports whether a connection is a stranger's that does not move.
func (g *Guard) isMute(k *guarded) bool {
	return !k.mayBePeers && g.seen.at.Sub(k.movedAt) >= handshakeLimit
}

// endUnfinished ends the connections that hold more than a message may have, the socket being
// drained, and those of strangers that do not move.
func (g *Guard) endUnfinished() {
	g.in = slices.DeleteFunc(g.in, func(k *guarded) bool {
		return (g.isMute(k) || k.held > g.allowance(k)+maxUnfinished) && g.end(k)
	})
}

// allowance is what a connection may hold because a peer may send it.
func (g *Guard) allowance(k *guarded) uint64 {
	if k.mayBePeers {
		return uint64(g.maxMessage)
	}
	return 0
}

// limitMemory ends the connections that hold most, those of strangers first, until libzmq takes
// no more than it may.
func (g *Guard) limitMemory() {
	held, _, _ := g.sum()
	if held == 0 {
		return
	}
	grown := memoryNow().since(g.memoryBefore)
	factor := min(max(1, float64(grown)/float64(held)), heldFactor) // of memory to bytes on the wire
	takes := func(k *guarded) float64 {
		return factor*float64(k.held) - float64(min(k.held, g.allowance(k)))
	}
	taken := 0.0
	for _, k := range g.in {
		taken += takes(k)
	}
	slices.SortFunc(g.in, func(a, b *guarded) int {
		switch {
		case a.mayBePeers == b.mayBePeers:
			return cmp.Compare(b.held, a.held)
		case a.mayBePeers:
			return 1
		}
		return -1
	})
	g.in = slices.DeleteFunc(g.in, func(k *guarded) bool {
		if taken <= g.maxHeld {
			return false
		}
		taken -= takes(k)
		return g.end(k)
	})
}

// limitStrangers ends connections of strangers where there are too many.
func (g *Guard) limitStrangers() {
	var strangers []*guarded
	for _, k := range g.in {
		if !k.isPeers {
			strangers = append(strangers, k)
		}
	}
	for _, k := range excess(strangers) {
		g.end(k)
	}
}

// excess returns the strangers that have to give way: of the host that has most of them the
// oldest, again and again, and of several such hosts the oldest of all.
func excess(strangers []*guarded) []*guarded {
	if len(strangers) <= maxStrangersOfHost {
		return nil
	}
	slices.SortFunc(strangers, func(a, b *guarded) int { return b.firstSeen.Compare(a.firstSeen) })
	newer := make(map[*guarded]int, len(strangers)) // how many of the same host are
	hosts := map[netip.Addr]int{}
	for _, k := range strangers {
		host := netif.HostOf(k.Remote().Addr())
		newer[k] = hosts[host]
		hosts[host]++
	}
	slices.SortStableFunc(strangers, func(a, b *guarded) int { return newer[a] - newer[b] })
	stay := min(len(strangers), maxStrangers)
	for newer[strangers[stay-1]] >= maxStrangersOfHost {
		stay--
	}
	return strangers[stay:]
}

// memory is how much of it the process has, in bytes.
type memory struct {
	allocated int // in C, which counts a frame as soon as it is announced
	resident  int // of the process, which counts what was freed, too
}

func memoryNow() memory { return memory{zmqmsg.Memory(), residentMemory()} }

// since returns how much of what was allocated since before can be in memory.
func (m memory) since(before memory) int {
	return min(m.allocated-before.allocated, m.resident-before.resident)
}

func (g *Guard) end(k *guarded) (ended bool) {
	if ended = k.Reset(keepalive()); ended {
		g.cut++
	}
	return ended
}
