package hosts

import (
	"testing"
	"time"

	"github.com/go-zyre/zyre/e2e/child"
	"github.com/go-zyre/zyre/e2e/netns"
	"github.com/go-zyre/zyre/e2e/watch"
)

// checkTallies fails the test if a numbered message was lost silently or came twice.
func checkTallies(t *testing.T, nodes ...*child.Node) {
	t.Helper()
	for _, a := range nodes {
		for _, b := range nodes {
			if got := a.Tally(b.Name); got.Missing != 0 || got.Twice != 0 {
				t.Errorf("%s missed %d messages of %s and had %d twice, want none", a.Name, got.Missing, b.Name, got.Twice)
			}
		}
	}
}

// tallied asks whether all nodes have got so many numbered messages from all others.
func tallied(count int, nodes ...*child.Node) func() bool {
	return func() bool {
		for _, a := range nodes {
			for _, b := range nodes {
				if a != b && a.Tally(b.Name).Count < count {
					return false
				}
			}
		}
		return true
	}
}

// sent asks whether all nodes have got rid of their numbered messages.
func sent(nodes ...*child.Node) func() bool {
	return func() bool {
		for _, n := range nodes {
			if n.Sent() == 0 {
				return false
			}
		}
		return true
	}
}

// A host that loses every fifth packet makes nobody exit, and no message is lost. (If
// the answers got lost as well, TCP itself would fall silent for half a minute at times:
// it doubles its pause with each try that fails.)
func TestNet_lossyNetwork(t *testing.T) {
	t.Parallel()
	h, nodes := lan(t, lifelike(child.Config{Tally: true}), "a", "b", "c")
	within(t, 3*time.Second, "meshed", meshed(nodes...), nodes...)
	h[0].Filter(netns.Loss(20))
	seconds, rate := 15, 100
	if long {
		seconds = 290
	}
	start := time.Now()
	for _, n := range nodes {
		n.Number("g", rate*seconds, rate)
	}
	within(t, time.Duration(seconds+30)*time.Second, "all messages sent", sent(nodes...), nodes...)
	within(t, 30*time.Second, "all messages arrived", tallied(rate*seconds, nodes...), nodes...)
	checkTallies(t, nodes...)
	checkPairs(t, start, 0, nodes...)
}

// A link that is slower than what is sent over it makes the sender wait, and nobody exit.
func TestNet_slowLink(t *testing.T) {
	t.Parallel()
	h, nodes := lan(t, child.Config{Tally: true}, "a", "b", "c")
	a, b, c := nodes[0], nodes[1], nodes[2]
	within(t, 3*time.Second, "meshed", meshed(nodes...), nodes...)
	h[0].Slow("eth0", "512kbit")
	start, count := time.Now(), 10000
	a.Number("g", count, 5000)
	took := within(t, time.Minute, "all messages arrived", func() bool {
		return b.Tally("a").Count == count && c.Tally("a").Count == count
	}, nodes...)
	if took < 3*time.Second {
		t.Errorf("all arrived after %v, want longer: the link is not slow", took)
	}
	checkTallies(t, nodes...)
	checkPairs(t, start, 0, nodes...)
}

