package zyre

import (
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"testing"
	"time"
)

// tallies is what a node counted of the numbered messages of a peer.
func (n *netNode) tallies(peer string) (count, missing, twice int) {
	n.t.Helper()
	n.ask("got", "^DONE got")
	lines := n.written(`^GOT \S+ ` + peer + " ")
	if len(lines) == 0 {
		return 0, 0, 0
	}
	m := regexp.MustCompile(`(\d+) missing (\d+) twice (\d+)$`).FindStringSubmatch(lines[len(lines)-1])
	count, _ = strconv.Atoi(m[1])
	missing, _ = strconv.Atoi(m[2])
	twice, _ = strconv.Atoi(m[3])
	return count, missing, twice
}

// checkTallies fails the test if a numbered message was lost silently or came twice.
func checkTallies(t *testing.T, nodes ...*netNode) {
	t.Helper()
	for _, a := range nodes {
		for _, b := range nodes {
			if _, missing, twice := a.tallies(b.node); missing != 0 || twice != 0 {
				t.Errorf("%s missed %d messages of %s and had %d twice, want none", a.node, missing, b.node, twice)
			}
		}
	}
}

// A host that loses every fifth packet makes nobody exit, and no message is lost. (If
// the answers got lost as well, TCP itself would fall silent for half a minute at times:
// it doubles its pause with each try that fails.)
func TestNet_lossyNetwork(t *testing.T) {
	t.Parallel()
	_, h := lan1(t, "a", "b", "c")
	var nodes []*netNode
	for _, host := range h {
		nodes = append(nodes, host.node("-netTally", "-evasive", "5s", "-silent", "10s", "-expired", "30s"))
	}
	within(t, 3*time.Second, "meshed", meshed(nodes...), nodes...)
	h[0].nft(nftIn + "add rule inet zyre in iif != lo numgen random mod 100 < 20 drop")
	seconds := 15
	if netLong {
		seconds = 290
	}
	start, count := time.Now(), 100*seconds
	for _, n := range nodes {
		n.send(fmt.Sprintf("number g %d 100", count))
	}
	netSettled(time.Duration(seconds) * time.Second)
	for _, n := range nodes {
		if line, ok := n.find("^DONE number", 30*time.Second); !ok {
			t.Errorf("%s did not get rid of its messages: %s\n%s", n.node, line, transcript(nodes))
		}
	}
	arrived := func() bool {
		for _, a := range nodes {
			for _, b := range nodes {
				if got, _, _ := a.tallies(b.node); a != b && got != count {
					return false
				}
			}
		}
		return true
	}
	within(t, 30*time.Second, "all messages arrived", arrived, nodes...)
	checkTallies(t, nodes...)
	checkPairs(t, start, 0, nodes...)
}

// A link that is slower than what is sent over it makes the sender wait, and nobody exit.
func TestNet_slowLink(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("tc"); err != nil {
		unableTo(t, "no tc command: %v", err)
	}
	_, h := lan1(t, "a", "b", "c")
	var nodes []*netNode
	for _, host := range h {
		nodes = append(nodes, host.node("-netTally"))
	}
	within(t, 3*time.Second, "meshed", meshed(nodes...), nodes...)
	h[0].do("tc", "qdisc", "add", "dev", "eth0", "root", "tbf", "rate", "512kbit", "burst", "4kb", "latency", "400ms")
	start, count := time.Now(), 10000
	nodes[0].send(fmt.Sprintf("number g %d 5000", count))
	arrived := func() bool {
		b, _, _ := nodes[1].tallies("a")
		c, _, _ := nodes[2].tallies("a")
		return b == count && c == count
	}
	took := within(t, time.Minute, "all messages arrived", arrived, nodes...)
	if took < 3*time.Second {
		t.Errorf("all arrived after %v, want longer: the link is not slow", took)
	}
	checkTallies(t, nodes...)
	checkPairs(t, start, 0, nodes...)
}

