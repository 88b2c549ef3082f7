//go:build unix

package process

import (
	"context"
	"errors"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/go-zyre/zyre"
	"github.com/go-zyre/zyre/e2e/child"
	"github.com/go-zyre/zyre/e2e/kit"
	"github.com/go-zyre/zyre/e2e/watch"
)

// stalled is a node that does not read its events while another sends to it.
type stalled struct {
	t     *testing.T
	port  int
	alice *zyre.Zyre  // sends
	bob   *child.Node // does not read
	carol *child.Node // looks on

	ra      *watch.Log
	toCarol int
	slowest time.Duration
}

const stalledSize, stalledLimit = 100, 8 << 20 // bytes: of a message, and of bob's queue

// stalledExpired is longer than a thread waits for a processor on a busy machine. A node sees that
// it waited itself, but not that libzmq's thread did, which reads for it.
const stalledExpired = 5 * time.Second

func newStalled(t *testing.T) *stalled {
	t.Helper()
	s := &stalled{t: t, port: kit.FreeUDPPort(t)}
	cfg := quick(remote("bob", s.port), 400*time.Millisecond, stalledExpired)
	cfg.QueueLimit, cfg.Unread, cfg.Tally = stalledLimit, true, true
	s.bob = child.Run(t, cfg)
	s.carol = child.Run(t, quick(remote("carol", s.port), 400*time.Millisecond, stalledExpired))
	s.alice = kit.QuickTimeouts(kit.NewNode(t, "alice", s.port), 400*time.Millisecond, stalledExpired)
	s.ra = watch.Start(t, s.alice)
	s.ra.Wait(t, "ENTER bob", 1)
	s.ra.Wait(t, "ENTER carol", 1)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("alice:\n%s\nbob:\n%s", s.ra, s.bob)
		}
	})
	return s
}

// look checks that nothing waits but the sending to bob.
func (s *stalled) look() {
	s.t.Helper()
	s.slowest = max(s.slowest, checkAnswers(s.t, "alice", child.Poke(s.alice)),
		checkAnswers(s.t, "bob", s.bob.Poke()), checkAnswers(s.t, "carol", s.carol.Poke()))
	s.toCarol++
	s.alice.Whisper(s.carol.UUID, child.Numbered(s.toCarol, stalledSize))
	s.carol.Wait(s.t, "WHISPER alice", s.toCarol)
}

// stall lasts for a number of expired timeouts.
func (s *stalled) stall(times int) (lasted time.Duration) {
	s.t.Helper()
	start := time.Now()
	for range times {
		gone := dying(s.t, s.port, s.ra, s.carol.Log)
		watch.Paced(100*time.Millisecond, func() (last bool) {
			s.look()
			return gone()
		})
	}
	return time.Since(start)
}

// An application that reads no events for long, while a peer sends it more than it
// may hold, gets all of it in the end; nobody is taken for dead meanwhile, and
// nothing but the sending to it waits.
func TestDelivery_stalledApplication(t *testing.T) {
	messages := kit.Long(1_000_000, 200_000)
	s := newStalled(t)
	before := s.bob.Process.Usage()
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := 1; i <= messages; i++ {
			s.alice.Whisper(s.bob.UUID, child.Numbered(i, stalledSize))
		}
	})
	watch.Until(t, "alice is pushed back", func() bool { return waitingFor(s.alice) > 0 })

	// cpu is counted once bob holds all that it may, when it has nothing to do
	held := s.bob.Process.Usage()
	lasted := s.stall(kit.Long(20, 2))
	after := s.bob.Process.Usage()
	idle := after.CPU - held.CPU
	if idle > lasted/3 {
		t.Errorf("bob used %v of CPU in %v of doing nothing, want at most %v", idle, lasted, lasted/3)
	}
	// Beside the queue: what libzmq holds, and what the collector has not yet freed.
	if grown := after.Live - before.Live; grown > stalledLimit+4<<20 {
		t.Errorf("bob holds %d bytes more than before, want at most %d", grown, stalledLimit+4<<20)
	}
	if grown := after.Resident - before.Resident; !raceDetector() && grown > 3*stalledLimit+16<<20 {
		t.Errorf("bob's memory grew by %d bytes, want at most %d", grown, 3*stalledLimit+16<<20)
	}
	stats := s.bob.Stats()
	t.Logf("slowest method %v; bob grew by %d (live), %d (resident), used %v CPU in %v; paused %t, %d events held",
		s.slowest, after.Live-before.Live, after.Resident-before.Resident, idle, lasted, stats.Paused, stats.HeldEvents)

	s.bob.Read()
	wg.Wait()
	watch.Reaches(t, "bob has everything", messages, func() int { return s.bob.Tally("alice").Count })
	if c := s.bob.Tally("alice"); c.Count != messages || c.Missing+c.Twice != 0 || c.Last != messages {
		t.Errorf("bob got %+v, want %d", c, messages)
	}
	s.bob.CheckCount(t, "EXIT alice", 0)
	s.bob.CheckCount(t, "EXIT carol", 0)
	s.bob.CheckCount(t, "ENTER alice", 1)
	s.ra.CheckCount(t, "EXIT bob", 0)
	s.ra.CheckCount(t, "EXIT carol", 0)
	s.carol.CheckCount(t, "EXIT alice", 0)
	s.carol.CheckCount(t, "EXIT bob", 0)
}

