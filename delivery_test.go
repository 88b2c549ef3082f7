package zyre

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// answerTime is how long a method that does not wait for a peer may take.
const answerTime = 100 * time.Millisecond

// quickTimeouts makes a node notice silence within seconds.
func quickTimeouts(z *Zyre, evasive, expired time.Duration) *Zyre {
	return z.SetEvasiveTimeout(evasive).SetSilentTimeout(2 * evasive).SetExpiredTimeout(expired)
}

// checkAnswers fails the test if a method of a node takes long.
func checkAnswers(t *testing.T, z *Zyre) time.Duration {
	t.Helper()
	took, method := pokeAll(z)
	if took > answerTime {
		t.Errorf("%s: %s took %v, want at most %v", z.Name(), method, took, answerTime)
	}
	return took
}

// waitingFor says how many messages wait in z for its peers.
func waitingFor(z *Zyre) (n int) {
	for _, p := range z.Stats().PeerList {
		n += p.Waiting
	}
	return n
}

// An application that reads no events for long, while a peer sends it more than it
// may hold, gets all of it in the end; nobody is taken for dead meanwhile, and
// nothing but the sending to it waits.
func TestDelivery_stalledApplication(t *testing.T) {
	const queueLimit, size = 8 << 20, 100
	messages := long(1_000_000, 200_000)
	stall := long(60*time.Second, 5*time.Second)

	port := freeUDPPort(t)
	bob := startProcess(t, "bob", port, fmt.Sprint("queue ", queueLimit), "timeouts 400 800 2000", "start")
	alice := quickTimeouts(newLoopbackNode(t, "alice", port), 400*time.Millisecond, 2*time.Second)
	carol := quickTimeouts(newLoopbackNode(t, "carol", port), 400*time.Millisecond, 2*time.Second)
	mustStart(t, alice)
	mustStart(t, carol)
	ra, rc := record(alice), record(carol)
	ra.wait(t, "ENTER bob", 1)
	ra.wait(t, "ENTER carol", 1)
	before := bob.usage(t)

	var wg sync.WaitGroup
	wg.Go(func() {
		for i := 1; i <= messages; i++ {
			alice.Whisper(bob.uuid, numberedPayload(i, size))
		}
	})
	stalled := time.Now()
	eventually(t, "alice is pushed back", func() bool { return waitingFor(alice) > 0 })
	held := bob.usage(t)

	// cpu is counted once bob holds all that it may, when it has nothing to do
	slowest, toCarol := time.Duration(0), 0
	for time.Since(stalled) < stall {
		slowest = max(slowest, checkAnswers(t, alice), checkAnswers(t, carol))
		var micros int
		var method string
		if _, err := fmt.Sscan(bob.do("poke"), &micros, &method); err != nil || micros > int(answerTime.Microseconds()) {
			t.Errorf("bob: %s took %d µs, want at most %v (%v)", method, micros, answerTime, err)
		}
		slowest = max(slowest, time.Duration(micros)*time.Microsecond)
		toCarol++
		alice.Whisper(carol.UUID(), numberedPayload(toCarol, size))
		rc.wait(t, "WHISPER alice", toCarol)
		pause(stall / 50)
	}
	after := bob.usage(t)
	idle := after.cpu - held.cpu
	if limit := stall / 3; idle > limit {
		t.Errorf("bob used %v of CPU in %v of doing nothing, want at most %v", idle, stall, limit)
	}
	// Beside the queue: what libzmq holds, and what the collector has not yet freed.
	if grown := after.live - before.live; grown > queueLimit+4<<20 {
		t.Errorf("bob holds %d bytes more than before, want at most %d", grown, queueLimit+4<<20)
	}
	if grown := after.resident - before.resident; !raceDetector() && grown > 3*queueLimit+16<<20 {
		t.Errorf("bob's memory grew by %d bytes, want at most %d", grown, 3*queueLimit+16<<20)
	}
	t.Logf("slowest method %v; bob grew by %d (live), %d (resident), used %v CPU; %s", slowest,
		after.live-before.live, after.resident-before.resident, idle, bob.do("stats"))

	bob.do("read")
	wg.Wait()
	eventuallyAll(t, "bob has everything", messages, func() int { return bob.tally(t).received })
	if c := bob.tally(t); c.received != messages || c.disorder != 0 {
		t.Errorf("bob got %d messages, %d out of order, want %d and 0", c.received, c.disorder, messages)
	}
	if n := bob.count("EXIT") + ra.count("EXIT") + rc.count("EXIT"); n != 0 {
		t.Errorf("%d EXIT, want none: bob saw %q, alice saw\n%s", n, bob.output(), presence(ra))
	}
	t.Logf("%d EVASIVE", bob.count("EVASIVE")+ra.count("EVASIVE")+rc.count("EVASIVE"))
	if n := bob.count("ENTER alice"); n != 1 {
		t.Errorf("bob saw %d ENTER of alice, want 1", n)
	}
}

