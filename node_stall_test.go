package zyre

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-zyre/zyre/internal/transport/mem"
)

func TestStall_observe(t *testing.T) {
	start := time.Unix(1e9, 0)
	var s stall
	for _, step := range []struct {
		at     time.Duration
		behind bool
		taken  uint64
		want   bool
	}{
		{0, false, 0, false},
		{time.Hour, false, 0, false}, // not behind
		{time.Hour + time.Second, true, 0, false},
		{time.Hour + 6*time.Second, true, 0, true},
		{time.Hour + 7*time.Second, true, 1, false}, // it took one
		{time.Hour + 11*time.Second, true, 1, false},
		{time.Hour + 12*time.Second, true, 1, true},
		{time.Hour + 13*time.Second, false, 1, false}, // caught up
	} {
		if got := s.observe(start.Add(step.at), step.behind, step.taken, 5*time.Second); got != step.want {
			t.Errorf("at %v: stalled = %t, want %t", step.at, got, step.want)
		}
	}
}

// An application that waits to send and takes no events is let go: what somebody wants to
// hear about is taken back, the rest waits in memory up to a limit, beyond which the peer
// exits. When it reads again it meets the peer again.
func TestNode_stalledApplicationIsLetGo(t *testing.T) {
	for _, c := range []struct {
		share int // of the queue limit, that is sent meanwhile
		exits bool
	}{{2, false}, {letGoShare + 1, true}} {
		stalledApplicationIsLetGo(t, c.share, c.exits)
	}
}

// An application that has not caught up, but whose queue has room, is not taken for one that is
// stalled: the node reads what comes, so nobody waits for it.
func TestNode_behindIsNotStalled(t *testing.T) {
	now := time.Now()
	n, _ := newQueueNode(t, now)
	n.paused = true
	n.commands.waitBegins()
	for range 20 {
		now = now.Add(time.Second)
		n.resume(now)
		n.paused = true
	}
	if n.zre.lettingGo {
		t.Error("it is let go, though its queue is not full")
	}
}

// Whoever waits for what lies behind events that nobody reads is told so: Ping and WaitPeers may
// be called from the loop that reads them.
func TestNode_waitsOfStalledApplication(t *testing.T) {
	for name, wait := range map[string]func(z *Zyre, peer string) error{
		"Ping": func(z *Zyre, peer string) error {
			_, err := z.Ping(context.Background(), peer)
			return err
		},
		"WaitPeers": func(z *Zyre, _ string) error { return z.WaitPeers(context.Background(), "", 2) },
	} {
		synctest.Test(t, func(t *testing.T) {
			network := mem.New(1)
			a, b := newMemNode(network, "a"), newMemNode(network, "b")
			a.SetQueueLimit(minQueueLimit)
			for _, z := range []*Zyre{a, b} {
				mustStart(t, z)
				defer z.Stop()
			}
			seen := record(b)
			seen.wait(t, "ENTER a", 1)
			go func() {
				for range 300 {
					b.Whisper(a.UUID(), make([]byte, 1024))
				}
			}()
			for e := range a.Events() {
				if e.Type != EventWhisper {
					continue
				}
				synctest.Wait()
				for range 2 {
					if err := wait(a, b.UUID()); !errors.Is(err, ErrPushedBack) {
						t.Errorf("%s: %v, want %v", name, err, ErrPushedBack)
					}
				}
				break
			}
			if name == "Ping" {
				for range 299 { // all others
					<-a.Events()
				}
				if err := wait(a, b.UUID()); err != nil {
					t.Errorf("%s once the application reads: %v, want nil", name, err)
				}
			}
		})
	}
}

func stalledApplicationIsLetGo(t *testing.T, share int, exits bool) {
	t.Helper()
	s := newSim(t, 1)
	s.window = minWindow
	var nodes [2]*simNode
	for i := range nodes {
		nodes[i] = s.node(func(cfg *config, _ *simSite) { cfg.queueLimit = minQueueLimit })
	}
	a, b := nodes[0], nodes[1]
	s.run(2 * time.Second)
	a.deaf, b.deaf = true, true
	payload := make([]byte, 1024)
	flood := func(from, to *simNode, messages int) {
		for range messages {
			from.do(command{kind: cmdWhisper, message: message{peer: to.uuid, payload: payload}})
		}
	}
	flood(a, b, 150)
	flood(b, a, 150)
	s.run(time.Second)
	if !a.n.paused || a.n.commands.blockedPeers[b.uuid] == nil {
		t.Fatalf("paused %t, blocked %t; want both", a.n.paused, a.n.commands.blockedPeers[b.uuid] != nil)
	}
	told := a.whisperText(b.uuid, "told")
	s.run(10 * time.Second)
	if a.n.zre.lettingGo {
		t.Fatal("let go, though nobody waits")
	}
	a.n.commands.waitBegins()
	b.n.commands.waitBegins()
	s.run(10 * time.Second)
	if !a.n.zre.lettingGo || a.n.commands.blockedPeers[b.uuid] != nil {
		t.Errorf("let go %t, blocked %t; want true, false", a.n.zre.lettingGo, a.n.commands.blockedPeers[b.uuid] != nil)
	}
	if err, done := settled(told); !errors.Is(err, ErrPushedBack) || !done {
		t.Errorf("a message that waited: %v, done %t; want %v, true", err, done, ErrPushedBack)
	}
	flood(a, b, share*minQueueLimit/len(payload))
	a.n.commands.waitEnds()
	b.n.commands.waitEnds()
	a.deaf, b.deaf = false, false
	s.run(simHealing)
	if got := a.count(EventExit, b.uuid); a.n.zre.lettingGo || got > 0 != exits {
		t.Errorf("%d times the queue limit: let go %t, EXITs %d; want false and EXIT %t", share, a.n.zre.lettingGo, got, exits)
	}
	simConnected(s)
}
