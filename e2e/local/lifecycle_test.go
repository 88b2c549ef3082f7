package local_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/go-zyre/zyre"
	"github.com/go-zyre/zyre/e2e/kit"
	"github.com/go-zyre/zyre/e2e/leak"
	"github.com/go-zyre/zyre/e2e/watch"
	"github.com/go-zyre/zyre/internal/foreign"
	"github.com/go-zyre/zyre/internal/foreign/foreignnet"
)

// goodbyeTime is how long Stop waits for the peers to confirm, and then for what is still
// on its way.
const goodbyeTime = 400 * time.Millisecond

// Stop does not wait for a reader: what lies in the channel stays there, and STOP
// comes after it.
func TestLifecycle_stopWithUnreadEvents(t *testing.T) {
	leak.Check(t)
	port := kit.FreeUDPPort(t)
	alice, bob := kit.NewNode(t, "alice", port), kit.NewNode(t, "bob", port)
	eventBuffer := cap(bob.Events()) - 1 // one place is for STOP
	kit.MustStart(t, alice)
	kit.MustStart(t, bob)
	ra := watch.Record(alice)
	ra.Wait(t, "ENTER bob", 1)
	for i := 1; i <= 2*eventBuffer; i++ {
		alice.Whisper(bob.UUID(), kit.NumberedPayload(i, 10))
	}
	watch.Reaches(t, "bob has got them", 2*eventBuffer, func() int { return int(bob.Stats().WhispersReceived) })
	kit.MustStopSoon(t, bob)
	var types []string
	next := 1
	for e := range bob.Events() {
		types = append(types, e.Type)
		if e.Type == "WHISPER" {
			if kit.Number(e.Msg) != next {
				t.Fatalf("message %d where %d was due", kit.Number(e.Msg), next)
			}
			next++
		}
	}
	if len(types) != eventBuffer+1 || types[0] != "ENTER" || types[eventBuffer] != "STOP" {
		t.Errorf("%d events, first %s, last %s, want %d, ENTER, STOP", len(types), types[0], types[len(types)-1], eventBuffer+1)
	}
	// Of 2 eventBuffer whispers and ENTER, as many fit as the channel holds.
	if got, want := bob.Stats().EventsDropped, uint64(eventBuffer+1); got != want {
		t.Errorf("Stats after Stop: %d events dropped, want %d", got, want)
	}
	alice.Stop()
}

// Stop does not wait for nodes that were announced but cannot be reached.
func TestLifecycle_stopWithUnreachablePeers(t *testing.T) {
	leak.Check(t)
	port := kit.FreeUDPPort(t)
	z := kit.NewNode(t, "z", port)
	kit.MustStart(t, z)
	for i := range 5 {
		sendBeacon(t, port, [16]byte{byte(i + 1)}, 1) // a port where nobody is
	}
	watch.Until(t, "a half-open peer", func() bool { return z.Stats().HalfOpen > 0 })
	z.Join("hall")
	kit.MustStopSoon(t, z)
}

// What was sent before Stop arrives, and EXIT comes after it, also while the
// other side talks at the same time.
func TestLifecycle_lastWords(t *testing.T) {
	const messages = 1000
	port := kit.FreeUDPPort(t)
	bob := kit.NewNode(t, "bob", port)
	bob.Join("hall")
	kit.MustStart(t, bob)
	rounds := 20
	for round := 1; round <= rounds; round++ {
		rb := watch.Record(bob)
		alice := kit.NewNode(t, fmt.Sprint("alice", round), port)
		kit.MustStart(t, alice)
		ra := watch.Record(alice)
		ra.Wait(t, "JOIN bob hall", 1)
		rb.Wait(t, "ENTER "+alice.Name(), 1)
		talking := make(chan struct{})
		go func() { // half of the rounds
			defer close(talking)
			for round%2 == 0 && len(alice.Peers()) > 0 {
				bob.Whispers(alice.UUID(), "chatter")
			}
		}()
		for i := 1; i <= messages; i++ {
			alice.Whisper(bob.UUID(), kit.NumberedPayload(i, 100))
			alice.Shout("hall", kit.NumberedPayload(i, 100))
		}
		took := kit.MustStopSoon(t, alice)
		<-talking
		rb.Wait(t, "EXIT "+alice.Name(), 1)
		for _, what := range []string{"WHISPER ", "SHOUT "} {
			if n := rb.Count(what + alice.Name()); n != messages && took < goodbyeTime {
				t.Errorf("round %d: %d %s, want %d; Stop took %v", round, n, what, messages, took)
			}
		}
		bob.Stop()
		kit.MustStart(t, bob)
	}
}

