package transport

import "github.com/go-zyre/zyre/internal/tcpinfo"

// DialedGuard ends a connection that this process has made, and on which messages come, if it
// holds more than a message may have. Its owner looks before it reads the socket, and judges
// once there is nothing left to read. One goroutine uses it.
type DialedGuard struct {
	endpoint string
	secure   bool

	conn   Conn
	read   uint64 // bytes on the wire of the messages that were read of it, at least
	came   uint64 // bytes that had come at the last look
	looked bool
}

// NewDialedGuard makes a guard of a socket that connects to an endpoint, under CURVE if it is
// secure.
func NewDialedGuard(endpoint string, secure bool) DialedGuard {
	return DialedGuard{endpoint: endpoint, secure: secure}
}

// Connected notes that the socket has a connection with a descriptor. Nothing of it was read.
// The descriptor may be another connection's by now: one that does not lead to the endpoint is
// none of ours.
func (g *DialedGuard) Connected(fd int) {
	*g = NewDialedGuard(g.endpoint, g.secure)
	c := tcpinfo.Of(fd)
	if at, ok := addressOf(g.endpoint); ok && plain(c.Remote()) == plain(at) {
		g.conn = c
	}
}

// Read notes that a frame was read.
func (g *DialedGuard) Read(size int) { g.read += wireSize(size, g.secure) }

// Look asks the system what has come.
func (g *DialedGuard) Look() {
	count, exists := g.conn.Count()
	g.came, g.looked = count.Received, exists
}

// Judge ends the connection if more had come at the look before than was read since, and
// than a message may have that has not come to its end. It reports whether it did.
func (g *DialedGuard) Judge() (ended bool) {
	ended = g.looked && g.came > g.read+maxUnfinished && g.conn.Reset(keepalive())
	g.looked = false
	return ended
}
