//go:build unix

package process

import (
	"fmt"
	"testing"

	"github.com/go-zyre/zyre/e2e/child"
	"github.com/go-zyre/zyre/e2e/kit"
	"github.com/go-zyre/zyre/e2e/watch"
)

// Three processes send large messages to one whose application does not read. The memory
// of none grows beyond twice its queue limit, 16 MiB for each peer, and 64 MiB for what a
// process takes anyway; and when the application reads, all is there.
func TestDelivery_stalledMemory(t *testing.T) {
	const senders, messages, size, limit = 3, 100, 1 << 20, 16 << 20
	const most = 2*limit + senders*16<<20 + 64<<20
	port := kit.FreeUDPPort(t)
	cfg := remote("receiver", port)
	cfg.Groups, cfg.QueueLimit, cfg.Unread, cfg.Tally = []string{"g"}, limit, true, true
	receiver := child.Run(t, cfg)
	var all []*child.Node
	for i := range senders {
		cfg := remote(fmt.Sprintf("sender-%d", i), port)
		cfg.QueueLimit = limit
		s := child.Run(t, cfg)
		all = append(all, s)
		s.Wait(t, "JOIN receiver g", 1)
	}
	for _, s := range all {
		s.NumberLarge("g", messages, size)
	}
	watch.Until(t, "the receiver does not read, and the senders wait", func() bool {
		waiting := receiver.Stats().Paused
		for _, s := range all {
			waiting = waiting && s.Stats().PushedBack > 0
		}
		return waiting
	})
	receiver.Read()
	for _, s := range all {
		watch.Reaches(t, "messages of "+s.Name, messages, func() int { return receiver.Tally(s.Name).Count })
		if tally := receiver.Tally(s.Name); tally.Missing != 0 || tally.Twice != 0 {
			t.Errorf("of %s: %+v, want none missing and none twice", s.Name, tally)
		}
	}
	if raceDetector() {
		return // it takes memory of its own
	}
	for _, n := range append(all, receiver) {
		peak := n.Process.Usage().Resident
		t.Logf("%s: %d MiB at most", n.Name, peak>>20)
		if peak > most {
			t.Errorf("%s took %d MiB, want at most %d", n.Name, peak>>20, most>>20)
		}
	}
}

// A node that has sent many large messages and stops leaves nothing of them in its process,
// and neither does the one that received them. With ZYRE_LONG=1 16 bytes of each would show.
func TestDelivery_largeMessagesLeaveNothing(t *testing.T) {
	const size, most = 1 << 20, 1<<20 + 1<<19 // the memory of one message may wait to be used again
	messages := kit.Long(100_000, 60)
	port := kit.FreeUDPPort(t)
	cfg := remote("receiver", port)
	cfg.Groups, cfg.Tally = []string{"g"}, true
	receiver := child.Run(t, cfg)
	sender := child.Run(t, remote("sender", port))
	both, runs := []*child.Node{sender, receiver}, 0
	run := func(count int) (left [2]child.Usage) {
		runs++
		sender.Wait(t, "JOIN receiver g", runs)
		before := receiver.Tally("sender").Count
		sender.NumberLarge("g", count, size)
		watch.Reaches(t, "messages", before+count, func() int { return receiver.Tally("sender").Count })
		if tally := receiver.Tally("sender"); tally.Missing != 0 || tally.Twice != 0 {
			t.Errorf("%+v, want none missing and none twice", tally)
		}
		for i, n := range both {
			n.Stop()
			left[i] = n.Process.Usage()
		}
		return left
	}
	before := run(20) // what a process takes once and keeps
	for _, n := range both {
		n.Start()
	}
	after := run(messages)
	for i, n := range both {
		was, is := before[i], after[i]
		t.Logf("%s: %d KiB in C and %d KiB in Go before, %d and %d KiB after", n.Name, was.C>>10, was.Live>>10, is.C>>10, is.Live>>10)
		if c, live := is.C-was.C, is.Live-was.Live; c > most || live > most {
			t.Errorf("%s: %d bytes more are left in C and %d in Go, want at most %d", n.Name, c, live, most)
		}
	}
}

// A node that restarts again and again leaves nothing behind, in its own process or in that of a
// node that stays.
func TestNode_restartsLeaveNothing(t *testing.T) {
	const warm, most = 10, 256 << 10 // a connection that is closing has 85 KiB
	restarts := kit.Long(400, 20)
	port := kit.FreeUDPPort(t)
	node := func(name string) *child.Node {
		cfg := remote(name, port)
		cfg.Groups, cfg.ShareView = []string{"g"}, true
		return child.Run(t, cfg)
	}
	stays, comes := node("stays"), node("comes")
	var before, after [2]child.Usage
	for i := 1; i <= warm+restarts; i++ {
		stays.Wait(t, "JOIN comes g", i)
		comes.Shout("g", "hello")
		comes.Stop()
		stays.Wait(t, "EXIT comes", i)
		after = [2]child.Usage{stays.Process.Usage(), comes.Process.Usage()}
		if i == warm {
			before = after
		}
		comes.Start()
	}
	for i, name := range []string{"stays", "comes"} {
		was, is := before[i], after[i]
		t.Logf("%s: %d KiB in C and %d KiB in Go before, %d and %d KiB after", name, was.C>>10, was.Live>>10, is.C>>10, is.Live>>10)
		if c, live := is.C-was.C, is.Live-was.Live; c > most || live > most {
			t.Errorf("%s: %d bytes more in C and %d in Go after %d restarts, want at most %d", name, c, live, restarts, most)
		}
	}
}
