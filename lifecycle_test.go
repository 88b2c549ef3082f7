package zyre

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
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

// Every method answers at once in every state. The best time of several counts: what
// waits for something that does not happen is slow each time.
func TestLifecycle_methodsAnswerAtOnce(t *testing.T) {
	checkLeaks(t)
	reach := maps.Clone(states)
	reach["when running"] = func(z *Zyre, _ func()) error { return z.Start() }
	for when, reach := range reach {
		ctx, cancel := context.WithCancel(context.Background())
		z := NewZyre(ctx).SetInterface("lo").SetPort(freeUDPPort(t))
		if err := reach(z, cancel); err != nil {
			t.Errorf("%s: Start = %v, want nil", when, err)
		}
		for _, methods := range []map[string]func(){everyMethod(z), everySetter(z)} {
			for name, call := range methods {
				if took := timed(5, call)[0]; took > 10*time.Millisecond {
					t.Errorf("%s %s took %v, want at most 10ms", name, when, took)
				}
			}
		}
		cancel()
		z.Stop()
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

// Nodes leave nothing behind, however they end.
func TestLifecycle_cyclesLeaveNothing(t *testing.T) {
	port := freeUDPPort(t)
	cycle := map[string]func() error{
		"Stop": func() error {
			z := NewZyre(context.Background()).SetInterface("lo").SetPort(port)
			err := z.Start()
			z.Stop()
			return err
		},
		"cancel": func() error {
			ctx, cancel := context.WithCancel(context.Background())
			z := NewZyre(ctx).SetInterface("lo").SetPort(port)
			err := z.Start()
			cancel()
			for range z.Events() {
			}
			return err
		},
		"failed Start": func() error {
			z := NewZyre(context.Background()).SetInterface("lo").SetPort(port).SetBeaconPeerPort(1)
			if syscall.Getuid() == 0 {
				z.SetInterface("203.0.113.9")
			}
			if z.Start() == nil {
				return errors.New("Start = nil, want an error")
			}
			return nil
		},
	}
	for name, once := range cycle {
		t.Run(name, func(t *testing.T) {
			if err := once(); err != nil { // what is made once and kept
				t.Fatal(err)
			}
			checkLeaks(t)
			for range long(1000, 200) {
				if err := once(); err != nil {
					t.Fatal(err)
				}
			}
		})
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