// fill whispers numberedPayload messages to a peer until it is removed or enough is
// closed, and then sends the number of the last that was accepted.
func fill(z *Zyre, peer string, size int, enough <-chan struct{}) <-chan int {
	last := make(chan int, 1)
	go func() {
		i := 0
		defer func() { last <- i }()
		for {
			select {
			case <-enough:
				return
			default:
			}
			if err := z.WhisperContext(context.Background(), peer, numberedPayload(i+1, size)); err != nil {
				return
			}
			i++
		}
	}()
	return last
}

// pushedBack whispers a message that cannot leave in time, and checks what the
// sender is told.
func pushedBack(t *testing.T, z *Zyre, peer, msg string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	err := z.WhisperContext(ctx, peer, []byte(msg))
	if !errors.Is(err, ErrPushedBack) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("WhisperContext to a stopped peer = %v, want ErrPushedBack and DeadlineExceeded", err)
	}
}

// A process that is stopped and goes on before it expires has lost nothing.
func TestDelivery_stoppedProcessGoesOn(t *testing.T) {
	port := freeUDPPort(t)
	bob := startProcess(t, "bob", port, "start", "read")
	alice := quickTimeouts(newLoopbackNode(t, "alice", port), 500*time.Millisecond, patience)
	mustStart(t, alice)
	ra := record(alice)
	ra.wait(t, "ENTER bob", 1)

	bob.signal(syscall.SIGSTOP)
	enough := make(chan struct{})
	last := fill(alice, bob.uuid, 10_000, enough)
	eventually(t, "alice is pushed back", func() bool { return waitingFor(alice) > 0 })
	pushedBack(t, alice, bob.uuid, "never")
	ra.wait(t, "SILENT bob", 1)
	checkAnswers(t, alice)
	close(enough)
	bob.signal(syscall.SIGCONT)

	want := <-last
	eventuallyAll(t, "bob has everything", want, func() int { return bob.tally(t).last })
	alice.Whispers(bob.uuid, "after")
	eventually(t, "the last message", func() bool { return bob.tally(t).marked != "-" })
	if c := bob.tally(t); c.received != want || c.disorder != 0 || c.marked != "-after" {
		t.Errorf("bob got %+v, want %d in order, then -after", c, want)
	}
	if n := bob.count("EXIT") + ra.count("EXIT"); n != 0 {
		t.Errorf("%d EXIT, want none", n)
	}
}

// A process that is stopped for longer than the expired timeout is removed, once,
// and comes back, once.
func TestDelivery_stoppedProcessExpires(t *testing.T) {
	port := freeUDPPort(t)
	bob := startProcess(t, "bob", port, "timeouts 300 600 1500", "start", "read")
	alice := quickTimeouts(newLoopbackNode(t, "alice", port), 300*time.Millisecond, 1500*time.Millisecond)
	mustStart(t, alice)
	ra := record(alice)
	ra.wait(t, "ENTER bob", 1)
	bob.wait(t, "ENTER alice", 1)

	bob.signal(syscall.SIGSTOP)
	stopped := time.Now()
	last := fill(alice, bob.uuid, 10_000, nil)
	eventually(t, "alice is pushed back", func() bool { return waitingFor(alice) > 0 })
	pushedBack(t, alice, bob.uuid, "never")
	waiting := make(chan struct{})
	go func() {
		defer close(waiting)
		alice.Whisper(bob.uuid, []byte("neither"))
	}()
	ra.wait(t, "EXIT bob", 1)
	t.Logf("EXIT %v after the stop", time.Since(stopped))
	<-last
	<-waiting
	if n := waitingFor(alice); n != 0 {
		t.Errorf("%d messages wait for a peer that is gone", n)
	}

	bob.signal(syscall.SIGCONT)
	ra.wait(t, "ENTER bob", 2)
	bob.wait(t, "ENTER alice", 2)
	eventually(t, "a message arrives", func() bool {
		alice.Whispers(bob.uuid, "again")
		return bob.tally(t).marked != "-"
	})
	pause(long(5*time.Second, 3*time.Second))
	for what, n := range map[string]int{
		"alice: EXIT bob": ra.count("EXIT bob") - 1, "alice: ENTER bob": ra.count("ENTER bob") - 2,
		"bob: EXIT alice": bob.count("EXIT alice") - 1, "bob: ENTER alice": bob.count("ENTER alice") - 2,
	} {
		if n != 0 {
			t.Errorf("%s: %d too many", what, n)
		}
	}
	if c := bob.tally(t); c.disorder != 0 || c.marked[:min(6, len(c.marked))] != "-again" {
		t.Errorf("bob got %+v, want no disorder and no other message but again", c)
	}
}

