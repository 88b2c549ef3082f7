package transport

import (
	"iter"
	"net/netip"
	"slices"
	"time"

	zmq "github.com/pebbe/zmq4"

	"github.com/go-zyre/zyre/internal/netif"
	"github.com/go-zyre/zyre/internal/tcpinfo"
)

const (
	activeInterval  = 250 * time.Millisecond // between two looks
	pressedInterval = 50 * time.Millisecond  // if some may have held too much at the last one

	// recognizeInterval is how often it is asked at least whose connection each is.
	recognizeInterval = 10 * time.Second

	// A look takes up to 1 ms. Once one has found no other connections than before, all of them
	// peers', and less than idleBytes on them, idleLooks are left out unless the process comes to need more
	// memory by idleGrowth than it ever did. An idle process pays most for being woken: an idle
	// guard looks only when the node wakes for something else, which is once a second.
	idleLooks  = 3
	idleBytes  = 16 << 10
	idleGrowth = 16 << 20
)

// Guard knows the connections to a socket that others connect to: what has come on each, as
// the system says, and what was read of it. The rest is in libzmq, which bounds neither the
// number of connections nor a message of which the end does not come. So the guard ends those
// that hold too much: see guard_limits.go. On systems other than Linux it cannot.
//
// The owner of the socket tells the guard of each frame that it reads. It has the guard look
// before it reads the socket, and judge afterwards, so that whole messages count as read. A
// nil Guard never ends anything. One goroutine uses it.
type Guard struct {
	connections *connections
	maxMessage  int     // bytes of a message, all frames together
	maxHeld     float64 // maxHeld, but for tests
	secure      bool

	bound   []boundAddress  // where the socket is, and was
	sources map[int]*source // of what is read, by descriptor
	current *source         // of the message that is being read
	unknown source          // of all messages by ZMTP 1 and 2: libzmq tells no descriptor
	refused []Conn          // those that are to end for their routing id, unless peers are heard on them
	looks   uint64          // that were due so far

	seen         *sight            // the connections of the process at the last look
	known        map[Conn]*guarded // those to the socket
	in           []*guarded        // the same, since Look and until Judge
	wasLooked    bool              // what was read before does not show that nothing is left of what was seen
	quiet        bool              // nothing new was seen
	countedAt    time.Time         // when it was counted last what was read, by the clock
	recognizedAt time.Time         // when it was asked last which connections are peers'
	memoryBefore memory            // what the process had when little was held
	state        guardState        // by the last judgement
	skip         int               // how many looks are left out from now on
	peak         int               // the most memory of the process at the last look
	cut          uint64            // how many were ended so far

	dueAt time.Time // when to look again
}

// guardState says how soon a guard looks again.
type guardState int

const (
	guardActive  guardState = iota // something is new on the connections
	guardIdle                      // nothing is
	guardPressed                   // some may hold too much
)

// guarded is what is known of a connection to the socket.
type guarded struct {
	tcpinfo.Reading        // at the last look
	seen            *sight // the same
	firstSeen       time.Time
	movedAt         time.Time // when bytes were last seen to come
	read            uint64    // bytes of the messages that were read of it
	unread          uint64    // bytes that libzmq had not taken yet at the last look; 0 if few had come
	held            uint64    // bytes that libzmq has taken and that were not read
	isPeers         bool      // a peer is heard on it
	mayBePeers      bool      // or may be: one of that host was heard on a connection that is gone, or not known
}

// NewGuard makes a guard of a socket of ctx that is bound to nothing yet, and takes messages of
// up to so many bytes, under CURVE if it is secure.
func NewGuard(ctx *zmq.Context, maxMessage int, secure bool) *Guard {
	return &Guard{
		connections: connectionsOf(ctx), maxMessage: maxMessage, maxHeld: maxHeld, secure: secure,
		sources: map[int]*source{}, known: map[Conn]*guarded{},
	}
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
	isFirst := g.dueAt.IsZero()
	g.plan(now)
	if isFirst {
		return // little can have come yet, and a node that starts has its peers to meet
	}
	if g.looks == 0 {
		g.memoryBefore = memoryNow()
	}
	g.looks++
	if g.leaveOut(peakMemory()) {
		return
	}
	s := g.connections.look(now)
	if s == g.seen || !s.isKnown {
		return // it was judged before, or shows nothing
	}
	g.see(s)
	g.matchSources()
	g.count()
	for _, k := range g.in {
		k.unread = 0
		if k.Received > k.read+maxUnfinished {
			k.unread = k.Unread()
		}
	}
	g.wasLooked = true
}

