package zyre

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
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

// Stop does not wait for a reader: what lies in the channel stays there, and STOP
// comes after it.
func TestLifecycle_stopWithUnreadEvents(t *testing.T) {
	checkLeaks(t)
	port := freeUDPPort(t)
	alice, bob := newLoopbackNode(t, "alice", port), newLoopbackNode(t, "bob", port)
	mustStart(t, alice)
	mustStart(t, bob)
	ra := record(alice)
	ra.wait(t, "ENTER bob", 1)
	for i := 1; i <= 2*eventBuffer; i++ {
		alice.Whisper(bob.UUID(), numberedPayload(i, 10))
	}
	eventuallyAll(t, "bob has got them", 2*eventBuffer, func() int { return int(bob.Stats().WhispersReceived) })
	mustStopSoon(t, bob)
	var types []string
	next := 1
	for e := range bob.Events() {
		types = append(types, e.Type)
		if e.Type == eventWhisper {
			if number(e.Msg) != next {
				t.Fatalf("message %d where %d was due", number(e.Msg), next)
			}
			next++
		}
	}
	if len(types) != eventBuffer+1 || types[0] != eventEnter || types[eventBuffer] != eventStop {
		t.Errorf("%d events, first %s, last %s, want %d, ENTER, STOP", len(types), types[0], types[len(types)-1], eventBuffer+1)
	}
	alice.Stop()
}

// Stop does not wait for nodes that were announced but cannot be reached.
func TestLifecycle_stopWithUnreachablePeers(t *testing.T) {
	checkLeaks(t)
	port := freeUDPPort(t)
	z := newLoopbackNode(t, "z", port)
	mustStart(t, z)
	for i := range 5 {
		b := newBeacon(beaconConfig{logger: slog.New(slog.DiscardHandler)})
		defer b.Close()
		forge(t, b, port, []byte{byte(i + 1)}, "tcp://127.0.0.1:1")
	}
	eventually(t, "a half-open peer", func() bool { return z.Stats().HalfOpen > 0 })
	z.Join("hall")
	mustStopSoon(t, z)
}

// What was sent before Stop arrives, and EXIT comes after it, also while the
// other side talks at the same time.
func TestLifecycle_lastWords(t *testing.T) {
	const messages = 1000
	port := freeUDPPort(t)
	bob := newLoopbackNode(t, "bob", port)
	bob.Join("hall")
	mustStart(t, bob)
	rounds := 20
	for round := 1; round <= rounds; round++ {
		rb := record(bob)
		alice := newLoopbackNode(t, fmt.Sprint("alice", round), port)
		mustStart(t, alice)
		ra := record(alice)
		ra.wait(t, "JOIN bob hall", 1)
		rb.wait(t, "ENTER "+alice.Name(), 1)
		talking := make(chan struct{})
		go func() { // half of the rounds
			defer close(talking)
			for round%2 == 0 && len(alice.Peers()) > 0 {
				bob.Whispers(alice.UUID(), "chatter")
			}
		}()
		for i := 1; i <= messages; i++ {
			alice.Whisper(bob.UUID(), numberedPayload(i, 100))
			alice.Shout("hall", numberedPayload(i, 100))
		}
		took := mustStopSoon(t, alice)
		<-talking
		rb.wait(t, "EXIT "+alice.Name(), 1)
		for _, what := range []string{"WHISPER ", "SHOUT "} {
			if n := rb.count(what + alice.Name()); n != messages && took < farewellTime {
				t.Errorf("round %d: %d %s, want %d; Stop took %v", round, n, what, messages, took)
			}
		}
		bob.Stop()
		mustStart(t, bob)
	}
}

// Every other node sees exactly one JOIN for a group, whenever it was joined; a
// shout right after it reaches all, and one after LEAVE reaches nobody.
func TestLifecycle_joins(t *testing.T) {
	const nodes = 4
	port := freeUDPPort(t)
	var zs []*Zyre
	var rs []*recorder
	for i := range nodes {
		z := newLoopbackNode(t, fmt.Sprint("n", i), port)
		z.Join("before")
		mustStart(t, z)
		z.Join("at once")
		rs = append(rs, record(z))
		pause(10 * time.Millisecond)
		z.Join("later")
		zs = append(zs, z)
	}
	for i, r := range rs {
		for j, z := range zs {
			if i == j {
				continue
			}
			for _, group := range []string{"before", "at once", "later"} {
				r.wait(t, "JOIN "+z.Name()+" "+group, 1)
			}
		}
	}
	outsider := newLoopbackNode(t, "outsider", port)
	mustStart(t, outsider)
	ro := record(outsider)
	for _, z := range zs {
		ro.wait(t, "JOIN "+z.Name()+" before", 1)
	}
	outsider.Shout("before", []byte("hello"))
	for i, r := range rs {
		r.wait(t, "SHOUT outsider before hello", 1)
		for j, z := range zs {
			for _, group := range []string{"before", "at once", "later"} {
				if n := r.count("JOIN " + z.Name() + " " + group); i != j && n != 1 {
					t.Errorf("%s saw %d JOIN %s %s, want 1", r.name, n, z.Name(), group)
				}
			}
		}
	}
	zs[0].Leave("before")
	outsider.Shout("before", []byte("late"))
	outsider.Whispers(zs[0].UUID(), "last")
	rs[0].wait(t, "WHISPER outsider last", 1)
	if n := rs[0].count("SHOUT outsider before late"); n != 0 {
		t.Errorf("%d SHOUT after Leave, want none", n)
	}
	rs[1].wait(t, "SHOUT outsider before late", 1)
}

