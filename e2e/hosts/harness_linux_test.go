package hosts

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-zyre/zyre/e2e/child"
	"github.com/go-zyre/zyre/e2e/netns"
	"github.com/go-zyre/zyre/e2e/watch"
)

// parallel is how many of these tests run at once unless -parallel says otherwise: they
// wait most of the time.
const parallel = "6"

func TestMain(m *testing.M) {
	if err := flag.Set("test.parallel", parallel); err != nil {
		fmt.Fprintln(os.Stderr, "hosts:", err)
		os.Exit(1)
	}
	os.Exit(child.Main(m, attackVerbs))
}

// long makes the tests take the time that things take in life.
var long = os.Getenv("ZYRE_LONG") != ""

// times are the timeouts of nodes in these tests: the defaults if there is time.
var times = func() (t struct{ evasive, silent, expired time.Duration }) {
	t.evasive, t.silent, t.expired = 500*time.Millisecond, time.Second, 3*time.Second
	if long {
		t.evasive, t.silent, t.expired = 5*time.Second, 10*time.Second, 30*time.Second
	}
	return t
}()

// lifelike has a node keep the default timeouts, and beacon as often as by default.
func lifelike(cfg child.Config) child.Config {
	cfg.Evasive, cfg.Silent, cfg.Expired = 5*time.Second, 10*time.Second, 30*time.Second
	return cfg
}

// configure fills in what these tests have in common.
func configure(cfg child.Config, name string) child.Config {
	cfg.Name = cmp.Or(cfg.Name, name)
	cfg.Interval = cmp.Or(cfg.Interval, 250*time.Millisecond)
	cfg.Evasive = cmp.Or(cfg.Evasive, times.evasive)
	cfg.Silent = cmp.Or(cfg.Silent, times.silent)
	cfg.Expired = cmp.Or(cfg.Expired, times.expired)
	cfg.Groups = append(cfg.Groups, "g")
	return cfg
}

// node runs a node on a host, named like it unless the Config says otherwise.
func node(h *netns.Host, cfg child.Config) *child.Node {
	cfg = configure(cfg, h.Name)
	n := h.Start("node " + cfg.Name).Node(cfg)
	n.Start()
	return n
}

// lan makes a network of hosts with these names, with a node on each.
func lan(t *testing.T, cfg child.Config, names ...string) (hosts []*netns.Host, nodes []*child.Node) {
	t.Helper()
	hosts = netns.NewLAN(t, names...)
	for _, h := range hosts {
		nodes = append(nodes, node(h, cfg))
	}
	return hosts, nodes
}

// within is watch.Within; the time in which the nodes, or the test, had no processor does not count.
func within(t *testing.T, limit time.Duration, what string, holds func() bool, nodes ...*child.Node) time.Duration {
	t.Helper()
	var logs []fmt.Stringer
	for _, n := range nodes {
		logs = append(logs, n)
	}
	return watch.WithinWithout(t, limit, waited(nodes...), what, holds, logs...)
}

// waited returns how long the processes of nodes, and this one, wait for a processor from now on. An
// answer goes through two threads of each, so it is twice what the one waits that waits longest.
func waited(nodes ...*child.Node) func() time.Duration {
	look := func() (of []map[string]time.Duration) {
		for _, n := range nodes {
			of = append(of, child.Waited(n.Process.PID()))
		}
		return append(of, child.Waited(os.Getpid()))
	}
	before := look()
	return func() (sum time.Duration) {
		for i, process := range look() {
			longest := time.Duration(0)
			for thread, now := range process {
				longest = max(longest, now-before[i][thread])
			}
			sum += 2 * longest
		}
		return sum
	}
}

func texts(nodes []*child.Node) string {
	var all strings.Builder
	for _, n := range nodes {
		fmt.Fprintln(&all, n)
	}
	return all.String()
}

// meshed asks whether all nodes see all others.
func meshed(nodes ...*child.Node) func() bool {
	return func() bool {
		for _, a := range nodes {
			for _, b := range nodes {
				if a != b && !a.Has(b.Name) {
					return false
				}
			}
		}
		return true
	}
}

func checkMeshed(t *testing.T, nodes ...*child.Node) {
	t.Helper()
	if !meshed(nodes...)() {
		t.Errorf("not all there any more\n%s", texts(nodes))
	}
}

// apart asks whether none of the ones sees any of the others, nor the other way.
func apart(ones, others []*child.Node) func() bool {
	return func() bool {
		for _, a := range ones {
			for _, b := range others {
				if a.Has(b.Name) || b.Has(a.Name) {
					return false
				}
			}
		}
		return true
	}
}