// impatient is a context that ends as soon as somebody begins to wait for its end.
type impatient struct {
	context.Context
	end context.CancelFunc
}

func (i impatient) Done() <-chan struct{} {
	i.end()
	return i.Context.Done()
}

// pushedBack whispers a message that cannot leave, gives it up once the node waits, and
// checks what the sender is told.
func pushedBack(t *testing.T, z *zyre.Zyre, peer, msg string) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	err := z.WhisperContext(impatient{ctx, cancel}, peer, []byte(msg))
	if !errors.Is(err, zyre.ErrPushedBack) || !errors.Is(err, context.Canceled) {
		t.Errorf("WhisperContext to a stopped peer = %v, want ErrPushedBack and Canceled", err)
	}
}

// A process that is stopped and goes on before it expires has lost nothing.
func TestDelivery_stoppedProcessGoesOn(t *testing.T) {
	port := kit.FreeUDPPort(t)
	cfg := remote("bob", port)
	cfg.Tally = true
	bob := child.Run(t, cfg)
	alice := kit.QuickTimeouts(kit.NewNode(t, "alice", port), 500*time.Millisecond, watch.Patience)
	ra := watch.Start(t, alice)
	ra.Wait(t, "ENTER bob", 1)

	bob.Process.Signal(syscall.SIGSTOP)
	enough := make(chan struct{})
	last := fill(alice, bob.UUID, 10_000, enough)
	watch.Until(t, "alice is pushed back", func() bool { return waitingFor(alice) > 0 })
	pushedBack(t, alice, bob.UUID, "never")
	ra.Wait(t, "SILENT bob", 1)
	checkAnswers(t, "alice", child.Poke(alice))
	close(enough)
	bob.Process.Signal(syscall.SIGCONT)

	want := <-last
	alice.Whispers(bob.UUID, "after")
	bob.Wait(t, "WHISPER alice after", 1)
	if c := bob.Tally("alice"); c.Count != want || c.Last != want || c.Missing+c.Twice != 0 {
		t.Errorf("bob got %+v, want %d in order", c, want)
	}
	bob.CheckCount(t, "WHISPER", 1)
	bob.CheckCount(t, "EXIT", 0)
	ra.CheckCount(t, "EXIT", 0)
}

// A process that is stopped for longer than the expired timeout is removed, once,
// and comes back, once.
func TestDelivery_stoppedProcessExpires(t *testing.T) {
	port := kit.FreeUDPPort(t)
	cfg := quick(remote("bob", port), 300*time.Millisecond, 1500*time.Millisecond)
	cfg.Tally = true
	bob := child.Run(t, cfg)
	alice := kit.QuickTimeouts(kit.NewNode(t, "alice", port), 300*time.Millisecond, 1500*time.Millisecond)
	ra := watch.Start(t, alice)
	ra.Wait(t, "ENTER bob", 1)
	bob.Wait(t, "ENTER alice", 1)

	bob.Process.Signal(syscall.SIGSTOP)
	stopped := time.Now()
	last := fill(alice, bob.UUID, 10_000, nil)
	watch.Until(t, "alice is pushed back", func() bool { return waitingFor(alice) > 0 })
	pushedBack(t, alice, bob.UUID, "never")
	waiting := make(chan struct{})
	go func() {
		defer close(waiting)
		alice.Whisper(bob.UUID, []byte("neither"))
	}()
	ra.Wait(t, "EXIT bob", 1)
	t.Logf("EXIT %v after the stop", time.Since(stopped))
	<-last
	<-waiting
	if n := waitingFor(alice); n != 0 {
		t.Errorf("%d messages wait for a peer that is gone", n)
	}

	bob.Process.Signal(syscall.SIGCONT)
	ra.Wait(t, "ENTER bob", 2)
	bob.Wait(t, "ENTER alice", 2)
	watch.Until(t, "a message arrives", func() bool {
		alice.Whispers(bob.UUID, "again")
		return bob.Count("WHISPER alice again") > 0
	})
	expire(t, port, ra, bob.Log)
	ra.CheckCount(t, "EXIT bob", 1)
	ra.CheckCount(t, "ENTER bob", 2)
	bob.CheckCount(t, "EXIT alice", 1)
	bob.CheckCount(t, "ENTER alice", 2)
	bob.CheckCount(t, "WHISPER alice never", 0)
	bob.CheckCount(t, "WHISPER alice neither", 0)
	if c := bob.Tally("alice"); c.Missing+c.Twice != 0 {
		t.Errorf("bob got %+v, want all in order", c)
	}
}

