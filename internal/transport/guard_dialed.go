package transport

import "github.com/go-zyre/zyre/internal/tcpinfo"

// DialedGuard ends a connection that this process has made, and on which messages come, if it
// holds more than a message may have. Its owner looks before it reads the socket, and judges
// once there is nothing left to read. One goroutine uses it.
type DialedGuard struct {
	conn   Conn
	read   uint64 // bytes on the wire of the messages that were read of it
	came   uint64 // bytes that had come at the last look
	looked bool
}

// Connected notes that the socket has a connection with a descriptor. Nothing of it was read.
func (g *DialedGuard) Connected(fd int) { *g = DialedGuard{conn: tcpinfo.Of(fd)} }

// Read notes that a message was read, which took so many bytes on the wire.
func (g *DialedGuard) Read(wire uint64) { g.read += wire }

// Look asks the system what has come.
func (g *DialedGuard) Look() {
	count, exists := g.conn.Count()
	g.came, g.looked = count.Received, exists
}

// Judge ends the connection if more had come at the look before than was read since, and
// than a message may have that has not come to its end. It reports whether it did.
func (g *DialedGuard) Judge() (ended bool) {
	ended = g.looked && g.came > g.read+maxUnfinished && g.conn.Reset()
	g.looked = false
	return ended
}
