package transport

import (
	"net/netip"
	"time"

	"github.com/go-zyre/zyre/internal/netif"
	"github.com/go-zyre/zyre/internal/tcpinfo"
)

// What connections may hold of a node that has no use for them. libzmq bounds neither their
// number nor a message of which the end does not come: it takes up to 61 bytes of memory for
// 2 bytes on the wire. So the node looks at what the system says of its connections, and ends
// those that hold too much. On systems other than Linux it cannot.
const (
	// Connections that have brought no HELLO of a peer that has entered: of one host, and in
	// all. The host that has most of them gives way, the oldest first.
	maxStrangersOfHost = 256
	maxStrangers       = 1024
	// maxUnfinished is how many bytes may have come on a connection before its peer enters,
	// and beyond a message of the largest size on that of a peer.
	maxUnfinished = 1<<20 + 64<<10
	// maxUnknown is how many bytes may have come on a connection of which it was not yet asked
	// whether it is a peer's.
	maxUnknown = 16 << 20
	// maxUnread is how many bytes of a peer may wait, whole messages too, while the node does
	// not keep up.
	maxUnread = 256 << 20

	activeInterval  = 250 * time.Millisecond // between two looks
	pressedInterval = 100 * time.Millisecond // if some held too much at the last one

	// A look takes up to 1 ms. Once one has found no other connections than before, and less
	// than idleBytes on them, idleLooks are left out unless the process comes to need more
	// memory by idleGrowth than it ever did. An idle process pays most for being woken: an idle
	// guard looks only when the node wakes for something else, which is once a second.
	idleLooks  = 3
	idleBytes  = 16 << 10
	idleGrowth = 16 << 20
)

// Deliveries is what a node has read of its peers: how many bytes, by the connection that
// each is heard on.
type Deliveries struct {
	Bytes   map[Conn]uint64
	Drained bool // the inbox was empty of late: what was not read is the beginning of a message
}

// Guard ends connections that hold more of a socket than they may. Its owner looks before it
// reads the socket and judges afterwards, so that whole messages count as read. A nil Guard
// does nothing. One goroutine uses it.
type Guard struct {
	listener *Listener
	seen     *sight            // the connections of the process at the last look
	known    map[Conn]*guarded // those to the inbox
	in       []tcpinfo.Reading // the same, since Look and until Judge
	state    guardState        // by the last judgement
	skip     int               // how many looks are left out from now on
	peak     int               // the most memory of the process at the last look
	cut      uint64            // how many were ended so far

	dueAt time.Time // when to look again
}

// guardState says how soon a guard looks again.
type guardState int

const (
	guardActive  guardState = iota // something is new on the connections
	guardIdle                      // nothing is
	guardPressed                   // some held too much
)

// guarded is what is known of a connection to the inbox.
type guarded struct {
	firstSeen time.Time
	seen      *sight // the last in which it was
	received  uint64 // bytes that had come on it then
	isPeers   bool   // a peer is heard on it, whose HELLO was taken
	isAccused bool   // it held too much at the last look
	read      uint64 // bytes that the node had read on it when it was asked last
	offset    uint64 // bytes that had come on it before the peer was known to be heard on it
}

// WakeAt returns wake, or when the guard has to look if that is earlier.
func (g *Guard) WakeAt(wake time.Time) time.Time {
	if g != nil && g.state != guardIdle && g.dueAt.Before(wake) {
		return g.dueAt
	}
	return wake
}

// Cut returns how many connections were ended so far.
func (g *Guard) Cut() uint64 {
	if g == nil {
		return 0
	}
	return g.cut
}

// Look looks at the connections, if it is time to.
func (g *Guard) Look(now time.Time) {
	if g == nil || now.Before(g.dueAt) {
		return
	}
	g.plan(now)
	if g.leaveOut(peakMemory()) {
		return
	}
	s := g.listener.connections.look(now)
	if s == g.seen {
		return // it was judged before
	}
	g.seen, g.in = s, g.find(s)
	g.listener.wasLooked = true // or Deliveries.Drained could be older than the look
}

// plan sets when to look again.
func (g *Guard) plan(now time.Time) {
	g.dueAt = now.Add(activeInterval)
	if g.state == guardPressed {
		g.dueAt = now.Add(pressedInterval)
	}
}

