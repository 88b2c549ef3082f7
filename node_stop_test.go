package zyre

import (
	"runtime"
	"slices"
	"testing"
	"time"
	"weak"

	"github.com/go-zyre/zyre/internal/transport/mem"
)

// A goodbye is heard when all that had arrived before it has been read.
func TestNode_goodbyeWaitsForMessages(t *testing.T) {
	n, in := newQueueNode(t, time.Now())
	p := meetPeer(t, time.Now(), n, in, &ZreMsg{id: WhisperID, Content: []byte("last words")})
	goodbye := sighting{beaconOrigin: beaconOrigin{uuid: p.uuid}}
	if err := n.commands.put(command{kind: cmdTake, news: goodbye}); err != nil {
		t.Fatal(err)
	}
	go n.run()
	var seen []string
	for e := range n.events.ch {
		if seen = append(seen, e.Type); e.Type == EventExit {
			go n.stop(cmdStop)
		}
	}
	if want := []string{EventEnter, EventWhisper, EventExit, EventStop}; !slices.Equal(seen, want) {
		t.Errorf("events = %v, want %v", seen, want)
	}
}

// A node that stops offers no inproc connection any more: who took one would lose it.
func TestNode_stopEndsOffers(t *testing.T) {
	now := time.Now()
	n, in := newQueueNode(t, now)
	_ = n.commands.put(command{kind: cmdStop})
	n.step(now)
	if in.offering || !n.isFinished(now) {
		t.Errorf("after Stop: offering %t, finished %t; want false, true", in.offering, n.isFinished(now))
	}
}

// A Zyre keeps what a node counted, and not the node.
func TestNode_notKept(t *testing.T) {
	z := newMemNode(mem.New(1), "it")
	mustStart(t, z)
	kept := weak.Make(z.node.Load())
	z.Stop()
	for end := time.Now().Add(10 * time.Second); kept.Value() != nil; runtime.GC() {
		if time.Now().After(end) {
			t.Fatal("it is not collected")
		}
	}
	runtime.KeepAlive(z)
}
