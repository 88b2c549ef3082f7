package zyre

import (
	"sync"

	"github.com/go-zyre/zyre/internal/netif"
	"github.com/go-zyre/zyre/internal/transport"
)

// edges are the goroutines that pass on to the node what its edges offer. They end when
// quit is closed or the edge has ended.
type edges struct {
	commands *commandQueue
	quit     chan struct{} // nil before they start
	running  sync.WaitGroup
}

// forward passes on what the beacon hears, as far as the node has time for it, changes of the
// links, and which addresses host names have. b is nil if there is no beacon.
func (e *edges) forward(b *Beacon, resolver *transport.Resolver) {
	var signals <-chan *Signal
	var linkChanges <-chan []netif.Link
	if b != nil {
		signals, linkChanges = b.Signals, b.linkChanges
	}
	for {
		select {
		case s, ok := <-signals:
			if !ok { // the beacon has ended
				signals, linkChanges = nil, nil
				continue
			}
			if !e.commands.offer(command{kind: cmdTake, news: s.sighting}) {
				b.stats.droppedFull.Add(1)
			}
		case links := <-linkChanges:
			_ = e.commands.put(command{kind: cmdTake, news: links})
		case r := <-resolver.Results():
			_ = e.commands.put(command{kind: cmdTake, news: r})
		case <-e.quit:
			return
		}
	}
}

// forwardTuples passes on what gossip tells, one after the other: what the node has no
// time for stays with gossip, which keeps only the latest of each key. None comes before the
// node knows its own address on the way to its hubs, or has done without it: its HELLO says that.
func (e *edges) forwardTuples(g *gossiping) {
	select {
	case <-g.routed:
	case <-e.quit:
		return
	}
	for t := range g.actor.Tuples() {
		c := command{kind: cmdTake, news: t, done: make(chan struct{})}
		if e.commands.put(c) != nil {
			return
		}
		select {
		case <-c.done:
		case <-e.quit:
			return
		}
	}
}
