package transport

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/go-zyre/zyre/internal/tcpinfo"
)

// source is a connection that messages were read of.
type source struct {
	fd   int
	conn Conn   // zero if it is not known
	read uint64 // bytes on the wire since they were counted

	// When the system was last asked whether the descriptor still is that connection.
	asked uint64 // looks that were due by then
	since uint64 // bytes on the wire since
}

// askedBytes is how much is taken for what came on the same connection before the system is asked
// again. To ask takes as long as a few small messages.
const askedBytes = 64 << 10

// Source notes that a message is read which a descriptor brought; head is its first frame. A
// message may be read long after it came, when its connection has ended and its descriptor is used
// again: for a connection of another socket of the process, or for another one of this socket,
// which cannot be told.
//
// Over inproc there is no connection. Of a message by ZMTP 1 or 2 libzmq does not tell it.
//
// The system is asked once between two looks and for each askedBytes, and about HELLO, which often
// comes on a new connection. Until then what comes on a connection counts for the one before that
// had its descriptor, which is less than askedBytes.
func (g *Guard) Source(fd int, head []byte, inproc bool) {
	switch {
	case inproc:
		g.current = nil
		return
	case fd <= 0:
		g.current = &g.unknown
		return
	}
	s := g.current
	if s == nil || s.fd != fd {
		s = g.sources[fd]
	}
	if s == nil || s.asked != g.looks || isHello(head) {
		s = g.ask(fd, s)
	}
	g.current = s
}

// Conn returns the connection of the message that is being read; the zero Conn if it is not known.
func (g *Guard) Conn() Conn {
	if g.current == nil {
		return Conn{}
	}
	return g.current.conn
}

// ask asks the system whether a descriptor still is the connection that it was, if it is known, and
// returns what it is.
func (g *Guard) ask(fd int, s *source) *source {
	if s == nil || !s.conn.IsCurrent() {
		s = &source{fd: fd, conn: g.connOf(fd)}
		g.sources[fd] = s
	}
	s.asked, s.since = g.looks, 0
	return s
}

// isHello reports whether a message begins as a HELLO does, of ZRE or of gossip: two bytes of
// signature, and its id.
func isHello(head []byte) bool { return len(head) > 2 && head[2] == 1 }

// Read notes that a frame was read of a message, but for its routing id. It counts the fewest bytes
// that the frame can have taken on the wire.
func (g *Guard) Read(size int) {
	if g.current == nil {
		return
	}
	wire := wireSize(size, g.secure)
	if g.current.since+wire >= askedBytes && g.current != &g.unknown {
		g.current = g.ask(g.current.fd, g.current)
	}
	g.current.read += wire
	g.current.since += wire
}

// Refuse notes that a message is read which a descriptor brought under a routing id of so many
// bytes, more than any node has. Judge ends its connection. A message may be read late, see Source:
// a connection on which fewer bytes have come is another one.
func (g *Guard) Refuse(fd, size int) {
	if fd <= 0 {
		return
	}
	c := g.ask(fd, g.sources[fd]).conn
	if count, exists := c.Count(); exists && count.Received >= uint64(size) && !slices.Contains(g.refused, c) {
		g.refused = append(g.refused, c)
	}
}

// wireSize is how many bytes a frame takes on the wire, at least: with its flags and length, and
// with CURVE the name of a command, a nonce, flags and what proves who sent it.
func wireSize(size int, secure bool) uint64 {
	if secure {
		size += 8 + 8 + 1 + 16
	}
	if size < 256 {
		return uint64(1 + 1 + size)
	}
	return uint64(1 + 8 + size)
}

// connOf asks the system which of the socket's connections a descriptor is.
func (g *Guard) connOf(fd int) Conn {
	c := tcpinfo.Of(fd)
	if g.known[c] == nil && !g.isBound(c.Local()) {
		return Conn{}
	}
	return c
}

// matchSources sees to it that what is read from now on, and what was read since the last look,
// counts for the connections that were seen. Whose descriptor another connection has since is
// gone; and the look may be a little older than a connection.
func (g *Guard) matchSources() {
	seen := make(map[int]Conn, len(g.in))
	for _, k := range g.in {
		seen[k.FD()] = k.Conn
	}
	for fd, c := range seen {
		if s := g.sources[fd]; s == nil {
			g.sources[fd] = &source{fd: fd, conn: c}
		} else if s.conn != c {
			s.conn, s.read = g.connOf(fd), 0
		}
	}
	for fd, s := range g.sources {
		if s.conn == seen[fd] {
			continue
		}
		if c := g.connOf(fd); c != s.conn {
			s.conn, s.read = c, 0
		}
		if !s.conn.IsKnown() {
			delete(g.sources, fd)
			if g.current == s {
				g.current = nil
			}
		}
	}
}

// count adds what was read to the connections that it came on.
func (g *Guard) count() {
	g.countedAt = time.Now()
	for _, k := range g.in {
		if s := g.sources[k.FD()]; s != nil && s.conn == k.Conn {
			k.read += s.read
			s.read = 0
		}
	}
}

// countUnknown counts what was read by ZMTP 1 and 2 for the connections that are taken for those of
// peers who speak these: which of them it came on, nothing tells. What came since the look is kept.
func (g *Guard) countUnknown(theirs []*guarded) {
	for _, k := range theirs {
		k.read += min(k.held, g.unknown.read)
		g.unknown.read -= min(k.held, g.unknown.read)
	}
	g.unknown.read = min(g.unknown.read, uint64(g.maxMessage)+maxUnfinished)
	g.sum()
}

// boundAddress is where the socket is bound, or was.
type boundAddress struct {
	netip.AddrPort
	left bool // it is not any more
}

// Bound notes where the socket was bound.
func (g *Guard) Bound(endpoint string) {
	at, ok := addressOf(endpoint)
	if !ok {
		return
	}
	for i, b := range g.bound {
		if b.AddrPort == at {
			g.bound[i].left = false
			return
		}
	}
	g.bound = append(g.bound, boundAddress{AddrPort: at})
	g.connections.addBound(at, 1)
}

// Unbound notes that the socket has left an endpoint. Connections last longer: those that were
// seen before are still guarded. Whatever else has that port from now on is somebody else's.
func (g *Guard) Unbound(endpoint string) {
	at, ok := addressOf(endpoint)
	for i, b := range g.bound {
		if ok && b.AddrPort == at {
			g.bound[i].left = true
		}
	}
}

// addressOf returns the address of an endpoint that is bound; with * it is not of one family.
func addressOf(endpoint string) (at netip.AddrPort, ok bool) {
	at, err := ParseEndpoint(endpoint)
	if err == nil && at.IsValid() {
		return at, true
	}
	at, err = netip.ParseAddrPort(strings.TrimPrefix(endpoint, "tcp://"))
	return at, err == nil
}

// Close notes that the socket was closed.
func (g *Guard) Close() {
	for _, b := range g.bound {
		g.connections.addBound(b.AddrPort, -1)
	}
	g.bound = nil
}

// isBound reports whether local is the end of a connection that was made to where the socket is
// bound.
func (g *Guard) isBound(local netip.AddrPort) bool {
	return slices.ContainsFunc(g.bound, func(b boundAddress) bool {
		return !b.left && b.Port() == local.Port() &&
			(b.Addr().IsUnspecified() || plain(b.AddrPort) == plain(local))
	})
}

// ports lists the ports where the socket is bound, and was, each once.
func (g *Guard) ports() (all []uint16) {
	for _, b := range g.bound {
		if !slices.Contains(all, b.Port()) {
			all = append(all, b.Port())
		}
	}
	return all
}
