package hosts

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-zyre/zyre/e2e/child"
	"github.com/go-zyre/zyre/e2e/netns"
)

// A message of largeSize takes about 14 s over a link of largeRate: longer than twice the
// expired timeout.
const (
	largeRate = "4mbit"
	largeSize = 7_000_000
	// What the receiver's system takes of it for a process that is stopped: 2 s.
	largeBuffer = 1 << 20
)

// slowPair makes two nodes with a slow link from a to b, and has a send a large message as
// soon as they have met.
func slowPair(t *testing.T) (h []*netns.Host, a, b *child.Node, sent time.Time) {
	t.Helper()
	h = netns.NewLAN(t, "a", "b")
	h[0].Slow("eth0", largeRate)
	h[1].ReceiveBuffer(largeBuffer)
	cfg := child.Config{Evasive: 2 * time.Second, Silent: 4 * time.Second, Expired: 6 * time.Second}
	a, b = node(h[0], cfg), node(h[1], cfg)
	within(t, 3*time.Second, "meshed", meshed(a, b), a, b)
	sent = time.Now()
	a.Whisper("b", "large %s", strings.Repeat("x", largeSize))
	return h, a, b, sent
}

// checkStayedAlive fails the test if a node has taken another for evasive, silent or gone.
func checkStayedAlive(t *testing.T, n *child.Node, peer string) {
	t.Helper()
	for _, event := range []string{"EVASIVE ", "SILENT ", "EXIT "} {
		if got := len(n.Since(time.Time{}, event+peer)); got != 0 {
			t.Errorf("%s saw %s%s %d times, want never\n%s", n.Name, event, peer, got, n)
		}
	}
}

// While a message is under way that takes longer than all timeouts, neither side takes the
// other for silent, and what comes behind it arrives as well.
func TestNet_largeMessage(t *testing.T) {
	t.Parallel()
	_, a, b, sent := slowPair(t)
	for range 10 {
		a.Whisper("b", "small")
	}
	within(t, time.Minute, "all messages arrived", func() bool { return b.Count("WHISPER a small") == 10 }, a, b)
	if took := time.Since(sent); took < 2*a.Config.Expired {
		t.Errorf("all arrived after %v, want longer: the link is not slow", took)
	}
	if got := b.Count("WHISPER a large"); got != 1 {
		t.Errorf("the large message arrived %d times, want once", got)
	}
	checkStayedAlive(t, a, "b")
	checkStayedAlive(t, b, "a")
}

// The same with large messages in both directions at once.
func TestNet_largeMessagesBothWays(t *testing.T) {
	t.Parallel()
	h, a, b, _ := slowPair(t)
	h[1].Slow("eth0", largeRate)
	b.Whisper("a", "large %s", strings.Repeat("y", largeSize))
	arrived := func() bool { return a.Count("WHISPER b large") == 1 && b.Count("WHISPER a large") == 1 }
	within(t, time.Minute, "both messages arrived", arrived, a, b)
	checkStayedAlive(t, a, "b")
	checkStayedAlive(t, b, "a")
}

// A process or host that goes away in the middle of a large message exits in time.
func TestNet_largeMessageCut(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name     string
		cut      func(h []*netns.Host, a, b *child.Node)
		atA, atB bool          // who is left
		onItsWay time.Duration // of what is in buffers, or still fits into them
	}{
		{"receiver killed", func(_ []*netns.Host, _, b *child.Node) { b.Process.Kill() }, true, false, 0},
		{"sender killed", func(_ []*netns.Host, a, _ *child.Node) { a.Process.Kill() }, false, true, 3 * time.Second},
		{"receiver stopped", func(_ []*netns.Host, _, b *child.Node) { b.Process.Signal(syscall.SIGSTOP) }, true, false, 3 * time.Second},
		{"sender stopped", func(_ []*netns.Host, a, _ *child.Node) { a.Process.Signal(syscall.SIGSTOP) }, false, true, 3 * time.Second},
		{"host vanishes", func(h []*netns.Host, _, _ *child.Node) {
			h[1].Filter(netns.In("iif != lo drop"), netns.Out("oif != lo drop"))
		}, true, true, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			h, a, b, _ := slowPair(t)
			beacon(t, 20, a) // longer than the evasive timeout
			checkStayedAlive(t, a, "b")
			checkStayedAlive(t, b, "a")
			test.cut(h, a, b)
			gone := func() bool { return !(test.atA && a.Has("b")) && !(test.atB && b.Has("a")) }
			took := within(t, a.Config.Expired+time.Second+test.onItsWay, "the peer exits", gone, a, b)
			t.Logf("EXIT after %v", took)
			if got := b.Count("WHISPER a large"); got != 0 {
				t.Errorf("the large message arrived %d times, want never: it was cut", got)
			}
		})
	}
}

// The system of a stopped process confirms what it receives. That is no sign of life: the
// process exits in time, although small messages go to it all the while.
func TestNet_stoppedWhileSentTo(t *testing.T) {
	t.Parallel()
	h := netns.NewLAN(t, "a", "b")
	h[0].Slow("eth0", largeRate)
	h[1].ReceiveBuffer(largeBuffer / 8)
	a, b := node(h[0], child.Config{}), node(h[1], child.Config{})
	within(t, 3*time.Second, "meshed", meshed(a, b), a, b)
	a.Number("g", 20000, 1000)
	beacon(t, 4, a)
	b.Process.Signal(syscall.SIGSTOP)
	within(t, times.expired+time.Second, "b exits", lost("b", a), a)
}
