package zyre

import (
	"testing"

	"github.com/go-zyre/zyre/internal/netif"
	"github.com/go-zyre/zyre/internal/transport"
)

// What a beacon hears while the node is busy is dropped and counted; changes of the links
// are not.
func TestEdges_forward(t *testing.T) {
	const tooMany = 3
	q := newCommandQueue(func() {})
	e := &edges{commands: q, quit: make(chan struct{})}
	b := &Beacon{Signals: make(chan *Signal), linkChanges: make(chan []netif.Link)}
	done := make(chan struct{})
	go func() { // ends by quit
		defer close(done)
		e.forward(b, transport.NewResolver(nil))
	}()
	for range 2*maxCommands + tooMany {
		b.Signals <- &Signal{}
	}
	b.linkChanges <- []netif.Link{{Name: "eth0"}}
	close(b.Signals) // the beacon may end before the node does
	close(e.quit)
	<-done
	if got := b.stats.droppedFull.Load(); got != tooMany {
		t.Errorf("dropped = %d, want %d", got, tooMany)
	}
	commands := q.take(nil)
	if links, ok := commands[len(commands)-1].news.([]netif.Link); len(commands) != 2*maxCommands+1 || !ok || links[0].Name != "eth0" {
		t.Errorf("%d commands, the last with %v; want %d, and the links", len(commands), commands[len(commands)-1].news, 2*maxCommands+1)
	}
}
