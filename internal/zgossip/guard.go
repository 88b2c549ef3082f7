package zgossip

import (
	"time"

	"github.com/go-zyre/zyre/internal/transport"
)

// libzmq bounds no message of very many frames, nor one that does not end. What connections
// hold of this member is looked at before the sockets are read, and judged afterwards.

// look looks at what has come. The connections to hubs are looked at with each tick.
func (g *Gossip) look(now time.Time, isTick bool) {
	g.guard.Look(now)
	if !isTick {
		return
	}
	for _, h := range g.hubs {
		if h.dealer != nil {
			h.dealer.Look()
		}
	}
}

// judge ends the connections on which too much came that was no message.
func (g *Gossip) judge(now time.Time) {
	g.guard.Judge(now, g.deliveries)
	for _, h := range g.hubs {
		if h.dealer != nil && h.dealer.Judge() {
			g.stats.Ended++
		}
	}
}

// deliveries tells what has been read of the clients, by their connections.
func (g *Gossip) deliveries(time.Time) transport.Deliveries {
	d := transport.Deliveries{Bytes: make(map[transport.Conn]uint64, len(g.clients)), Drained: !g.router.MayHaveInput()}
	heardLast := make(map[transport.Conn]time.Time, len(g.clients))
	for _, c := range g.clients {
		if c.conn != (transport.Conn{}) && !c.heard.Before(heardLast[c.conn]) {
			heardLast[c.conn] = c.heard // an address is used again
			d.Bytes[c.conn] = c.read
		}
	}
	return d
}

// onConnection notes which connection a client is heard on, and how much was read of it.
func (l *link) onConnection(from Origin) {
	if from.Conn != (transport.Conn{}) && from.Conn != l.conn {
		l.conn, l.read = from.Conn, 0
	}
	l.read += from.Wire
}