// presence lists what a recorder saw beside messages.
func presence(r *recorder) string {
	seen, _ := r.events()
	var b strings.Builder
	for _, e := range seen {
		if e.Type != eventWhisper && e.Type != eventShout {
			fmt.Fprintln(&b, describe(e))
		}
	}
	return b.String()
}

// A peer that enters while the node does not read its inbox is not greeted over and
// over, one that says goodbye is heard out first, and one that dies is missed soon
// after.
func TestDelivery_presenceWhileStalled(t *testing.T) {
	port := freeUDPPort(t)
	bob := quickTimeouts(newLoopbackNode(t, "bob", port), 500*time.Millisecond, 3*time.Second).SetQueueLimit(minQueueLimit)
	alice := quickTimeouts(newLoopbackNode(t, "alice", port), 500*time.Millisecond, 3*time.Second)
	polite := quickTimeouts(newLoopbackNode(t, "polite", port), 500*time.Millisecond, 3*time.Second)
	dead := startProcess(t, "dead", port, "timeouts 500 1000 3000", "start", "read")
	mustStart(t, bob)
	mustStart(t, alice)
	mustStart(t, polite)
	ra, rp := record(alice), record(polite)
	ra.wait(t, "ENTER bob", 1)
	rp.wait(t, "ENTER bob", 1)
	dead.wait(t, "ENTER bob", 1)

	const messages = 5000
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := 1; i <= messages; i++ {
			alice.Whisper(bob.UUID(), numberedPayload(i, 100))
		}
	})
	eventually(t, "bob is paused", func() bool { return bob.Stats().Paused })
	for i := range 100 {
		polite.Whispers(bob.UUID(), "last words %d", i)
	}
	polite.Stop()
	dead.signal(syscall.SIGKILL)
	newcomer := quickTimeouts(newLoopbackNode(t, "newcomer", port), 500*time.Millisecond, 3*time.Second)
	mustStart(t, newcomer)
	rn := record(newcomer)
	rn.wait(t, "ENTER bob", 1)
	forged := newBeacon(beaconConfig{logger: slog.New(slog.DiscardHandler)})
	defer forged.Close()
	forge(t, forged, port, []byte("claims alice's endpoint"), firstEndpoint(alice))
	pause(long(10*time.Second, 5*time.Second))
	checkAnswers(t, bob)
	if n, m := rn.count("EXIT bob"), rn.count("ENTER bob"); n != 0 || m != 1 {
		t.Errorf("newcomer saw %d EXIT, %d ENTER of a stalled node, want 0 and 1", n, m)
	}

	rb := record(bob)
	read := time.Now()
	wg.Wait()
	rb.wait(t, "WHISPER alice", messages)
	rb.wait(t, "EXIT polite", 1)
	rb.wait(t, "EXIT dead", 1)
	t.Logf("EXIT of the dead %v after the stall", time.Since(read))
	rb.wait(t, "ENTER newcomer", 1)
	for pattern, want := range map[string]int{
		"WHISPER polite": 100, "WHISPER alice": messages, "EXIT alice": 0, "EXIT newcomer": 0, "ENTER newcomer": 1,
	} {
		if n := rb.count(pattern); n != want {
			t.Errorf("bob saw %d %s, want %d", n, pattern, want)
		}
	}
	if n := ra.count("EXIT bob"); n != 0 {
		t.Errorf("alice saw %d EXIT bob, want 0", n)
	}
}

// A member that goes while others wait to shout to it is no error to them.
func TestDelivery_shoutWhileMemberGoes(t *testing.T) {
	port := freeUDPPort(t)
	bob := startProcess(t, "bob", port, "join hall", "start", "read")
	alice := quickTimeouts(newLoopbackNode(t, "alice", port), 200*time.Millisecond, 2*time.Second)
	carol := newLoopbackNode(t, "carol", port)
	carol.Join("hall")
	mustStart(t, carol)
	mustStart(t, alice)
	rc, ra := record(carol), record(alice)
	ra.wait(t, "JOIN bob hall", 1)
	ra.wait(t, "JOIN carol hall", 1)
	bob.signal(syscall.SIGSTOP)
	shouts := 0
	for ra.count("EXIT bob") == 0 {
		if err := alice.ShoutContext(t.Context(), "hall", numberedPayload(shouts, 10_000)); err != nil {
			t.Fatalf("ShoutContext = %v, want nil", err)
		}
		shouts++
	}
	rc.wait(t, "SHOUT alice hall", shouts)
	bob.signal(syscall.SIGCONT)
}