// A big message makes nobody look dead while it is under way. Nothing shows before
// the whole of it has arrived, so the expired timeout must be longer than that.
func TestLifecycle_bigMessage(t *testing.T) {
	port := freeUDPPort(t)
	alice := quickTimeouts(newLoopbackNode(t, "alice", port), 200*time.Millisecond, patience)
	bob := quickTimeouts(newLoopbackNode(t, "bob", port), 200*time.Millisecond, patience)
	mustStart(t, alice)
	mustStart(t, bob)
	ra, rb := record(alice), record(bob)
	ra.wait(t, "ENTER bob", 1)
	msg := bytes.Repeat([]byte("0123456789abcdef"), 4<<20)
	start := time.Now()
	for i := range 2 {
		alice.Whisper(bob.UUID(), msg)
		e := rb.wait(t, "WHISPER alice", i+1)
		if !bytes.Equal(e.Msg, msg) {
			t.Fatalf("message %d differs", i)
		}
	}
	t.Logf("2 × 64 MiB in %v", time.Since(start))
	if n := ra.count("EXIT") + rb.count("EXIT"); n != 0 {
		t.Errorf("%d EXIT, want none", n)
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

// An application that never reads does not lose a single ENTER or EXIT, and no
// method waits.
func TestLifecycle_undrainedPresence(t *testing.T) {
	peers := long(5000, 1000)
	z := newLoopbackNode(t, "z", freeUDPPort(t)).SetQueueLimit(minQueueLimit)
	mustStart(t, z)
	raw := newRawPeer(t, "raw", firstEndpoint(z))
	before := z.Stats().Groups
	sent := make(chan int, 1)
	go func() { // joins and leaves; at the queue limit it waits
		raw.hello()
		for i := range peers {
			raw.send(&ZreMsg{id: JoinID, Group: fmt.Sprint("g", i), Status: byte(2*i + 1)})
			raw.send(&ZreMsg{id: LeaveID, Group: fmt.Sprint("g", i), Status: byte(2*i + 2)})
		}
		sent <- before
	}()
	eventually(t, "the queue is full", func() bool { return z.Stats().Paused })
	var slowest time.Duration
	for range 20 {
		slowest = max(slowest, checkAnswers(t, z))
	}
	t.Logf("slowest method %v", slowest)
	r := record(z)
	<-sent
	r.wait(t, "LEAVE raw", peers)
	seen, _ := r.events()
	if len(seen) != 2*peers+1 {
		t.Errorf("%d events, want %d", len(seen), 2*peers+1)
	}
	for i, e := range seen[1:] {
		want := fmt.Sprintf("%s raw g%d", []string{"JOIN", "LEAVE"}[i%2], i/2)
		if describe(e) != want {
			t.Fatalf("event %d is %s, want %s", i, describe(e), want)
		}
	}
}

// Signals interrupt libzmq's system calls, as Go's scheduler does all the time: no
// error comes of it, no message twice, none in half.
func TestLifecycle_signalFlood(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(1))
	port := freeUDPPort(t)
	alice, bob := newLoopbackNode(t, "alice", port), newLoopbackNode(t, "bob", port)
	mustStart(t, alice)
	mustStart(t, bob)
	ra := record(alice)
	ra.wait(t, "ENTER bob", 1)
	var wg sync.WaitGroup
	stop := make(chan struct{})
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				_ = syscall.Kill(syscall.Getpid(), syscall.SIGURG)
			}
		}
	})
	sent := make(chan int, 1)
	go func() {
		i, end := 0, time.Now().Add(long(time.Minute, 4*time.Second))
		for time.Now().Before(end) {
			i++
			parts := [][]byte{numberedPayload(i, 10), make([]byte, i%5000), numberedPayload(i, 200)}
			if err := alice.WhisperContext(context.Background(), bob.UUID(), parts...); err != nil {
				t.Errorf("WhisperContext = %v, want nil", err)
				break
			}
		}
		alice.Whispers(bob.UUID(), "end")
		sent <- i
	}()
	got := 0
	for e := range bob.Events() {
		if e.Type != eventWhisper {
			continue
		}
		if string(e.Msg) == "end" {
			break
		}
		got++
		if len(e.Frames) != 3 || number(e.Msg) != got || len(e.Frames[1]) != got%5000 || number(e.Frames[2]) != got {
			t.Fatalf("message %d has %d frames and number %d", got, len(e.Frames), number(e.Msg))
		}
	}
	close(stop)
	wg.Wait()
	if n := <-sent; n != got {
		t.Errorf("got %d messages, want %d", got, n)
	}
	t.Logf("%d messages", got)
	for _, z := range []*Zyre{alice, bob} {
		if d := z.Stats().Dropped; d.Errors != 0 || d.Malformed != 0 {
			t.Errorf("%s: %+v, want no errors", z.Name(), d)
		}
	}
}
