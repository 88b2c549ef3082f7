//go:build unix

package process

import (
	"context"
	"errors"
	"syscall"
	"testing"
	"time"

	"github.com/go-zyre/zyre"
	"github.com/go-zyre/zyre/e2e/child"
	"github.com/go-zyre/zyre/e2e/kit"
	"github.com/go-zyre/zyre/e2e/watch"
)

// Stop waits neither for a peer that takes nothing nor for those who wait for it.
func TestLifecycle_stopWhilePushedBack(t *testing.T) {
	port := kit.FreeUDPPort(t)
	bob := child.Run(t, remote("bob", port))
	alice := kit.NewNode(t, "alice", port)
	ra := watch.Start(t, alice)
	ra.Wait(t, "ENTER bob", 1)
	bob.Process.Signal(syscall.SIGSTOP)
	returned := make(chan error, 16)
	for range cap(returned) {
		go func() {
			for {
				if err := alice.WhisperContext(context.Background(), bob.UUID, make([]byte, 10_000)); err != nil {
					returned <- err
					return
				}
			}
		}()
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for alice.Peers() != nil {
			alice.Whisper(bob.UUID, make([]byte, 10_000))
		}
	}()
	watch.Until(t, "alice is pushed back", func() bool { return waitingFor(alice) > 0 })
	answers := make(chan child.Slowest)
	go func() { answers <- child.Poke(alice) }()
	kit.MustStopSoon(t, alice)
	for range cap(returned) {
		if err := <-returned; !errors.Is(err, zyre.ErrNotRunning) && !errors.Is(err, zyre.ErrUnknownPeer) {
			t.Errorf("WhisperContext = %v, want ErrNotRunning", err)
		}
	}
	<-done
	checkAnswers(t, "alice, during Stop", <-answers)
}

// A method that is called while the node stops does not wait for the end of it.
func TestLifecycle_methodsDuringStop(t *testing.T) {
	port := kit.FreeUDPPort(t)
	bob := child.Run(t, remote("bob", port))
	alice := kit.NewNode(t, "alice", port)
	ra := watch.Start(t, alice)
	ra.Wait(t, "ENTER bob", 1)
	bob.Process.Signal(syscall.SIGSTOP) // Stop takes its time
	fill(alice, bob.UUID, 10_000, nil)
	watch.Until(t, "alice is pushed back", func() bool { return waitingFor(alice) > 0 })
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		kit.MustStopSoon(t, alice)
	}()
	var slowest time.Duration
	for calls := 0; ; calls++ {
		start := time.Now()
		alice.Peers()
		slowest = max(slowest, time.Since(start))
		select {
		case <-stopped:
			t.Logf("%d calls, the slowest %v", calls, slowest)
			if slowest > 3*kit.AnswerTime {
				t.Errorf("Peers() took %v during Stop, want at most %v", slowest, 3*kit.AnswerTime)
			}
			return
		default:
		}
	}
}

// Two nodes in one process keep their own timeouts, also short ones.
func TestLifecycle_ownTimeouts(t *testing.T) {
	port := kit.FreeUDPPort(t)
	dead := child.Run(t, remote("dead", port))
	quick := kit.QuickTimeouts(kit.NewNode(t, "quick", port), 100*time.Millisecond, 400*time.Millisecond)
	slow := kit.QuickTimeouts(kit.NewNode(t, "slow", port), 500*time.Millisecond, 3*time.Second)
	rq, rs := watch.Start(t, quick), watch.Start(t, slow)
	rq.Wait(t, "ENTER dead", 1)
	rs.Wait(t, "ENTER dead", 1)
	for range kit.Long(10, 2) { // an idle, healthy network
		expire(t, port, rq)
	}
	for _, r := range []*watch.Log{rq, rs} {
		for _, peer := range []string{"dead", "quick", "slow"} {
			r.CheckCount(t, "EXIT "+peer, 0)
		}
	}
	early := rq.Count("EVASIVE dead") // a loaded machine may not answer within 50 ms
	dead.Process.Kill()
	start := time.Now()
	for _, c := range []struct {
		r        *watch.Log
		what     string
		from, to time.Duration
	}{
		{rq, "EXIT dead", 100 * time.Millisecond, 900 * time.Millisecond},
		{rs, "EVASIVE dead", 100 * time.Millisecond, 1500 * time.Millisecond},
		{rs, "EXIT dead", 2 * time.Second, 4500 * time.Millisecond},
	} {
		c.r.Wait(t, c.what, 1)
		took := time.Since(start)
		t.Logf("%s: %s after %v", c.r.Name, c.what, took)
		if took < c.from || took > c.to {
			t.Errorf("%s: %s after %v, want %v to %v", c.r.Name, c.what, took, c.from, c.to)
		}
	}
	for _, r := range []*watch.Log{rq, rs} {
		if e, s, x := r.Count("EVASIVE dead"), r.Count("SILENT dead"), r.Count("EXIT dead"); e > 1+early || s > 1+early || x != 1 {
			t.Errorf("%s: %d EVASIVE, %d SILENT, %d EXIT, want one of each", r.Name, e, s, x)
		}
	}
}