// see takes in the connections that were made to where the socket is bound, and those that are
// known from before it left there.
func (g *Guard) see(s *sight) {
	g.seen, g.in, g.quiet = s, []*guarded{}, true
	came := uint64(0)
	for _, port := range g.ports() {
		for _, c := range s.in[port] {
			k := g.known[c.Conn]
			if k == nil {
				if !g.isBound(c.Local()) {
					continue
				}
				k = &guarded{firstSeen: s.at}
				g.known[c.Conn] = k
				g.quiet = false
			}
			if k.seen == nil || c.Received > k.Received {
				k.movedAt = s.at
			}
			if s.begun.After(g.countedAt) {
				k.read = min(k.read, c.Received) // what is more was read of one before, late
			}
			came += c.Received - k.Received
			k.Reading, k.seen = c, s
			g.in = append(g.in, k)
		}
	}
	for c, k := range g.known {
		if k.seen != s {
			delete(g.known, c)
		}
	}
	g.quiet = g.quiet && came < idleBytes
}

// Heard is on which connection a peer is heard, or from which host if it speaks ZMTP 1 or 2.
type Heard struct {
	Conn Conn
	Host netip.Addr
}

// Judge ends the connections that held too much at the look before, if there was one. The
// socket was drained if it was read to its end since. peers lists where peers are heard; it is
// called only if that matters.
func (g *Guard) Judge(now time.Time, drained bool, peers iter.Seq[Heard]) {
	if g == nil {
		return
	}
	if len(g.refused) > 0 {
		g.endRefused(peers)
	}
	if g.in == nil {
		return
	}
	g.count()
	g.cut += g.connections.cut.Swap(0)
	held, strangers, mute := g.sum()
	if held <= maxUnfinished {
		g.memoryBefore = g.seen.memory()
	}
	pressed := held > maxUnfinished || strangers > maxStrangersOfHost
	if pressed || mute > 0 || g.quiet && strangers > 0 || now.Sub(g.recognizedAt) >= recognizeInterval {
		g.recognize(now, peers)
		if drained {
			g.endUnfinished()
		}
		g.limitMemory()
		g.limitStrangers()
	}
	g.in = nil
	switch {
	case pressed:
		g.state = guardPressed
	case g.quiet && strangers == 0:
		g.state, g.skip = guardIdle, idleLooks
	default:
		g.state = guardActive
	}
	g.plan(now)
}

// recognize finds out which connections are peers'.
func (g *Guard) recognize(now time.Time, peers iter.Seq[Heard]) {
	g.recognizedAt = now
	for _, k := range g.in {
		k.isPeers = false
	}
	gone, old := map[netip.Addr]int{}, map[netip.Addr]int{} // peers without one that is known, by their host
	for p := range peers {
		switch k := g.known[p.Conn]; {
		case k != nil:
			k.isPeers = true
		case p.Conn.IsKnown():
			gone[netif.HostOf(p.Conn.Remote().Addr())]++
		default:
			old[netif.HostOf(p.Host)]++
		}
	}
	for _, k := range g.in {
		k.mayBePeers = k.isPeers
	}
	// What came in place of one that is gone is newer than others of that host. One by ZMTP 2
	// is there as long as its peer.
	newestFirst := func(a, b *guarded) int { return b.firstSeen.Compare(a.firstSeen) }
	g.assume(gone, newestFirst)
	g.countUnknown(g.assume(old, func(a, b *guarded) int { return newestFirst(b, a) }))
}

// assume takes connections for those of so many peers of each host, in order, and returns them.
func (g *Guard) assume(peers map[netip.Addr]int, order func(a, b *guarded) int) (taken []*guarded) {
	if len(peers) == 0 {
		return nil
	}
	slices.SortFunc(g.in, order)
	for _, k := range g.in {
		if host := netif.HostOf(k.Remote().Addr()); !k.mayBePeers && peers[host] > 0 {
			k.mayBePeers = true
			peers[host]--
			taken = append(taken, k)
		}
	}
	return taken
}

// plan sets when to look again.
func (g *Guard) plan(now time.Time) {
	g.dueAt = now.Add(activeInterval)
	if g.state == guardPressed {
		g.dueAt = now.Add(pressedInterval)
	}
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