// Two halves of a network that is cut lose each other once, and find each other once.
func TestNet_partition(t *testing.T) {
	t.Parallel()
	h, nodes := lan(t, child.Config{Tally: true}, "a", "b", "c", "d", "e", "f")
	left, right := nodes[:3], nodes[3:]
	within(t, 5*time.Second, "meshed", meshed(nodes...), nodes...)
	const rate = 100
	seconds := int(2*times.expired/time.Second) + 5
	for _, n := range nodes {
		n.Number("g", rate*seconds, rate)
	}
	watch.Until(t, "all talk", tallied(rate/2, nodes...))
	talked := checkTalk(t, nodes...)
	cut := time.Now()
	for _, host := range h[:3] {
		host.Filter(netns.In("ip saddr 10.78.0.4-10.78.0.6 drop"), netns.Out("ip daddr 10.78.0.4-10.78.0.6 drop"))
	}
	within(t, times.expired+2*time.Second, "parted", apart(left, right), nodes...)
	checkNotEarly(t, talked)
	for _, half := range [][]*child.Node{left, right} {
		checkTalk(t, half...)
		checkPairs(t, cut, 0, half...)
	}
	healed := time.Now()
	for _, host := range h[:3] {
		host.Filter()
	}
	within(t, 3*time.Second, "all met again", meshed(nodes...), nodes...)
	within(t, time.Duration(seconds+10)*time.Second, "all messages sent", sent(nodes...), nodes...)
	expire(t, h[0], nodes...)
	checkTallies(t, nodes...)
	checkPairs(t, healed.Add(-time.Second), 1, nodes...)
	for _, a := range nodes {
		for _, b := range nodes {
			if exits := a.Since(healed, "EXIT "+b.Name); len(exits) > 0 {
				t.Errorf("%s saw %d EXITs of %s after the cut was healed, want none", a.Name, len(exits), b.Name)
			}
		}
	}
}

// Beacons make peers known, and messages keep them: neither does the other's work.
func TestNet_halfBlocked(t *testing.T) {
	t.Parallel()
	h, nodes := lan(t, child.Config{}, "a", "b")
	a, b := nodes[0], nodes[1]
	within(t, 3*time.Second, "meshed", meshed(a, b), a, b)
	blocked := time.Now()
	noUDP := []netns.Rule{netns.In("meta l4proto udp drop"), netns.Out("meta l4proto udp drop")}
	h[0].Filter(noUDP...)
	expire(t, h[1], b) // a cannot hear of the witness
	expire(t, h[1], b)
	checkPairs(t, blocked, 0, a, b)
	talked := checkTalk(t, a, b)

	h[0].Filter(netns.In("meta l4proto tcp drop"), netns.Out("meta l4proto tcp drop"))
	within(t, times.expired+time.Second, "parted without TCP", apart([]*child.Node{a}, []*child.Node{b}), a, b)
	checkNotEarly(t, talked)
	expire(t, h[1], b)
	expire(t, h[1], b)
	checkPairs(t, blocked, 1, a, b)
	h[0].Filter()
	within(t, 5*time.Second, "met again", meshed(a, b), a, b)
	expire(t, h[1], a, b)
	checkTalk(t, a, b)
	checkPairs(t, blocked, 1, a, b)
}

// Connections that are reset in the middle of a stream lose messages; the application
// learns of it.
func TestNet_reset(t *testing.T) {
	t.Parallel()
	h, nodes := lan(t, child.Config{Tally: true}, "a", "b")
	a, b := nodes[0], nodes[1]
	within(t, 3*time.Second, "meshed", meshed(a, b), a, b)
	const count, rate = 15000, 2000
	start := time.Now()
	a.Number("g", count, rate)
	for range 3 {
		before := b.Tally("a").Count
		watch.Until(t, "messages flow", func() bool { return b.Tally("a").Count > before+rate/2 })
		h[1].Filter(netns.In("meta l4proto tcp counter reject with tcp reset"))
		watch.Until(t, "a connection is reset", func() bool { return h[1].Counted() > 1 })
		h[1].Filter()
	}
	within(t, 20*time.Second, "all messages sent", sent(a), a, b)
	within(t, 5*time.Second, "together", meshed(a, b), a, b)
	expire(t, h[1], a, b)
	checkMeshed(t, a, b)
	checkTallies(t, a, b)
	got, exits := b.Tally("a").Count, len(b.Since(start, "EXIT a"))
	t.Logf("%d of %d messages arrived, with %d EXITs", got, count, exits)
	if exits == 0 && got != count {
		t.Errorf("%d of %d messages arrived and no EXIT, want one", got, count)
	}
	if exits > 6 {
		t.Errorf("%d EXITs after 3 resets, want at most 6\n%s", exits, b)
	}
}
