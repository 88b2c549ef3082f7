package zyre

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// netLong makes the tests of whole hosts take the time that it takes in life.
var netLong = os.Getenv("ZYRE_LONG") != ""

// netTimes are the timeouts of nodes in these tests: the defaults if there is time.
var netTimes = func() (t struct{ evasive, silent, expired, down time.Duration }) {
	t.evasive, t.silent, t.expired, t.down = 500*time.Millisecond, time.Second, 3*time.Second, 4*time.Second
	if netLong {
		t.evasive, t.silent, t.expired, t.down = defaultEvasive, defaultSilent, defaultExpired, 30*time.Second
	}
	return t
}()

// netNode is a process with nodes on a host.
type netNode struct {
	*testProc
	node string // its name, or the name of the first
	host *testHost
}

// netEvent is an event that a node wrote.
type netEvent struct {
	at                       time.Time
	node, kind, peer, detail string
}

// node starts a node named like the host, with the timeouts of these tests.
func (h *testHost) node(flags ...string) *netNode {
	h.net.t.Helper()
	return h.nodeNamed(h.name, flags...)
}

func (h *testHost) nodeNamed(name string, flags ...string) *netNode {
	h.net.t.Helper()
	flags = append([]string{
		"-name", name, "-evasive", netTimes.evasive.String(), "-silent", netTimes.silent.String(),
		"-expired", netTimes.expired.String(),
	}, flags...)
	n := &netNode{testProc: h.start("node", flags...), node: name, host: h}
	n.testProc.name = "node " + name
	if !strings.Contains(strings.Join(flags, " "), "-idle") {
		n.expect("^STARTED ")
	}
	return n
}

// lan1 makes a network of hosts with these names, 10.78.0.1 and so on.
func lan1(t *testing.T, names ...string) (*testNet, []*testHost) {
	t.Helper()
	n := newNet(t)
	n.lan("lan")
	var hosts []*testHost
	for i, name := range names {
		h := n.host(name)
		h.connect("lan", "eth0", fmt.Sprintf("10.78.0.%d/24", i+1))
		hosts = append(hosts, h)
	}
	return n, hosts
}

// written returns the lines written so far that match.
func (p *testProc) written(pattern string) (found []string) {
	re := regexp.MustCompile(pattern)
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, line := range p.lines {
		if re.MatchString(line) {
			found = append(found, line)
		}
	}
	return found
}

// events returns the events since a moment that are of a kind and about a peer, both
// of which may be empty for any.
func (n *netNode) events(since time.Time, kind, peer string) (found []netEvent) {
	for _, line := range n.written("^EVENT ") {
		f := append(strings.Fields(line), "", "")
		ns, err := strconv.ParseInt(f[1], 10, 64)
		e := netEvent{at: time.Unix(0, ns), node: f[2], kind: f[3], peer: f[4], detail: f[5]}
		if err == nil && e.at.After(since) && (kind == "" || e.kind == kind) && (peer == "" || e.peer == peer) {
			found = append(found, e)
		}
	}
	return found
}

// has says whether a peer has entered and is still there.
func (n *netNode) has(peer string) bool {
	var epoch time.Time
	return len(n.events(epoch, "ENTER", peer)) > len(n.events(epoch, "EXIT", peer))
}

// ask gives a command and returns the answer that matches.
func (n *netNode) ask(command, pattern string) string {
	n.t.Helper()
	n.skip()
	n.send(command)
	return n.expect(pattern)
}

// stat returns one of the node's counters.
func (n *netNode) stat(field string) int {
	n.t.Helper()
	line := n.ask("stats", "^STATS ")
	m := regexp.MustCompile(`\b` + field + `:(\d+)`).FindStringSubmatch(line)
	if m == nil {
		n.t.Fatalf("no %s in %s", field, line)
	}
	v, _ := strconv.Atoi(m[1])
	return v
}

