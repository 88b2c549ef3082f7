package hosts

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/go-zyre/zyre/e2e/child"
	"github.com/go-zyre/zyre/e2e/netns"
)

// A node that is killed exits when it has been silent for the expired timeout.
func TestNet_killed(t *testing.T) {
	t.Parallel()
	_, nodes := lan(t, child.Config{}, "a", "b", "c")
	a, b, c := nodes[0], nodes[1], nodes[2]
	within(t, 3*time.Second, "meshed", meshed(a, b, c), a, b, c)
	talked := checkTalk(t, a, b, c)
	a.Process.Kill()
	within(t, times.expired+time.Second, "parted", lost("a", b, c), b, c)
	checkNotEarly(t, talked)
	checkPairs(t, time.Time{}, 1, b, c)
	checkTalk(t, b, c)
}

// A node that is killed and started again at the same port takes the place of the old.
func TestNet_restarted(t *testing.T) {
	t.Parallel()
	h := netns.NewLAN(t, "a", "b", "c")
	// With short timeouts b would say HELLO to the old one again, and reach the new one.
	patient := lifelike(child.Config{})
	port := lifelike(child.Config{PeerPort: 49152, Name: "old"})
	old, b, c := node(h[0], port), node(h[1], patient), node(h[2], patient)
	within(t, 3*time.Second, "meshed", meshed(old, b, c), old, b, c)
	old.Process.Kill()
	port.Name = "fresh"
	fresh := node(h[0], port)
	within(t, 2*time.Second, "the new one in the place of the old", func() bool {
		return meshed(fresh, b, c)() && lost("old", b, c)()
	}, fresh, b, c)
	checkTalk(t, fresh, b, c)
	clock := node(h[2], child.Config{Name: "clock"}) // is not patient
	expire(t, h[1], clock)
	checkTalk(t, fresh, b, c)
	checkPairs(t, time.Time{}, 1, old, fresh, b, c)
	checkMeshed(t, fresh, b, c)
}

// With gossip a node says goodbye over TCP as well, in case the beacon is lost.
func TestNet_goodbye(t *testing.T) {
	t.Parallel()
	h := netns.NewLAN(t, "a", "b", "c")
	const at = "tcp://10.78.0.1:9999"
	a := node(h[0], child.Config{GossipBind: at, Port: 5670})
	b := node(h[1], child.Config{GossipConnect: at, Port: 5670})
	c := node(h[2], child.Config{GossipConnect: at, Port: 5670})
	h[2].Filter(netns.Out("meta l4proto udp drop"))
	within(t, 5*time.Second, "meshed", meshed(a, b, c), a, b, c)
	stopped := time.Now()
	c.Stop()
	within(t, time.Second, "c is gone", lost("c", a, b), a, b)
	if took := time.Since(stopped); took > 2*time.Second {
		t.Errorf("c is gone after %v, want at once", took)
	}
	expire(t, h[1], a, b)
	checkPairs(t, time.Time{}, 1, a, b, c)
	c.Start()
	within(t, 10*time.Second, "c is back", func() bool {
		return meshed(a, b, c)() && a.Count("ENTER c") == 2 && b.Count("ENTER c") == 2
	}, a, b, c)
}

// A goodbye that is lost is made up for by the expired timeout.
func TestNet_goodbyeLost(t *testing.T) {
	t.Parallel()
	h, nodes := lan(t, child.Config{}, "a", "b", "c")
	a, b, c := nodes[0], nodes[1], nodes[2]
	within(t, 3*time.Second, "meshed", meshed(a, b, c), a, b, c)
	h[2].Filter(netns.Out("meta l4proto udp drop"))
	talked := checkTalk(t, a, b, c)
	c.Stop()
	within(t, times.expired+time.Second, "c is gone", lost("c", a, b), a, b)
	checkNotEarly(t, talked)
	checkPairs(t, time.Time{}, 1, a, b)
	checkTalk(t, a, b)
}

// storm is many nodes, several on each host.
type storm struct {
	t     *testing.T
	each  int
	procs []*child.Process
	nodes []*child.Node
}

// newStorm starts the nodes of a storm.
func newStorm(t *testing.T, hosts, each int) *storm {
	t.Helper()
	s := &storm{t: t, each: each}
	n := netns.New(t)
	n.Switch("lan")
	for i := range hosts {
		h := n.Host(fmt.Sprintf("h%d", i))
		h.Connect("lan", "eth0", fmt.Sprintf("10.78.0.%d/24", i+1))
		p := h.Start("nodes")
		for j := range each {
			cfg := lifelike(child.Config{Name: fmt.Sprintf("h%dn%d", i, j), Interval: time.Second})
			s.nodes = append(s.nodes, p.Node(configure(cfg, "")))
		}
		p.StartAll()
		s.procs = append(s.procs, p)
	}
	return s
}

