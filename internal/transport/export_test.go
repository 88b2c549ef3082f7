package transport

import (
	"net/netip"
	"testing"
	"time"

	"github.com/go-zyre/zyre/internal/tcpinfo"
)

// ConnectedTo returns the endpoint that a mailbox of ZMQ is connected to.
func ConnectedTo(t *testing.T, m Mailbox) string {
	t.Helper()
	z, ok := m.(*zmqMailbox)
	if !ok {
		t.Fatalf("a mailbox of type %T", m)
	}
	endpoint, err := z.soc.GetLastEndpoint()
	if err != nil {
		t.Fatal(err)
	}
	return endpoint
}

// UsePublicOnly has a transport move messages as with a release of zmq4 that is not known.
func (t *ZMQ) UsePublicOnly() { t.publicOnly = true }

// OffersInproc reports whether an endpoint is that of an inbox of this process.
func (t *ZMQ) OffersInproc(endpoint string) bool {
	offers := &t.context.inproc
	offers.mu.Lock()
	defer offers.mu.Unlock()
	return offers.offers[endpoint] != nil
}

// AnswersZAP reports whether the responder runs, or knows a policy.
func (t *ZMQ) AnswersZAP() bool {
	z := &t.context.zap
	z.lifecycle.Lock()
	defer z.lifecycle.Unlock()
	z.mu.Lock()
	defer z.mu.Unlock()
	return z.quit != nil || len(z.entries) != 0
}

// IsIdle reports whether nothing happened at the last look of a guard.
func IsIdle(g *Guard) bool { return g.state == guardIdle }

// DueLooks are the looks that a guard takes, after one at which the process had needed
// before bytes of memory, and of later ones peaks.
func DueLooks(before int, idle bool, peaks []int) (due []bool) {
	g := &Guard{peak: before}
	if idle {
		g.skip = idleLooks
	}
	for _, p := range peaks {
		due = append(due, !g.leaveOut(p))
	}
	return due
}

// SetMaxHeld sets how much memory libzmq may take for the connections of a guard.
func SetMaxHeld(g *Guard, bytes int) { g.maxHeld = float64(bytes) }

// SetBlind has the looks of a guard see nothing, as where the system does not tell.
func SetBlind(g *Guard, blind bool) {
	l := g.connections
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.looking = blind; blind {
		l.latest = &sight{}
	}
}

// ResidentMemory is how much of the process is in memory, as guards are told.
func ResidentMemory() int { return residentMemory() }

// Held returns how many bytes a guard takes its connections to hold, and how many there are.
func Held(g *Guard) (bytes uint64, connections int) {
	for _, k := range g.known {
		bytes += k.held
	}
	return bytes, len(g.known)
}

// ExcessOf returns which of some strangers have to give way. Each is at the host with its
// number, and came a second after the one before.
func ExcessOf(hosts []int) (numbers []int) {
	var strangers []*guarded
	for i, h := range hosts {
		from := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 1, byte(h >> 8), byte(h)}), uint16(i))
		c := tcpinfo.Imagined(netip.MustParseAddrPort("10.0.0.1:1000"), from)
		k := &guarded{firstSeen: time.Unix(int64(i), 0)}
		k.Conn = c
		strangers = append(strangers, k)
	}
	for _, k := range excess(strangers) {
		numbers = append(numbers, int(k.firstSeen.Unix()))
	}
	return numbers
}

// HasConnection reports whether a guard takes a connection for that of its socket.
func HasConnection(g *DialedGuard) bool { return g.conn != Conn{} }
