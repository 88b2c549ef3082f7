package soak

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/go-zyre/zyre/e2e/child"
	"github.com/go-zyre/zyre/e2e/kit"
	"github.com/go-zyre/zyre/e2e/watch"
)

// crowd is many nodes on this host, in as few processes as descriptors allow.
type crowd struct {
	t     *testing.T
	procs []*child.Process
	nodes []*child.Node
}

// allowDescriptors raises the limit of descriptors as far as the system lets it, and
// returns what it is then.
func allowDescriptors(t *testing.T, want uint64) uint64 {
	t.Helper()
	var had syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &had); err != nil {
		t.Fatal(err)
	}
	for _, limit := range []syscall.Rlimit{{Cur: want, Max: max(want, had.Max)}, {Cur: had.Max, Max: had.Max}} {
		if had.Cur < want && syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit) == nil {
			t.Cleanup(func() { _ = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &had) })
			return limit.Cur
		}
	}
	return had.Cur
}

// startCrowd starts nodes on this host, in one process if it may have that many
// descriptors.
func startCrowd(t *testing.T, count int) *crowd {
	t.Helper()
	c := &crowd{t: t}
	want := uint64(4*count*count + 1000)
	limit := allowDescriptors(t, want)
	each := min(count, int(limit-1000)/(4*count))
	if each < count {
		t.Logf("%d nodes in one process need up to %d descriptors, and only %d are allowed: %d nodes in each process", count, want, limit, each)
	}
	port := kit.FreeUDPPort(t)
	for left := count; left > 0; left -= each {
		p := child.Start(t, "crowd")
		for range min(each, left) {
			c.nodes = append(c.nodes, p.Node(child.Config{
				Name: fmt.Sprint("node", len(c.nodes)), Interface: "lo", Port: port, Interval: time.Second, Groups: []string{"all"},
			}))
		}
		c.procs = append(c.procs, p)
	}
	for _, p := range c.procs {
		p.StartAll()
	}
	return c
}

// saw counts the events of a kind at all nodes.
func (c *crowd) saw(kind string) (count int) {
	for _, n := range c.nodes {
		count += n.Count(kind)
	}
	return count
}

// holds tells the processor time and the descriptors of all processes.
func (c *crowd) holds() (cpu time.Duration, descriptors int) {
	for _, p := range c.procs {
		cpu, descriptors = cpu+p.CPU(), descriptors+p.Descriptors()
	}
	return cpu, descriptors
}

// Many nodes on one host find each other, and nothing happens after: 200 of them if
// there is time for it, and in one process if it may have so many descriptors.
func TestSoak_crowd(t *testing.T) {
	quiet, count := soakTime(t), 200
	if quiet < 5*time.Minute {
		quiet, count = quiet/3, 50
	}
	start, all := time.Now(), count*(count-1)
	c := startCrowd(t, count)
	watch.Reaches(t, "all find each other", all, func() int { return c.saw("ENTER") - c.saw("EXIT") })
	used, descriptors := c.holds()
	t.Logf("%d nodes found each other in %v, with %v of processor time and %d descriptors", count,
		time.Since(start).Round(100*time.Millisecond), used, descriptors)
	watch.Reaches(t, "all have joined", all, func() int { return c.saw("JOIN") })
	for _, n := range c.nodes { // whoever was late has been heard by then
		n.Shout("all", "hello")
	}
	watch.Reaches(t, "all hear all", all, func() int { return c.saw("SHOUT") })

	start = time.Now()
	before, _ := c.holds()
	exits := c.saw("EXIT")
	watch.Paced(time.Second, func() (last bool) { return c.saw("EXIT") > exits || time.Since(start) > quiet })
	after, _ := c.holds()
	took := time.Since(start)
	t.Logf("idle for %v: %.2f %% of a processor for each node; %d EXITs before, %d EVASIVEs in all", took.Round(time.Second),
		100*(after-before).Seconds()/took.Seconds()/float64(count), exits, c.saw("EVASIVE"))
	if got := c.saw("EXIT") - exits; got != 0 {
		t.Errorf("%d × EXIT, want none", got)
	}
	if got := c.saw("ENTER") - c.saw("EXIT"); got != all {
		t.Errorf("%d peers in all, want %d", got, all)
	}
}