// within waits until something holds and returns how long that took. If it takes
// longer than it may, the test fails, and goes on if it held at last.
func within(t *testing.T, limit time.Duration, what string, holds func() bool, nodes ...*netNode) time.Duration {
	t.Helper()
	start := time.Now()
	for !holds() {
		if time.Since(start) > 2*limit+patience {
			t.Fatalf("%s: not within %v\n%s", what, time.Since(start).Round(time.Millisecond), transcript(nodes))
		}
		pause(10 * time.Millisecond)
	}
	took := time.Since(start).Round(time.Millisecond)
	if took > limit {
		t.Errorf("%s: after %v, want %v\n%s", what, took, limit, transcript(nodes))
	} else {
		t.Logf("%s: after %v", what, took)
	}
	return took
}

// transcript is what nodes wrote, for a failure.
func transcript(nodes []*netNode) string {
	var b strings.Builder
	for _, n := range nodes {
		n.mu.Lock()
		lines := slices.DeleteFunc(slices.Clone(n.lines), func(l string) bool {
			return strings.HasPrefix(l, "GOT ") || strings.HasPrefix(l, "DONE ")
		})
		fmt.Fprintf(&b, "--- %s\n%s\n", n.node, strings.Join(lines[max(0, len(lines)-60):], "\n"))
		n.mu.Unlock()
	}
	return b.String()
}

// meshed says whether all nodes see all others.
func meshed(nodes ...*netNode) func() bool {
	return func() bool {
		for _, a := range nodes {
			for _, b := range nodes {
				if a != b && !a.has(b.node) {
					return false
				}
			}
		}
		return true
	}
}

// apart says whether none of the ones sees any of the others, nor the other way.
func apart(ones, others []*netNode) func() bool {
	return func() bool {
		for _, a := range ones {
			for _, b := range others {
				if a.has(b.node) || b.has(a.node) {
					return false
				}
			}
		}
		return true
	}
}

// checkPairs fails the test if a node saw more EXITs or ENTERs of another, since a
// moment, than it may.
func checkPairs(t *testing.T, since time.Time, most int, nodes ...*netNode) {
	t.Helper()
	for _, a := range nodes {
		for _, b := range nodes {
			exits, enters := len(a.events(since, "EXIT", b.node)), len(a.events(since, "ENTER", b.node))
			if a != b && (exits > most || enters > most) {
				t.Errorf("%s saw %d EXIT and %d ENTER of %s, want at most %d\n%s",
					a.node, exits, enters, b.node, most, transcript(nodes))
			}
		}
	}
}

// checkTalk fails the test unless a message from each node reaches each other once.
func checkTalk(t *testing.T, nodes ...*netNode) {
	t.Helper()
	text := fmt.Sprintf("talk%d", time.Now().UnixNano())
	for _, a := range nodes {
		a.send("shout g " + text)
	}
	heard := func() bool {
		for _, a := range nodes {
			for _, b := range nodes {
				if a != b && len(b.written("SHOUT "+a.node+" g "+text+"$")) == 0 {
					return false
				}
			}
		}
		return true
	}
	within(t, 5*time.Second, "all hear all", heard, nodes...)
	for _, a := range nodes {
		for _, b := range nodes {
			if got := len(b.written("SHOUT " + a.node + " g " + text + "$")); a != b && got != 1 {
				t.Errorf("%s heard %s %d times, want once", b.node, a.node, got)
			}
		}
	}
}

// netSettled lets some time pass in which nothing should happen.
func netSettled(d time.Duration) { pause(d) }

// nft sets a rule set of the host's firewall, or with "" none.
func (h *testHost) nft(chains string) {
	h.net.t.Helper()
	if _, err := exec.LookPath("nft"); err != nil {
		unableTo(h.net.t, "no nft command: %v", err)
	}
	h.do("nft", "add table inet zyre; delete table inet zyre; add table inet zyre;"+chains)
}

// Rule sets for nft.
const (
	nftIn  = " add chain inet zyre in { type filter hook input priority 0; };"
	nftOut = " add chain inet zyre out { type filter hook output priority 0; };"
)

// hasEnded says whether the process is gone.
func (p *testProc) hasEnded() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ended
}
