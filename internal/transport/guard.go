package transport

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

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
	// maxUnread is how many bytes of a peer may wait, whole messages too, while the node does
	// not keep up.
	maxUnread = 256 << 20
	// maxAnswered is how many bytes may come within answeredTime on a connection that this
	// node has made: ZRE sends nothing there.
	maxAnswered  = 256 << 10
	answeredTime = 10 * time.Second

	guardInterval = 250 * time.Millisecond // between two looks
	guardPressed  = 100 * time.Millisecond // if the last one found something
	// All nodes of the process look at the same list, which is made again for no more than one
	// part in so many of the time.
	guardShare = 50
)

// Deliveries is what a node has read of its peers: how many bytes, by the connection that
// each is heard on.
type Deliveries struct {
	Bytes   map[Conn]uint64
	Drained bool // the inbox was empty of late: what was not read is the beginning of a message
}

// Guard ends connections that hold more of a node than they may. One goroutine uses it.
type Guard struct {
	inbox *zmqInbox
	all   func(wanted func(local, remote netip.AddrPort) bool) []tcpinfo.Received
	reset func(c Conn) bool
	now   func() time.Time

	known  map[Conn]*guarded // connections seen at the last look
	next   time.Duration
	judged Deliveries // what the node said when it was last asked
	cut    atomic.Uint64
}

// guarded is what is known of a connection.
type guarded struct {
	firstSeen time.Time
	isPeers   bool   // the peer that it belongs to has entered
	offset    uint64 // bytes that had come on it before the peer was known to be heard on it
	baseAt    time.Time
	base      uint64 // bytes that had come at baseAt
}

// GuardOf returns the guard of an inbox; nil if its connections are not of the system.
func GuardOf(in Inbox) *Guard {
	if z, ok := in.(*zmqInbox); ok {
		return newGuard(z)
	}
	return nil
}

func newGuard(in *zmqInbox) *Guard {
	return &Guard{inbox: in, all: connections.all, reset: Conn.Reset, now: time.Now,
		known: map[Conn]*guarded{}, next: guardInterval}
}

// Next is how long to wait until the next look.
func (g *Guard) Next() time.Duration { return g.next }

// Cut returns how many connections were ended so far. Any goroutine may call it.
func (g *Guard) Cut() uint64 { return g.cut.Load() }

// Look looks at the connections and ends those that hold too much. It asks the node what it
// has read only if that matters; ok is false if the node has no answer.
func (g *Guard) Look(ask func() (d Deliveries, ok bool)) {
	begun := g.now()
	in, out := g.sample(begun)
	pressed := g.isSuspect(in)
	g.inbox.wantSources.Store(pressed)
	if pressed {
		d, ok := ask()
		if !ok {
			return
		}
		g.judged = d
		g.judge(in, d)
	}
	pressed = g.limitStrangers(in) || pressed
	pressed = g.limitAnswers(begun, out) || pressed
	g.next = guardInterval
	if pressed {
		g.next = guardPressed
	}
}

// sample lists the connections to the inbox and to peers' inboxes.
func (g *Guard) sample(now time.Time) (in, out []tcpinfo.Received) {
	bound, dialed := g.inbox.addresses.Load(), &g.inbox.transport.dialed
	found := g.all(func(local, remote netip.AddrPort) bool {
		return bound.contains(local) || dialed.has(remote)
	})
	seen := make(map[Conn]*guarded, len(found))
	for _, c := range found {
		k := g.known[c.Conn]
		if k == nil {
			k = &guarded{firstSeen: now, baseAt: now}
		}
		seen[c.Conn] = k
		if bound.contains(c.Local()) {
			in = append(in, c)
		} else {
			out = append(out, c)
		}
	}
	g.known = seen
	return in, out
}

// isSuspect reports whether a connection may hold too much, by what was known last.
func (g *Guard) isSuspect(in []tcpinfo.Received) bool {
	strangers := 0
	for _, c := range in {
		k := g.known[c.Conn]
		if !k.isPeers {
			strangers++
		}
		if c.Bytes > g.judged.Bytes[c.Conn]+k.offset+maxUnfinished {
			return true
		}
	}
	return strangers > maxStrangersOfHost
}