// Two halves of a network that is cut lose each other once, and find each other once.
func TestNet_partition(t *testing.T) {
	t.Parallel()
	_, h := lan1(t, "a", "b", "c", "d", "e", "f")
	var nodes []*netNode
	for _, host := range h {
		nodes = append(nodes, host.node("-netTally"))
	}
	left, right := nodes[:3], nodes[3:]
	within(t, 5*time.Second, "meshed", meshed(nodes...), nodes...)
	seconds := int((netTimes.expired + netTimes.down + 4*time.Second) / time.Second)
	for _, n := range nodes {
		n.send(fmt.Sprintf("number g %d 100", 100*seconds))
	}
	netSettled(time.Second)
	cut := time.Now()
	for _, host := range h[:3] {
		host.nft(nftIn + "add rule inet zyre in ip saddr 10.78.0.4-10.78.0.6 drop;" +
			nftOut + "add rule inet zyre out ip daddr 10.78.0.4-10.78.0.6 drop")
	}
	parted := within(t, netTimes.expired+2*time.Second, "parted", apart(left, right), nodes...)
	if parted < netTimes.expired-netTimes.evasive {
		t.Errorf("parted after %v, want not before %v", parted, netTimes.expired)
	}
	netSettled(time.Second)
	for _, half := range [][]*netNode{left, right} {
		checkPairs(t, cut, 0, half...)
	}
	healed := time.Now()
	for _, host := range h[:3] {
		host.nft("")
	}
	within(t, 3*time.Second, "all met again", meshed(nodes...), nodes...)
	for _, n := range nodes {
		if _, ok := n.find("^DONE number", time.Duration(seconds+10)*time.Second); !ok {
			t.Errorf("%s did not get rid of its messages", n.node)
		}
	}
	netSettled(netTimes.expired + time.Second)
	checkTallies(t, nodes...)
	checkPairs(t, healed.Add(-time.Second), 1, nodes...)
	for _, n := range nodes {
		if exits := n.events(healed, "EXIT", ""); len(exits) > 0 {
			t.Errorf("%s saw %v after the cut was healed, want no EXIT", n.node, exits)
		}
	}
}

// Beacons make peers known, and messages keep them: neither does the other's work.
func TestNet_halfBlocked(t *testing.T) {
	t.Parallel()
	_, h := lan1(t, "a", "b")
	a, b := h[0].node(), h[1].node()
	within(t, 3*time.Second, "meshed", meshed(a, b), a, b)
	blocked := time.Now()
	h[0].nft(nftIn + "add rule inet zyre in meta l4proto udp drop;" + nftOut + "add rule inet zyre out meta l4proto udp drop")
	netSettled(2*netTimes.expired + time.Second)
	checkPairs(t, blocked, 0, a, b)
	checkTalk(t, a, b)

	h[0].nft(nftIn + "add rule inet zyre in meta l4proto tcp drop;" + nftOut + "add rule inet zyre out meta l4proto tcp drop")
	parted := within(t, netTimes.expired+time.Second, "parted without TCP", apart([]*netNode{a}, []*netNode{b}), a, b)
	if parted < netTimes.expired-netTimes.evasive-100*time.Millisecond {
		t.Errorf("parted after %v, want not before %v", parted, netTimes.expired)
	}
	netSettled(2 * netTimes.expired)
	checkPairs(t, blocked, 1, a, b)
	h[0].nft("")
	within(t, 5*time.Second, "met again", meshed(a, b), a, b)
	netSettled(netTimes.expired + time.Second)
	checkTalk(t, a, b)
	checkPairs(t, blocked, 1, a, b)
}

// Connections that are reset in the middle of a stream lose messages; the application
// learns of it.
func TestNet_reset(t *testing.T) {
	t.Parallel()
	_, h := lan1(t, "a", "b")
	a, b := h[0].node("-netTally"), h[1].node("-netTally")
	within(t, 3*time.Second, "meshed", meshed(a, b), a, b)
	const count, rate = 10000, 2000
	a.send(fmt.Sprintf("number g %d %d", count, rate))
	start := time.Now()
	for range 3 {
		netSettled(time.Second)
		h[1].nft(nftIn + "add rule inet zyre in meta l4proto tcp reject with tcp reset")
		netSettled(200 * time.Millisecond)
		h[1].nft("")
	}
	if _, ok := a.find("^DONE number", 20*time.Second); !ok {
		t.Fatalf("a did not get rid of its messages\n%s", transcript([]*netNode{a, b}))
	}
	within(t, 5*time.Second, "together", meshed(a, b), a, b)
	netSettled(netTimes.expired + time.Second)
	if !meshed(a, b)() {
		t.Errorf("not together any more\n%s", transcript([]*netNode{a, b}))
	}
	checkTallies(t, a, b)
	got, _, _ := b.tallies("a")
	exits := len(b.events(start, "EXIT", "a"))
	t.Logf("%d of %d messages arrived, with %d EXITs", got, count, exits)
	if exits == 0 && got != count {
		t.Errorf("%d of %d messages arrived and no EXIT, want one", got, count)
	}
	if exits > 6 {
		t.Errorf("%d EXITs after 3 resets, want at most 6\n%s", exits, transcript([]*netNode{a, b}))
	}
}