// A peer that enters while the node does not read its inbox gets no HELLO over and
// over, one that says goodbye is heard out first, and one that dies is missed soon
// after.
func TestDelivery_presenceWhileStalled(t *testing.T) {
	const evasive, expired = 500 * time.Millisecond, 3 * time.Second
	port := kit.FreeUDPPort(t)
	bob := kit.QuickTimeouts(kit.NewNode(t, "bob", port), evasive, expired).SetQueueLimit(kit.MinQueueLimit)
	if err := bob.Start(); err != nil {
		t.Fatal(err)
	}
	alice := child.Run(t, quick(remote("alice", port), evasive, expired))
	polite := child.Run(t, quick(remote("polite", port), evasive, expired))
	dead := child.Run(t, quick(remote("dead", port), evasive, expired))
	for _, n := range []*child.Node{alice, polite, dead} {
		n.Wait(t, "ENTER bob", 1)
	}

	const messages = 5000
	alice.Process.Do("number", "alice", map[string]any{"Peer": bob.UUID(), "Count": messages, "Rate": 1_000_000}, nil)
	watch.Until(t, "bob is paused", func() bool { return bob.Stats().Paused })
	for i := range 100 {
		polite.Whisper("bob", "last words %d", i)
	}
	polite.Stop()
	dead.Process.Kill()
	newcomer := child.Run(t, quick(remote("newcomer", port), evasive, expired))
	newcomer.Wait(t, "ENTER bob", 1)
	forge(t, port, "claims alice's endpoint", alice.Started.Endpoint)
	expire(t, port, alice.Log, newcomer.Log)
	checkAnswers(t, "bob", child.Poke(bob))
	newcomer.CheckCount(t, "EXIT bob", 0)
	newcomer.CheckCount(t, "ENTER bob", 1)

	read := time.Now()
	rb := watch.Record(bob)
	rb.Wait(t, "WHISPER alice", messages)
	rb.Wait(t, "EXIT polite", 1)
	rb.Wait(t, "EXIT dead", 1)
	t.Logf("EXIT of the dead %v after the stall", time.Since(read))
	rb.Wait(t, "ENTER newcomer", 1)
	for pattern, want := range map[string]int{
		"WHISPER polite": 100, "WHISPER alice": messages, "EXIT alice": 0, "EXIT newcomer": 0, "ENTER newcomer": 1,
	} {
		rb.CheckCount(t, pattern, want)
	}
	alice.CheckCount(t, "EXIT bob", 0)
}

// A member that goes while others wait to shout to it is no error to them.
func TestDelivery_shoutWhileMemberGoes(t *testing.T) {
	port := kit.FreeUDPPort(t)
	hall := []string{"hall"}
	cfg := remote("bob", port)
	cfg.Groups = hall
	bob := child.Run(t, cfg)
	cfg = remote("carol", port)
	cfg.Groups, cfg.Tally = hall, true
	carol := child.Run(t, cfg)
	alice := kit.QuickTimeouts(kit.NewNode(t, "alice", port), 200*time.Millisecond, 2*time.Second)
	ra := watch.Start(t, alice)
	ra.Wait(t, "JOIN bob hall", 1)
	ra.Wait(t, "JOIN carol hall", 1)
	bob.Process.Signal(syscall.SIGSTOP)
	shouts := 0
	for ra.Count("EXIT bob") == 0 {
		if err := alice.ShoutContext(t.Context(), "hall", child.Numbered(shouts, 10_000)); err != nil {
			t.Fatalf("ShoutContext = %v, want nil", err)
		}
		shouts++
	}
	watch.Reaches(t, "carol has everything", shouts, func() int { return carol.Tally("alice").Count })
	bob.Process.Signal(syscall.SIGCONT)
}
