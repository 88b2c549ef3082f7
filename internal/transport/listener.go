package transport

import (
	"net/netip"
	"slices"
	"strings"

	zmq "github.com/pebbe/zmq4"

	"github.com/go-zyre/zyre/internal/tcpinfo"
)

// sourceMessages is for how many messages the connection with a descriptor is remembered,
// or until the next wait: to ask the system takes longer than to receive a message.
const sourceMessages = 512

// Listener is what is known of a socket that others connect to: where it is bound, and which
// connections bring its messages. A Guard ends those that hold too much. It belongs to the
// goroutine that owns the socket.
type Listener struct {
	connections *connections
	maxMessage  int // bytes of a message, all frames together
	addresses   boundAddresses
	wantSources bool // of every message it is to be told which connection brought it
	wasLooked   bool // the guard has looked: what was read before that does not show that nothing is left

	sources    map[int]Conn // by descriptor
	sourced    int          // messages since sources was emptied
	lastFD     int
	lastSource Conn
}

// NewListener returns what is known of a socket of ctx that is bound to nothing yet, and takes
// messages of so many bytes.
func NewListener(ctx *zmq.Context, maxMessage int) *Listener {
	return &Listener{connections: connectionsOf(ctx), maxMessage: maxMessage}
}

// NewGuard makes a guard of the socket's connections.
func (l *Listener) NewGuard() *Guard { return &Guard{listener: l, known: map[Conn]*guarded{}} }

// Bound notes where the socket was bound.
func (l *Listener) Bound(endpoint string) {
	if at, err := ParseEndpoint(endpoint); err == nil && at.IsValid() {
		l.noteAddress(at)
	} else if at, err := netip.ParseAddrPort(strings.TrimPrefix(endpoint, "tcp://")); err == nil {
		l.noteAddress(at)
	}
}

// noteAddress remembers an address for good: connections last longer than the socket is
// bound there.
func (l *Listener) noteAddress(at netip.AddrPort) {
	if !slices.Contains(l.addresses, at) {
		l.addresses = append(l.addresses, at)
		l.connections.addBound(at, 1)
	}
}

// Close notes that the socket was closed.
func (l *Listener) Close() {
	for _, at := range l.addresses {
		l.connections.addBound(at, -1)
	}
	l.addresses = nil
}

// WantsSources reports whether of every message it is to be asked which connection brought
// it, not only of a HELLO.
func (l *Listener) WantsSources() bool { return l.wantSources }

// Forget forgets which connections have which descriptors: others may have them now.
func (l *Listener) Forget() { l.sourced = sourceMessages }

// Source returns the connection with a descriptor. A message may be read long after it came,
// when its connection has ended and its descriptor is used again: for a connection of
// another socket of the process, or for another one of this socket, which cannot be told.
func (l *Listener) Source(fd int) Conn {
	if l.sourced++; l.sourced > sourceMessages {
		l.sourced = 0
		clear(l.sources)
	}
	if fd == l.lastFD && l.sourced > 1 {
		return l.lastSource
	}
	c, isKnown := l.sources[fd]
	if !isKnown {
		if c = tcpinfo.Of(fd); !l.addresses.contains(c.Local()) {
			c = Conn{}
		}
		if l.sources == nil {
			l.sources = map[int]Conn{}
		}
		l.sources[fd] = c
	}
	l.lastFD, l.lastSource = fd, c
	return c
}

// boundAddresses are where a socket was ever bound.
type boundAddresses []netip.AddrPort

// contains reports whether local is the end of a connection that was made to one of them.
func (b boundAddresses) contains(local netip.AddrPort) bool {
	for _, a := range b {
		if a.Port() == local.Port() && (a.Addr().IsUnspecified() || a.Addr().Unmap().WithZone("") == local.Addr().Unmap().WithZone("")) {
			return true
		}
	}
	return false
}

// ports lists the ports among them, each once.
func (b boundAddresses) ports() (all []uint16) {
	for _, a := range b {
		if !slices.Contains(all, a.Port()) {
			all = append(all, a.Port())
		}
	}
	return all
}
