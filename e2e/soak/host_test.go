//go:build unix

package soak

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-zyre/zyre"
	"github.com/go-zyre/zyre/e2e/child"
)

func TestMain(m *testing.M) { os.Exit(child.Main(m, soakVerbs())) }

// soakVerbs are the commands of a child that is a host of a soak: "soak host" makes it
// from a soakBirth, "soak" is a soakCommand.
func soakVerbs() child.Verbs {
	var h *soakHost
	return child.Verbs{
		"soak host": func(r *child.Reporter, c child.Command) (any, error) {
			var b soakBirth
			err := json.Unmarshal(c.With, &b)
			h = newSoakHost(b, r.Fault)
			return nil, err
		},
		"soak": func(_ *child.Reporter, c child.Command) (any, error) {
			var command soakCommand
			if err := json.Unmarshal(c.With, &command); err != nil || h == nil {
				return nil, errors.Join(err, errNoHost)
			}
			return h.dispatch(command), nil
		},
	}
}

var errNoHost = errors.New("no soak host")

// soakBirth is what a host of a soak is made of: its nodes have names that begin with
// its own.
type soakBirth struct {
	Name        string
	Count, Port int
	Interface   string
	Generation  string
	Seed        uint64
	Certs       []*zyre.Cert // of each node, nil for a plain one
	Authorized  []string     // the public keys of all secure nodes there are
}

// soakHost is a process with some of a soak's nodes. It carries out lines.
type soakHost struct {
	soakBirth
	nodes   []*soakNode
	running []bool
}

func newSoakHost(b soakBirth, fault func(string, ...any)) *soakHost {
	h := &soakHost{soakBirth: b, running: make([]bool, b.Count)}
	for i := range b.Count {
		h.nodes = append(h.nodes, &soakNode{name: fmt.Sprintf("%s%d", b.Name, i), cert: b.Certs[i], fault: fault})
	}
	return h
}

// soakCommand is what a host is told, and soakAnswer what it answers.
type soakCommand struct {
	Do   string
	Node int           // start, stop, stall: which one
	Time time.Duration // stall: how long
}

type soakAnswer struct {
	Err     string
	Reports []soakReport // of nodes that run
	Usage   soakUsage
	Dump    string // of nodes that run
}

// soakUsage is what a process holds.
type soakUsage struct{ Pid, Nodes, Goroutines, Descriptors, Threads, Heap, Resident int }

// dispatch carries out a command. Only one is under way at a time.
func (h *soakHost) dispatch(c soakCommand) (a soakAnswer) {
	var err error
	switch c.Do {
	case "start":
		err = h.start(c.Node)
	case "stop":
		h.stop(c.Node)
	case "start all":
		err = h.each(h.start)
	case "stop all":
		err = h.each(func(i int) error { h.stop(i); return nil })
	case "stall":
		h.nodes[c.Node].stalled.Store(time.Now().Add(c.Time).UnixNano())
	case "passive":
		for _, n := range h.nodes {
			n.passive.Store(true)
			n.acting.Lock() // what it was doing is over
			n.stalled.Store(0)
			n.acting.Unlock()
		}
	case "go":
		for _, n := range h.nodes {
			n.begin()
		}
	case "lastWhispers":
		for _, n := range h.live() {
			n.lastWhispers()
		}
	case "report":
		for _, n := range h.live() {
			a.Reports = append(a.Reports, n.report())
		}
	case "dump":
		a.Dump = h.dump()
	case "usage":
		a.Usage, err = h.usage()
	default:
		err = fmt.Errorf("unknown command %q", c.Do)
	}
	if err != nil {
		a.Err = err.Error()
	}
	return a
}

// begin starts a phase: who is gone now does not come back under the same name.
func (n *soakNode) begin() {
	n.mu.Lock()
	past := map[string]*soakPast{}
	for _, p := range n.peers {
		past[p.run] = n.past[p.run]
	}
	n.received, n.counted = 0, 0
	n.past, n.exits, n.came = past, map[string]int{}, map[string][]string{}
	n.mu.Unlock()
	n.passive.Store(false)
}

func (h *soakHost) live() (nodes []*soakNode) {
	for i, n := range h.nodes {
		if h.running[i] {
			nodes = append(nodes, n)
		}
	}
	return nodes
}

func (h *soakHost) start(i int) error {
	if h.running[i] {
		return nil
	}
	h.running[i] = true
	return h.nodes[i].start(&h.soakBirth, h.Seed+uint64(i))
}

func (h *soakHost) stop(i int) {
	if h.running[i] {
		h.running[i] = false
		h.nodes[i].stop()
	}
}

// each does something with all nodes at once.
func (h *soakHost) each(do func(i int) error) error {
	errs := make([]error, len(h.nodes))
	var wg sync.WaitGroup
	for i := range h.nodes {
		wg.Go(func() { errs[i] = do(i) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// usage tells what the process holds, without what the collector can free.
func (h *soakHost) usage() (u soakUsage, err error) {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	u = soakUsage{
		Pid: os.Getpid(), Nodes: len(h.live()), Goroutines: runtime.NumGoroutine(),
		Descriptors: openDescriptors(), Heap: int(m.HeapAlloc),
	}
	status, err := os.ReadFile("/proc/self/status")
	if os.IsNotExist(err) { // not Linux: nothing to compare
		return u, nil
	}
	for line := range strings.Lines(string(status)) {
		_, _ = fmt.Sscanf(line, "Threads: %d", &u.Threads)
		if _, e := fmt.Sscanf(line, "VmRSS: %d kB", &u.Resident); e == nil {
			u.Resident <<= 10
		}
	}
	return u, err
}

// openDescriptors counts the files that this process has open.
func openDescriptors() int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0 // not Linux: nothing to compare
	}
	return len(entries)
}

// dump is what the nodes that run say of themselves.
func (h *soakHost) dump() string {
	var b strings.Builder
	for _, n := range h.live() {
		fmt.Fprintf(&b, "%s:\n", n.run)
		n.z.Dump(&b)
	}
	return b.String()
}