// Every other node sees exactly one JOIN for a group, whenever it was joined; a
// shout right after it reaches all, and one after LEAVE reaches nobody.
func TestLifecycle_joins(t *testing.T) {
	const nodes = 4
	port := kit.FreeUDPPort(t)
	var zs []*zyre.Zyre
	var rs []*watch.Log
	for i := range nodes {
		z := kit.NewNode(t, fmt.Sprint("n", i), port)
		z.Join("before")
		kit.MustStart(t, z)
		z.Join("at once")
		rs = append(rs, watch.Record(z))
		if i > 0 {
			rs[0].Wait(t, "JOIN "+z.Name()+" at once", 1)
		}
		z.Join("later")
		zs = append(zs, z)
	}
	for i, r := range rs {
		for j, z := range zs {
			if i == j {
				continue
			}
			for _, group := range []string{"before", "at once", "later"} {
				r.Wait(t, "JOIN "+z.Name()+" "+group, 1)
			}
		}
	}
	outsider := kit.NewNode(t, "outsider", port)
	kit.MustStart(t, outsider)
	ro := watch.Record(outsider)
	for _, z := range zs {
		ro.Wait(t, "JOIN "+z.Name()+" before", 1)
	}
	outsider.Shout("before", []byte("hello"))
	for i, r := range rs {
		r.Wait(t, "SHOUT outsider before hello", 1)
		for j, z := range zs {
			for _, group := range []string{"before", "at once", "later"} {
				if n := r.Count("JOIN " + z.Name() + " " + group); i != j && n != 1 {
					t.Errorf("%s saw %d JOIN %s %s, want 1", r.Name, n, z.Name(), group)
				}
			}
		}
	}
	zs[0].Leave("before")
	outsider.Shout("before", []byte("late"))
	outsider.Whispers(zs[0].UUID(), "last")
	rs[0].Wait(t, "WHISPER outsider last", 1)
	if n := rs[0].Count("SHOUT outsider before late"); n != 0 {
		t.Errorf("%d SHOUT after Leave, want none", n)
	}
	rs[1].Wait(t, "SHOUT outsider before late", 1)
}

// A big message makes nobody look dead while it is under way, whether it is a node of
// this process, or on TCP. Nothing shows before the whole of it has arrived, so the expired
// timeout must be longer than that.
func TestLifecycle_bigMessage(t *testing.T) {
	port := kit.FreeUDPPort(t)
	const size = 64 << 20
	alice := kit.QuickTimeouts(kit.NewNode(t, "alice", port), 200*time.Millisecond, watch.Patience)
	bob := kit.QuickTimeouts(kit.NewNode(t, "bob", port), 200*time.Millisecond, watch.Patience)
	kit.MustStart(t, alice.SetMaxMessage(size), bob.SetMaxMessage(size))
	theirs := newStranger(t, foreignnet.Options{Kind: foreign.Libzyre, Name: "theirs", UDPPort: port})
	ra, rb := watch.Record(alice), watch.Record(bob)
	ra.Wait(t, "ENTER bob", 1)
	ra.Wait(t, "ENTER theirs", 1)
	theirs.waitEvent(foreign.Enter, alice, 1)
	msg := bytes.Repeat([]byte("0123456789abcdef"), 4<<20)
	check := func(how string, got []byte) {
		t.Helper()
		if !bytes.Equal(got, msg) {
			t.Fatalf("%s: the message differs", how)
		}
	}
	start := time.Now()
	for i := 1; i <= 2; i++ {
		alice.Whisper(bob.UUID(), msg)
		check("to bob", rb.Wait(t, "WHISPER alice", i).Msg)
	}
	theirs.must(theirs.Whisper(kit.UUIDBytes(t, alice), msg))
	check("from theirs", ra.Wait(t, "WHISPER theirs", 1).Msg)
	alice.Whisper(theirs.UUIDText(), msg)
	theirs.waitEvent(foreign.Whisper, alice, 1)
	for _, e := range theirs.Events() {
		if e.Type == foreign.Whisper {
			check("to theirs", e.Content[0])
		}
	}
	t.Logf("4 × 64 MiB in %v", time.Since(start))
	if n := ra.Count("EXIT") + rb.Count("EXIT"); n != 0 {
		t.Errorf("%d EXIT, want none", n)
	}
}

