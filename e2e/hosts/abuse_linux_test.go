package hosts

import (
	"testing"
	"time"

	"github.com/go-zyre/zyre/e2e/child"
	"github.com/go-zyre/zyre/e2e/netns"
	"github.com/go-zyre/zyre/e2e/watch"
)

// A flood of forged beacons neither delays a node's own beacons, nor costs it its peers
// or its memory, and leaves nothing behind.
func TestNet_beaconFlood(t *testing.T) {
	h := netns.NewLAN(t, "a", "b", "x")
	const interval = 250 * time.Millisecond
	a, b := node(h[0], child.Config{Interval: interval}), node(h[1], child.Config{})
	within(t, 3*time.Second, "meshed", meshed(a, b), a, b)
	// The firewall of b counts what comes in: its sockets may overflow.
	h[1].Filter(netns.In("ip saddr 10.78.0.1 udp dport 5670 counter"))
	count, target := 20, "10.78.0.255:5670"
	if long { // and at the full rate, at which a bridge cannot copy to all
		count, target = 80, "10.78.0.1:5670"
	}
	x := h[2].Start("flood")
	x.Flood(target, 50000)
	watch.Until(t, "a is in the flood", func() bool {
		s := a.Stats()
		return s.Dropped.BeaconsRefused > 0 || s.Beacon.Overflowed > 0
	})
	before, start := a.Stats().Beacon.Sent, time.Now()
	counted := h[1].Counted()
	beacon(t, count, a)
	sent, took := a.Stats().Beacon.Sent-before, time.Since(start)
	counted = h[1].Counted() - counted
	stats, heap := a.Stats(), a.Process.Usage().Heap
	t.Logf("a flood of %d; %d beacons of a sent and %d come in %v, half open %d, heap %d kB",
		x.Halt(), sent, counted, took.Round(time.Millisecond), stats.HalfOpen, heap>>10)
	due := float64(took) / float64(interval)
	if got := float64(sent); got < due*0.8 || got > due*1.2+2 {
		t.Errorf("%d beacons of a sent in %v, want %.0f", sent, took, due)
	}
	if float64(counted) < due*0.5 { // the network itself loses some in a flood
		t.Errorf("%d beacons of a came in %v, want %.0f", counted, took, due)
	}
	if heap > 64<<20 {
		t.Errorf("heap = %d, want at most 64 MiB", heap)
	}
	checkPairs(t, start, 0, a, b)
	checkTalk(t, a, b)
	expire(t, h[1], a, b)
	idle, used := time.Now(), a.Process.CPU()
	expire(t, h[1], a, b)
	used, took = a.Process.CPU()-used, time.Since(idle)
	if used > took/5 {
		t.Errorf("%v of processor time in %v after the flood, want idle", used, took)
	}
	if got := a.Stats().HalfOpen; got > 0 {
		t.Errorf("HalfOpen = %d after the flood, want 0", got)
	}
	checkPairs(t, start, 0, a, b)
}

// Connections on which nobody says HELLO do no harm.
func TestNet_muteConnections(t *testing.T) {
	h := netns.NewLAN(t, "a", "b", "x")
	count := 1000
	if long {
		count = 10000
	}
	pa := h[0].Start("node a")
	pa.LimitFiles(count + 1000)
	a, b := pa.Node(configure(child.Config{}, "a")), node(h[1], child.Config{})
	a.Start()
	within(t, 3*time.Second, "meshed", meshed(a, b), a, b)
	start := time.Now()
	x := h[2].Start("connections")
	x.LimitFiles(count + 1000)
	t.Logf("%d of %d connections opened", x.Connect(a.Started.Endpoint, count), count)
	checkTalk(t, a, b)
	expire(t, h[1], a, b)
	used, idle := pa.CPU(), time.Now()
	expire(t, h[1], a, b)
	t.Logf("heap %d kB, %v of processor time in %v", pa.Usage().Heap>>10, pa.CPU()-used, time.Since(idle))
	x.End()
	checkTalk(t, a, b)
	checkPairs(t, start, 0, a, b)
}

// Traffic does not keep a node from noticing that a peer has died.
func TestNet_deathUnderLoad(t *testing.T) {
	h := netns.NewLAN(t, "a", "b", "c")
	tally := child.Config{Tally: true}
	a, b, c := node(h[0], tally), node(h[1], tally), node(h[2], child.Config{})
	within(t, 3*time.Second, "meshed", meshed(a, b, c), a, b, c)
	c.Leave("g")
	within(t, 3*time.Second, "c has left", func() bool { return b.Count("LEAVE c g") == 1 }, b)
	const rate = 50000
	limit := 2*times.expired + time.Second // a busy machine stops a for moments, which do not count
	start := time.Now()
	b.Number("g", rate*(int(limit/time.Second)+60), rate)
	watch.Until(t, "a is under load", func() bool { return a.Tally("b").Count > rate })
	c.Process.Kill()
	within(t, limit, "death noticed under load", lost("c", a), a, b)
	got := a.Tally("b")
	t.Logf("a had %d messages by then, %v after the start", got.Count, time.Since(start))
	if got.Missing != 0 || got.Twice != 0 {
		t.Errorf("a missed %d and had %d twice, want none", got.Missing, got.Twice)
	}
	if b.Sent() > 0 {
		t.Error("b has no more to send, want load until the end")
	}
	checkPairs(t, time.Time{}, 1, a, b)
	b.Process.Kill()
}

// A node without descriptors to spare refuses new peers, lives on, and takes them when
// there are descriptors again.
func TestNet_descriptorLimit(t *testing.T) {
	const files = 60
	h := netns.NewLAN(t, "a", "b", "c", "x")
	pa := h[0].Start("node a")
	pa.LimitFiles(files)
	a, b := pa.Node(configure(child.Config{}, "a")), node(h[1], child.Config{})
	a.Start()
	within(t, 3*time.Second, "meshed", meshed(a, b), a, b)
	x := h[3].Start("connections")
	x.Connect(a.Started.Endpoint, 100)
	watch.Until(t, "a has no descriptors to spare", func() bool { return pa.Descriptors() >= files-2 })
	full, used := time.Now(), pa.CPU()
	c := node(h[2], child.Config{})
	answer := answers(t, a, func() error {
		within(t, 5*time.Second, "the refusal logged", func() bool {
			return logged(a, "too few file descriptors") > 0
		}, a)
		expire(t, h[1], b) // a cannot take the witness either
		return nil
	})
	t.Logf("%v of processor time in %v without descriptors to spare; Stats took %v at the most",
		pa.CPU()-used, time.Since(full).Round(time.Millisecond), answer.Round(time.Millisecond))
	if pa.Ended() {
		t.Fatalf("a has ended\n%s", a)
	}
	checkTalk(t, a, b)
	x.End()
	within(t, 10*time.Second, "c taken", meshed(a, b, c), a, b, c)
	checkTalk(t, a, b, c)
	const most = 20 // warnings of a kind in a short time, twice what is let through at once
	if got := logged(a, "too few file descriptors"); got > most {
		t.Errorf("logged %d times, want at most %d", got, most)
	}
}