// lost asks whether none of the nodes sees a peer any more.
func lost(peer string, nodes ...*child.Node) func() bool {
	return func() bool {
		for _, n := range nodes {
			if n.Has(peer) {
				return false
			}
		}
		return true
	}
}

// checkPairs fails the test if a node saw more EXITs or ENTERs of another, since a
// moment, than it may.
func checkPairs(t *testing.T, since time.Time, most int, nodes ...*child.Node) {
	t.Helper()
	for _, a := range nodes {
		for _, b := range nodes {
			exits, enters := len(a.Since(since, "EXIT "+b.Name)), len(a.Since(since, "ENTER "+b.Name))
			if a != b && (exits > most || enters > most) {
				t.Errorf("%s saw %d EXIT and %d ENTER of %s, want at most %d\n%s",
					a.Name, exits, enters, b.Name, most, texts(nodes))
			}
		}
	}
}

var talks atomic.Int64 // messages so far, so that no two are the same

// shouted has all nodes shout, and asks whether all have heard all.
func shouted(nodes ...*child.Node) (text string, heard func() bool) {
	text = fmt.Sprint("talk", talks.Add(1))
	for _, n := range nodes {
		n.Shout("g", "%s", text)
	}
	return text, func() bool {
		for _, a := range nodes {
			for _, b := range nodes {
				if a != b && b.Count("SHOUT "+a.Name+" g "+text) == 0 {
					return false
				}
			}
		}
		return true
	}
}

// repeated has all nodes shout again and again, once in two beacons, and asks whether
// all have heard all.
func repeated(nodes ...*child.Node) func() bool {
	heard := func() bool { return false }
	var next uint64
	return func() bool {
		if heard() {
			return true
		}
		if sent := nodes[0].Stats().Beacon.Sent; sent >= next && meshed(nodes...)() {
			next = sent + 2
			_, heard = shouted(nodes...)
		}
		return false
	}
}

// checkTalk fails the test unless a message from each node reaches each other once.
func checkTalk(t *testing.T, nodes ...*child.Node) (begun time.Time) {
	t.Helper()
	begun = time.Now()
	text, heard := shouted(nodes...)
	within(t, 5*time.Second, "all hear all", heard, nodes...)
	for _, a := range nodes {
		for _, b := range nodes {
			if got := b.Count("SHOUT " + a.Name + " g " + text); a != b && got != 1 {
				t.Errorf("%s heard %s %d times, want once", b.Name, a.Name, got)
			}
		}
	}
	return begun
}

// checkNotEarly checks that peers that have expired now were heard, since a time, for as long as that
// takes.
func checkNotEarly(t *testing.T, since time.Time) {
	t.Helper()
	if took := time.Since(since); took < times.expired {
		t.Errorf("expired %v after they were heard, want not before %v", took, times.expired)
	}
}

// expire lasts as long as it takes nodes to give up a silent peer: it starts a witness
// on a host, from where all of the nodes can be reached, kills it when it has entered,
// and waits until they have all seen it exit.
func expire(t *testing.T, h *netns.Host, nodes ...*child.Node) {
	t.Helper()
	w := node(h, child.Config{Name: child.WitnessName(), Interface: "*", Port: nodes[0].Config.Port})
	var logs []*watch.Log
	for _, n := range nodes {
		logs = append(logs, n.Log)
	}
	gone := child.Dying(t, w, logs...)
	within(t, 2*times.expired+watch.Patience, w.Name+" has expired", gone, nodes...)
}

// beacon lasts until each of the nodes has sent so many more beacons: whoever can hear
// them has heard one.
func beacon(t *testing.T, count int, nodes ...*child.Node) {
	t.Helper()
	for _, n := range nodes {
		before := n.Stats().Beacon.Sent
		watch.Reaches(t, n.Name+" beacons", count, func() int { return int(n.Stats().Beacon.Sent - before) })
	}
}

// address returns where a node has a peer connected, as its last ENTER tells.
func address(n *child.Node, peer string) string {
	entered := n.Since(time.Time{}, "ENTER "+peer)
	if len(entered) == 0 {
		return ""
	}
	host, _, _ := strings.Cut(strings.TrimPrefix(entered[len(entered)-1].PeerAddr, "tcp://"), ":")
	return host
}

func checkAddress(t *testing.T, n *child.Node, peer, want string) {
	t.Helper()
	if got := address(n, peer); got != want {
		t.Errorf("%s has %s at %s, want %s", n.Name, peer, got, want)
	}
}

// logged counts the lines of a node's log that match.
func logged(n *child.Node, pattern string) int { return len(n.Process.Lines(pattern)) }