// An application that never reads does not lose a single ENTER or EXIT, and no
// method waits.
func TestLifecycle_undrainedPresence(t *testing.T) {
	peers := kit.Long(5000, 1000)
	z := kit.NewNode(t, "z", kit.FreeUDPPort(t)).SetQueueLimit(kit.MinQueueLimit)
	kit.MustStart(t, z)
	raw := newStranger(t, foreignnet.Options{Name: "raw"})
	raw.sayHello(z)
	for i := range peers { // at the queue limit they wait on the way
		raw.say(foreign.Message{ID: foreign.JoinID, Group: fmt.Sprint("g", i), Status: byte(2*i + 1)})
		raw.say(foreign.Message{ID: foreign.LeaveID, Group: fmt.Sprint("g", i), Status: byte(2*i + 2)})
	}
	watch.Until(t, "the queue is full", func() bool { return z.Stats().Paused })
	var slowest time.Duration
	for range 20 {
		slowest = max(slowest, kit.CheckAnswers(t, z))
	}
	t.Logf("slowest method %v", slowest)
	r := watch.Record(z)
	r.Wait(t, "LEAVE raw", peers)
	seen := r.Entries()
	if len(seen) != 2*peers+1 {
		t.Errorf("%d events, want %d", len(seen), 2*peers+1)
	}
	for i, e := range seen[1:] {
		want := fmt.Sprintf("%s raw g%d", []string{"JOIN", "LEAVE"}[i%2], i/2)
		if watch.Describe(e.Event) != want {
			t.Fatalf("event %d is %s, want %s", i, watch.Describe(e.Event), want)
		}
	}
}

// Signals interrupt libzmq's system calls, as Go's scheduler does all the time: no
// error comes of it, no message twice, none in half.
func TestLifecycle_signalFlood(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(1))
	port := kit.FreeUDPPort(t)
	alice, bob := kit.NewNode(t, "alice", port), kit.NewNode(t, "bob", port)
	kit.MustStart(t, alice)
	kit.MustStart(t, bob)
	ra := watch.Record(alice)
	ra.Wait(t, "ENTER bob", 1)
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
		i := 0
		for i < kit.Long(500_000, 15_000) {
			i++
			parts := [][]byte{kit.NumberedPayload(i, 10), make([]byte, i%5000), kit.NumberedPayload(i, 200)}
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
		if e.Type != "WHISPER" {
			continue
		}
		if string(e.Msg) == "end" {
			break
		}
		got++
		if len(e.Frames) != 3 || kit.Number(e.Msg) != got || len(e.Frames[1]) != got%5000 || kit.Number(e.Frames[2]) != got {
			t.Fatalf("message %d has %d frames and number %d", got, len(e.Frames), kit.Number(e.Msg))
		}
	}
	close(stop)
	wg.Wait()
	if n := <-sent; n != got {
		t.Errorf("got %d messages, want %d", got, n)
	}
	t.Logf("%d messages", got)
	for _, z := range []*zyre.Zyre{alice, bob} {
		if d := z.Stats().Dropped; d.Errors != 0 || d.Malformed != 0 {
			t.Errorf("%s: %+v, want no errors", z.Name(), d)
		}
	}
}

// A fixed port is free as soon as Stop has returned, though the context lives on
// with another node.
func TestLifecycle_fixedPort(t *testing.T) {
	leak.Check(t)
	rounds := kit.Long(1000, 20)
	for name, configure := range map[string]func(z *zyre.Zyre, port int){
		"beacon":   func(z *zyre.Zyre, port int) { z.SetBeaconPeerPort(port) },
		"endpoint": func(z *zyre.Zyre, port int) { _ = z.SetEndpoint("tcp://127.0.0.1:%d", port) },
		"gossip":   func(z *zyre.Zyre, port int) { z.GossipBind("tcp://127.0.0.1:%d", port) },
	} {
		t.Run(name, func(t *testing.T) {
			udp := kit.FreeUDPPort(t)
			other := kit.NewNode(t, "other", udp)
			kit.MustStart(t, other)
			seen := watch.Record(other)
			z := kit.NewNode(t, "z", udp)
			configure(z, kit.QuietTCPPort(t))
			for i := range rounds {
				if err := z.Start(); err != nil {
					t.Fatalf("Start after Stop %d: %v", i, err)
				}
				watch.Record(z)
				seen.Wait(t, "ENTER z", i+1)
				z.Stop()
			}
			other.Stop()
		})
	}
}

// Two nodes on one ipc endpoint: the second is refused and the first is not disturbed.
func TestLifecycle_ipcInUse(t *testing.T) {
	leak.Check(t)
	endpoint := "ipc://" + t.TempDir() + "/node"
	node := func(name string) *zyre.Zyre {
		z := kit.NewStaticNode(t, name)
		if err := z.SetEndpoint("%s", endpoint); err != nil {
			t.Fatal(err)
		}
		return z
	}
	first, second := node("first"), node("second")
	kit.MustStart(t, first)
	if err := second.Start(); err == nil || !strings.Contains(err.Error(), endpoint) {
		t.Errorf("Start() of the second node = %v, want an error that names %s", err, endpoint)
	}
	third := kit.NewStaticNode(t, "third")
	if err := errors.Join(third.SetEndpoint("%s-third", endpoint), third.RequirePeer(first.UUID(), endpoint, "")); err != nil {
		t.Fatal(err)
	}
	kit.MustStart(t, third)
	watch.Record(third).Wait(t, "ENTER first", 1)
	third.Stop()
	first.Stop()
	kit.MustStart(t, second)
	second.Stop()
}
