//go:build unix

package child

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-zyre/zyre/e2e/watch"
)

// answerTime is how long a command may take: Stop of many nodes on a busy machine.
const answerTime = 60 * time.Second

// A Process is a child as its test sees it. What it writes to its log, and what is no
// report, is kept as lines.
type Process struct {
	*Program
	answers chan report
	asking  sync.Mutex // one command at a time

	mu     sync.Mutex
	nodes  map[string]*Node
	heard  map[string]*Beacon
	faults []string
}

// Start starts a child without nodes.
func Start(t testing.TB, name string) *Process {
	t.Helper()
	return StartUnder(t, name)
}

// StartUnder starts a child behind the words of a command that runs another, such as
// ip netns exec NAME.
func StartUnder(t testing.TB, name string, prefix ...string) *Process {
	t.Helper()
	p := &Process{
		Program: &Program{t: t, Name: name}, answers: make(chan report, 1),
		nodes: map[string]*Node{}, heard: map[string]*Beacon{},
	}
	p.take = p.report
	env := []string{childEnv + "=1", "GORACE=atexit_sleep_ms=0"} // the race detector waits a second by default
	p.start(env, append(slices.Clone(prefix), os.Args[0])...)
	return p
}

// report takes a line of the process.
func (p *Process) report(line string) {
	var r report
	err := json.Unmarshal([]byte(line), &r)
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case err != nil:
		p.faults = append(p.faults, line)
		p.keep(line)
	case r.Event != nil && p.nodes[r.Node] != nil:
		p.nodes[r.Node].Add(*r.At, r.Event)
	case r.Heard != nil && p.heard[r.Node] != nil:
		p.heard[r.Node].add(r.Heard)
	case r.Sent > 0 && p.nodes[r.Node] != nil:
		p.nodes[r.Node].noteSent(r.Sent)
	case r.Log != "":
		p.keep(r.Log)
	case r.Fault != "":
		p.faults = append(p.faults, r.Fault)
	case r.Answer != nil || r.Error != "":
		p.answers <- r
	}
}

// Faults returns what the process found wrong since the last call, and what it wrote that
// is no report.
func (p *Process) Faults() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	faults := p.faults
	p.faults = nil
	return faults
}

// Try gives the process a command, and fills in the answer unless that is nil.
func (p *Process) Try(do, node string, with, answer any) error {
	args, err := json.Marshal(with)
	if err != nil {
		return err
	}
	line, err := json.Marshal(Command{Do: do, Node: node, With: args})
	if err != nil {
		return err
	}
	p.asking.Lock()
	defer p.asking.Unlock()
	if _, err := p.stdin.Write(append(line, '\n')); err != nil {
		return err
	}
	patience := time.NewTimer(answerTime)
	defer patience.Stop()
	for {
		news := p.changed()
		select {
		case r := <-p.answers:
			if r.Error != "" {
				return errors.New(r.Error)
			}
			if answer == nil {
				return nil
			}
			return json.Unmarshal(r.Answer, answer)
		case <-news:
		case <-patience.C:
			return fmt.Errorf("no answer within %v", answerTime)
		}
		if p.Ended() && len(p.answers) == 0 {
			return errors.New("the process has ended")
		}
	}
}

// Do is Try, and fails the test if there is an error.
func (p *Process) Do(do, node string, with, answer any) {
	p.t.Helper()
	if err := p.Try(do, node, with, answer); err != nil {
		p.t.Fatalf("%s: %s %s %+v: %v; it wrote:\n%s", p.Name, do, node, with, err, p.Output())
	}
}

// Node makes a node, which is not started.
func (p *Process) Node(cfg Config) *Node {
	p.t.Helper()
	n := &Node{Log: watch.NewLog(cfg.Name), Process: p, Config: cfg}
	p.mu.Lock()
	p.nodes[cfg.Name] = n
	p.mu.Unlock()
	p.Do("node", "", cfg, &n.UUID)
	return n
}

// Run starts a child with one node in it, which is started.
func Run(t testing.TB, cfg Config) *Node {
	t.Helper()
	n := Start(t, cfg.Name).Node(cfg)
	n.Start()
	return n
}

// StartAll starts all nodes of the process at once.
func (p *Process) StartAll() {
	p.t.Helper()
	p.Do("start", "", nil, nil)
}

// Usage tells what the process has used so far.
func (p *Process) Usage() (u Usage) {
	p.t.Helper()
	p.Do("usage", "", nil, &u)
	return u
}

// LimitFiles sets how many files the process may have open.
func (p *Process) LimitFiles(files int) {
	p.t.Helper()
	p.Do("limit", "", arguments{Files: files}, nil)
}

// Flood sends forged beacons to an address, a number a second, until Halt.
func (p *Process) Flood(to string, rate int) {
	p.t.Helper()
	p.Do("flood", "", arguments{To: to, Rate: rate}, nil)
}

// Halt ends a flood and returns how many beacons were sent.
func (p *Process) Halt() (sent int) {
	p.t.Helper()
	p.Do("halt", "", nil, &sent)
	return sent
}

// Connect opens TCP connections that say nothing, and returns how many there are.
func (p *Process) Connect(endpoint string, count int) (opened int) {
	p.t.Helper()
	p.Do("connect", "", arguments{To: strings.TrimPrefix(endpoint, "tcp://"), Count: count}, &opened)
	return opened
}
