// Package tcpinfo tells whether the bytes of a TCP connection move. A program on top of
// libzmq sees nothing of a message before all of it has arrived; the kernel does.
//
// It asks the kernel about descriptors of this process that belong to somebody else, who
// may close them at any time, and may open others under the same numbers. So each answer
// counts only if the connection is still the same. Only Reset changes anything.
package tcpinfo

import (
	"net/netip"
	"time"
)

// A Conn is a TCP connection of this process. The zero value is one that is not known.
type Conn struct {
	fd            int
	inode         uint64 // which no other socket has, nor one of the next billions
	local, remote netip.AddrPort
}

// Imagined returns a connection that the kernel does not know of, for a network in memory:
// it is told from others by its addresses, and never exists.
func Imagined(local, remote netip.AddrPort) Conn { return Conn{fd: -1, local: local, remote: remote} }

// IsKnown reports whether c is not the zero Conn.
func (c Conn) IsKnown() bool { return c.fd != 0 }

// IsCurrent reports whether its descriptor still is this connection.
func (c Conn) IsCurrent() bool { return isCurrent(c) }

// ID returns a number that no other connection has, nor one of the next billions; 0 if there is none.
func (c Conn) ID() uint64 { return c.inode }

// FD returns the descriptor of the connection, which is another's once it has ended.
func (c Conn) FD() int { return c.fd }

// Remote returns the address at the other end; an invalid one if that is not known.
func (c Conn) Remote() netip.AddrPort { return c.remote }

// Count is how many bytes a connection has moved since it was made.
type Count struct {
	Received uint64
	Acked    uint64 // sent, and confirmed by the other host
	Waiting  bool   // there is more to send than can be under way at once
}

// Count returns what the connection has moved, and whether it still exists.
func (c Conn) Count() (count Count, exists bool) {
	if c == (Conn{}) {
		return Count{}, false
	}
	found, count := read(c.fd, c)
	if found != c {
		return Count{}, false
	}
	return count, true
}

// Unread returns how many bytes have come that the process has not taken.
func (c Conn) Unread() uint64 { return unread(c.fd) }

// Local returns the address of this process's end; it is invalid if the connection is not
// known.
func (c Conn) Local() netip.AddrPort { return c.local }

// A Reading is a connection of this process, and what it has moved.
type Reading struct {
	Conn
	Count
}

// All reads the connections of this process; nil if they cannot be told. It takes about
// 4 µs for each, or 1.5 µs if before has it, which is what All returned before; that may be nil.
func All(before []Reading) []Reading { return all(before) }

// Keep has All and Reset work also while the process has no descriptor left, until Release: it
// holds two for them.
func Keep() { keep() }

// Release takes back one Keep.
func Release() { release() }

// Keepalive is how a socket probes a connection on which nothing is sent.
type Keepalive struct {
	Idle, Interval time.Duration // in whole seconds
	Probes         int
}

// Reset ends a connection at once if it probes as k says, and reports whether it still was
// there and did. Whoever the descriptor belongs to finds the connection ended, and closes it.
func (c Conn) Reset(k Keepalive) bool { return c != (Conn{}) && reset(c, k) }
