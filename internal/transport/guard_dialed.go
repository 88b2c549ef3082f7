package transport

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/go-zyre/zyre/internal/tcpinfo"
)

// DialedGuard ends a connection that this process has made, and on which messages come, if it
// holds more than a message may have. Its owner looks before it reads the socket, and judges
// once there is nothing left to read. One goroutine uses it.
type DialedGuard struct {
	at     netip.AddrPort // where the connection leads; not valid for ipc and inproc, which are not guarded
	secure bool

	conn   Conn
	read   uint64 // bytes on the wire of the messages that were read of it, at least
	came   uint64 // bytes that had come at the last look
	looked bool
}

// NewDialedGuard makes a guard of a socket that connects to an endpoint, under CURVE if it is
// secure. A tcp endpoint has an address, and no source before it: by any other the guard would
// not know its connection, which is an error.
func NewDialedGuard(endpoint string, secure bool) (DialedGuard, error) {
	g := DialedGuard{secure: secure}
	if !strings.HasPrefix(endpoint, "tcp://") {
		return g, nil
	}
	at, err := ParseEndpoint(endpoint)
	if err != nil {
		return g, fmt.Errorf("guard of a connection: %w", err)
	}
	g.at = plain(at)
	return g, nil
}

// Connected notes that the socket has a connection with a descriptor. Nothing of it was read.
// The descriptor may be another connection's by now: one that does not lead to the endpoint is
// none of ours.
func (g *DialedGuard) Connected(fd int) {
	*g = DialedGuard{at: g.at, secure: g.secure}
	if c := tcpinfo.Of(fd); g.at.IsValid() && g.leads(c) {
		g.conn = c
	}
}

// leads reports whether a connection leads to the endpoint. One to the unspecified address is
// made to the address that it comes from.
func (g *DialedGuard) leads(c Conn) bool {
	remote := plain(c.Remote())
	if g.at.Addr().IsUnspecified() {
		return remote.Port() == g.at.Port() && remote.Addr() == plain(c.Local()).Addr()
	}
	return remote == g.at
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