// fixed asks whether a node is one of those of the first host, which look on.
func (s *storm) fixed(i int) bool { return i < s.each }

// check fails the test unless each node saw each other enter and exit as often as it
// should, since a moment.
func (s *storm) check(what string, since time.Time, enters, exits func(node, peer int) int) {
	s.t.Helper()
	for i, a := range s.nodes {
		for j, b := range s.nodes {
			got, gone := len(a.Since(since, "ENTER "+b.Name)), len(a.Since(since, "EXIT "+b.Name))
			if i != j && (got != enters(i, j) || gone != exits(i, j)) {
				s.t.Errorf("%s: %s saw %d ENTER and %d EXIT of %s, want %d and %d\n%s", what, a.Name, got, gone,
					b.Name, enters(i, j), exits(i, j), a)
			}
		}
	}
}

// Many nodes that stop and start at once are all there again soon, each with one EXIT
// and one ENTER.
func TestNet_storm(t *testing.T) {
	hosts, each, rounds := 5, 4, 3
	if long {
		hosts, each, rounds = 11, 5, 20
	}
	s := newStorm(t, hosts, each)
	within(t, 10*time.Second, "meshed", meshed(s.nodes...))
	for round := range rounds {
		what := fmt.Sprint("round ", round)
		checkTalk(t, s.nodes...)
		start := time.Now()
		stopped := s.restart()
		complete := func() bool {
			for i, a := range s.nodes {
				for j, b := range s.nodes {
					if i != j && !(s.fixed(i) && s.fixed(j)) && len(a.Since(stopped, "ENTER "+b.Name)) == 0 {
						return false
					}
				}
			}
			return true
		}
		within(t, 5*time.Second, what, complete, s.nodes...)
		checkTalk(t, s.nodes...)
		// The first host may see goodbyes that come late.
		one := func(i, j int) int {
			if s.fixed(i) && s.fixed(j) {
				return 0
			}
			return 1
		}
		s.check(what, start, one, func(i, j int) int {
			if s.fixed(i) {
				return one(i, j)
			}
			return len(s.nodes[i].Since(start, "EXIT "+s.nodes[j].Name)) // before it stopped itself
		})
		s.check(what, stopped, one, func(i, j int) int {
			if s.fixed(i) {
				return len(s.nodes[i].Since(stopped, "EXIT "+s.nodes[j].Name))
			}
			return 0
		})
	}
}

// restart stops all nodes at once but those of the first host, then starts them, and
// returns when they had stopped.
func (s *storm) restart() (stopped time.Time) {
	s.t.Helper()
	all := func(do func(p *child.Process, errs chan<- error)) {
		errs := make(chan error)
		for _, p := range s.procs[1:] {
			go do(p, errs)
		}
		for range s.procs[1:] {
			if err := <-errs; err != nil {
				s.t.Error(err)
			}
		}
	}
	all(func(p *child.Process, errs chan<- error) { errs <- p.Try("stop", "", nil, nil) })
	stopped = time.Now()
	all(func(p *child.Process, errs chan<- error) { errs <- p.Try("start", "", nil, nil) })
	return stopped
}

// The connections of a peer that moves, and of one whose host vanishes, end by
// themselves, though nothing of it arrives any more and an inbox never sends.
func TestNet_connectionsEnd(t *testing.T) {
	t.Parallel()
	h := netns.NewLAN(t, "a", "b")
	a, b := node(h[0], child.Config{}), node(h[1], child.Config{})
	established := func(filter string) int {
		argv := append(h[0].Prefix(), "ss", "-tnoH", "state", "established")
		out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput()
		if err != nil {
			t.Skip("no ss: ", err)
		}
		count := 0
		for line := range strings.Lines(string(out)) {
			if strings.Contains(line, filter) {
				count++
			}
		}
		return count
	}
	within(t, 3*time.Second, "meshed", meshed(a, b), a, b)
	within(t, 3*time.Second, "both connections are probed", func() bool { return established("timer:(keepalive") == 2 }, a, b)
	if !long {
		return
	}
	for i := range 8 {
		h[1].FlushAddrs("eth0")
		h[1].AddAddr("eth0", fmt.Sprintf("10.78.0.%d/24", 100+i))
		within(t, 2*times.expired, "met again", func() bool {
			return meshed(a, b)() && address(a, "b") == fmt.Sprintf("10.78.0.%d", 100+i)
		}, a, b)
	}
	within(t, 2*time.Minute, "one connection in each direction is left", func() bool { return established("10.78.0.") == 2 }, a, b)
	h[1].Down("eth0")
	b.Process.Kill()
	within(t, times.expired+2*time.Minute, "no connection is left", func() bool { return established("10.78.0.") == 0 }, a)
}