// Judge ends the connections that held too much at the look before, if there was one. read
// tells what the node has read; it is called only if that matters.
func (g *Guard) Judge(now time.Time, read func(now time.Time) Deliveries) {
	if g == nil || g.in == nil {
		return
	}
	in := g.in
	g.in = nil
	cut := g.listener.connections.cut.Swap(0)
	g.cut += cut
	idle := g.recognize(in)
	pressed := g.isSuspect(in)
	if pressed {
		g.judge(in, read(now))
	}
	// A message tells which connection brought it only if that is asked for. It matters if
	// more has come on one than was read: libzmq may have connected a peer again by itself.
	g.listener.wantSources = pressed && g.isSuspect(in)
	switch pressed = g.limitStrangers(in) || pressed || cut > 0; {
	case pressed:
		g.state = guardPressed
	case idle:
		g.state, g.skip = guardIdle, idleLooks
	default:
		g.state = guardActive
	}
	g.plan(now)
}

// leaveOut counts down the looks to leave out, and reports whether this is one of them. peak
// is the most memory that the process has had: if that has grown much, no look is left out.
func (g *Guard) leaveOut(peak int) bool {
	if g.skip > 0 && peak < g.peak+idleGrowth {
		g.skip--
		return true
	}
	g.peak, g.skip = peak, 0
	return false
}

// find returns the connections to the inbox.
func (g *Guard) find(s *sight) []tcpinfo.Reading {
	in := []tcpinfo.Reading{}
	for _, port := range g.listener.addresses.ports() {
		for _, c := range s.in[port] {
			if g.listener.addresses.contains(c.Local()) {
				in = append(in, c)
			}
		}
	}
	return in
}

// recognize remembers the connections to the inbox, and forgets those that are no more. It
// is idle if none is new and little has come on all of them.
func (g *Guard) recognize(in []tcpinfo.Reading) (idle bool) {
	idle = true
	came := uint64(0)
	for _, c := range in {
		k := g.known[c.Conn]
		if k == nil {
			k = &guarded{firstSeen: g.seen.at}
			g.known[c.Conn] = k
			idle = false
		}
		came += c.Received - k.received
		k.seen, k.received = g.seen, c.Received
	}
	for c, k := range g.known {
		if k.seen != g.seen {
			delete(g.known, c)
		}
	}
	return idle && came < idleBytes
}

// isSuspect reports whether a connection may hold too much, by what is known of it.
func (g *Guard) isSuspect(in []tcpinfo.Reading) bool {
	strangers := 0
	for _, c := range in {
		k := g.known[c.Conn]
		if !k.isPeers {
			strangers++
		}
		if c.Received > k.read+k.offset+maxUnfinished {
			return true
		}
	}
	return strangers > maxStrangersOfHost
}

// judge ends the connections on which more has come than was read, and than a message may
// have. c.Received is older than d, so that whole messages count as read.
func (g *Guard) judge(in []tcpinfo.Reading, d Deliveries) {
	for _, c := range in {
		k := g.known[c.Conn]
		read, isPeers := d.Bytes[c.Conn]
		if isPeers && !k.isPeers && c.Received > read {
			k.offset = c.Received - read
		}
		k.read, k.isPeers = read, isPeers
		most := uint64(maxUnfinished)
		if isPeers {
			most += uint64(g.listener.maxMessage)
		}
		if !d.Drained {
			most = maxUnread
		}
		switch {
		case c.Received <= read+k.offset+most:
			k.isAccused = false
		case isPeers, k.isAccused, c.Received > k.offset+maxUnknown:
			g.end(c.Conn)
		default:
			k.isAccused = true // until the next look its messages tell whether it is a peer's
		}
	}
}

// limitStrangers ends connections of no peer where there are too many, and reports whether
// there were.
func (g *Guard) limitStrangers(in []tcpinfo.Reading) (any bool) {
	if len(in) <= maxStrangersOfHost {
		return false
	}
	hosts := map[netip.Addr][]Conn{}
	total := 0
	for _, c := range in {
		if !g.known[c.Conn].isPeers {
			host := netif.HostOf(c.Remote().Addr())
			hosts[host] = append(hosts[host], c.Conn)
			total++
		}
	}
	for {
		var most netip.Addr
		for host, conns := range hosts {
			if len(conns) > len(hosts[most]) {
				most = host
			}
		}
		if n := len(hosts[most]); n == 0 || n <= maxStrangersOfHost && total <= maxStrangers {
			return any
		}
		oldest := 0
		for i, c := range hosts[most] {
			if g.known[c].firstSeen.Before(g.known[hosts[most][oldest]].firstSeen) {
				oldest = i
			}
		}
		g.end(hosts[most][oldest])
		hosts[most] = append(hosts[most][:oldest], hosts[most][oldest+1:]...)
		total--
		any = true
	}
}

func (g *Guard) end(c Conn) {
	if c.Reset() {
		g.cut++
	}
}
