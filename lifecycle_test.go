package zyre

import (
	"context"
	"errors"
	"syscall"
	"testing"
	"time"
)

// stopTime is how long Stop may take at the worst.
const stopTime = 1500 * time.Millisecond

// mustStopSoon stops a node, returns how long that took, and fails the test if it was
// long.
func mustStopSoon(t *testing.T, z *Zyre) time.Duration {
	t.Helper()
	start := time.Now()
	z.Stop()
	took := time.Since(start)
	if took > stopTime {
		t.Errorf("Stop(%s) took %v, want at most %v", z.Name(), took, stopTime)
	}
	return took
}

// Stop waits neither for a peer that takes nothing nor for those who wait for it.
func TestLifecycle_stopWhilePushedBack(t *testing.T) {
	port := freeUDPPort(t)
	bob := startProcess(t, "bob", port, "start", "read")
	alice := newLoopbackNode(t, "alice", port)
	mustStart(t, alice)
	ra := record(alice)
	ra.wait(t, "ENTER bob", 1)
	bob.signal(syscall.SIGSTOP)
	returned := make(chan error, 16)
	for range cap(returned) {
		go func() {
			for {
				if err := alice.WhisperContext(context.Background(), bob.uuid, make([]byte, 10_000)); err != nil {
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
			alice.Whisper(bob.uuid, make([]byte, 10_000))
		}
	}()
	eventually(t, "alice is pushed back", func() bool { return waitingFor(alice) > 0 })
	answers := make(chan time.Duration)
	go func() {
		took, _ := pokeAll(alice)
		answers <- took
	}()
	mustStopSoon(t, alice)
	for range cap(returned) {
		if err := <-returned; !errors.Is(err, ErrNotRunning) && !errors.Is(err, ErrUnknownPeer) {
			t.Errorf("WhisperContext = %v, want ErrNotRunning", err)
		}
	}
	<-done
	if took := <-answers; took > answerTime {
		t.Errorf("a method called during Stop took %v", took)
	}
}

// A method that is called while the node stops does not wait for the end of it.
func TestLifecycle_methodsDuringStop(t *testing.T) {
	port := freeUDPPort(t)
	bob := startProcess(t, "bob", port, "start", "read")
	alice := newLoopbackNode(t, "alice", port)
	mustStart(t, alice)
	ra := record(alice)
	ra.wait(t, "ENTER bob", 1)
	bob.signal(syscall.SIGSTOP) // Stop takes its time
	fill(alice, bob.uuid, 10_000, nil)
	eventually(t, "alice is pushed back", func() bool { return waitingFor(alice) > 0 })
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		mustStopSoon(t, alice)
	}()
	var slowest time.Duration
	for calls := 0; ; calls++ {
		start := time.Now()
		alice.Peers()
		slowest = max(slowest, time.Since(start))
		select {
		case <-stopped:
			t.Logf("%d calls, the slowest %v", calls, slowest)
			if slowest > 3*answerTime {
				t.Errorf("Peers() took %v during Stop, want at most %v", slowest, 3*answerTime)
			}
			return
		default:
		}
	}
}

// Two nodes in one process keep their own timeouts, also short ones.
func TestLifecycle_ownTimeouts(t *testing.T) {
	port := freeUDPPort(t)
	dead := startProcess(t, "dead", port, "start", "read")
	quick := quickTimeouts(newLoopbackNode(t, "quick", port), 100*time.Millisecond, 400*time.Millisecond)
	slow := quickTimeouts(newLoopbackNode(t, "slow", port), 500*time.Millisecond, 3*time.Second)
	mustStart(t, quick)
	mustStart(t, slow)
	rq, rs := record(quick), record(slow)
	rq.wait(t, "ENTER dead", 1)
	rs.wait(t, "ENTER dead", 1)
	pause(long(5*time.Second, time.Second)) // an idle, healthy network
	if n := rq.count("EXIT") + rs.count("EXIT"); n != 0 {
		t.Errorf("%d EXIT in an idle network, want none:\n%s%s", n, rq, rs)
	}
	early := rq.count("EVASIVE dead") // a loaded machine may not answer within 50 ms
	dead.signal(syscall.SIGKILL)
	start := time.Now()
	for _, c := range []struct {
		r        *recorder
		what     string
		from, to time.Duration
	}{
		{rq, "EXIT dead", 100 * time.Millisecond, 900 * time.Millisecond},
		{rs, "EVASIVE dead", 100 * time.Millisecond, 1500 * time.Millisecond},
		{rs, "EXIT dead", 2 * time.Second, 4500 * time.Millisecond},
	} {
		c.r.wait(t, c.what, 1)
		took := time.Since(start)
		t.Logf("%s: %s after %v", c.r.name, c.what, took)
		if took < c.from || took > c.to {
			t.Errorf("%s: %s after %v, want %v to %v", c.r.name, c.what, took, c.from, c.to)
		}
	}
	for _, r := range []*recorder{rq, rs} {
		if e, s, x := r.count("EVASIVE dead"), r.count("SILENT dead"), r.count("EXIT dead"); e > 1+early || s > 1+early || x != 1 {
			t.Errorf("%s: %d EVASIVE, %d SILENT, %d EXIT, want one of each", r.name, e, s, x)
		}
	}
}