// judge ends the connections on which more has come than was read, and than a message may
// have. c.Bytes is older than d, so that whole messages count as read.
func (g *Guard) judge(in []tcpinfo.Received, d Deliveries) {
	for _, c := range in {
		k := g.known[c.Conn]
		read, isPeers := d.Bytes[c.Conn]
		if isPeers && !k.isPeers && c.Bytes > read {
			k.offset = c.Bytes - read
		}
		k.isPeers = isPeers
		most := uint64(maxUnfinished)
		if isPeers {
			most += uint64(g.inbox.maxMessage)
		}
		if !d.Drained {
			most = maxUnread
		}
		if c.Bytes > read+k.offset+most {
			g.end(c.Conn)
		}
	}
}

// limitStrangers ends connections of no peer where there are too many, and reports whether
// there were.
func (g *Guard) limitStrangers(in []tcpinfo.Received) (any bool) {
	hosts := map[netip.Addr][]Conn{}
	total := 0
	for _, c := range in {
		if !g.known[c.Conn].isPeers {
			host := c.Remote().Addr()
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

// limitAnswers ends the connections to peers' inboxes on which much comes back, and reports
// whether there were any.
func (g *Guard) limitAnswers(now time.Time, out []tcpinfo.Received) (any bool) {
	for _, c := range out {
		k := g.known[c.Conn]
		if c.Bytes > k.base+maxAnswered {
			g.end(c.Conn)
			any = true
		}
		if now.Sub(k.baseAt) >= answeredTime {
			k.baseAt, k.base = now, c.Bytes
		}
	}
	return any
}

func (g *Guard) end(c Conn) {
	if g.reset(c) {
		g.cut.Add(1)
	}
}

// boundAddresses are where an inbox was ever bound. It is replaced and never changed.
type boundAddresses []netip.AddrPort

// contains reports whether local is the end of a connection that was made to one of them.
func (b *boundAddresses) contains(local netip.AddrPort) bool {
	if b == nil {
		return false
	}
	for _, a := range *b {
		if a.Port() == local.Port() && (a.Addr().IsUnspecified() || a.Addr().Unmap().WithZone("") == local.Addr().Unmap().WithZone("")) {
			return true
		}
	}
	return false
}

// dialed counts the mailboxes by the address that they connect to.
type dialed struct {
	mu sync.Mutex
	to map[netip.AddrPort]int
}

func (d *dialed) add(endpoint string, more int) {
	at, err := ParseEndpoint(endpoint)
	if err != nil || !at.IsValid() {
		return
	}
	at = netip.AddrPortFrom(at.Addr().Unmap().WithZone(""), at.Port())
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.to == nil {
		d.to = map[netip.AddrPort]int{}
	}
	if d.to[at] += more; d.to[at] == 0 {
		delete(d.to, at)
	}
}

func (d *dialed) has(remote netip.AddrPort) bool {
	remote = netip.AddrPortFrom(remote.Addr().WithZone(""), remote.Port())
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.to[remote] > 0
}

// connections are those of this process.
var connections connectionList

// connectionList lists the connections of this process for all of its guards.
type connectionList struct {
	mu     sync.Mutex
	found  []tcpinfo.Received
	nextAt time.Time // when they may be listed again
}

// all returns the connections that are wanted, as they were a moment ago. Their counts are
// of that time too.
func (l *connectionList) all(wanted func(local, remote netip.AddrPort) bool) (found []tcpinfo.Received) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if begun := time.Now(); !begun.Before(l.nextAt) {
		l.found = tcpinfo.All()
		l.nextAt = time.Now().Add(max(guardPressed/2, guardShare*time.Since(begun)))
	}
	for _, c := range l.found {
		if wanted(c.Local(), c.Remote()) {
			found = append(found, c)
		}
	}
	return found
}
