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
	g.guard.Judge(now, g.router == nil || !g.router.MayHaveInput(), g.heard)
	for _, h := range g.hubs {
		if h.dealer != nil && h.dealer.Judge() {
			g.stats.Ended++
		}
	}
}

// heard lists where clients are heard.
func (g *Gossip) heard(yield func(transport.Heard) bool) {
	for _, c := range g.clients {
		if c.conn.IsKnown() && !yield(transport.Heard{Conn: c.conn}) {
			return
		}
	}
}
