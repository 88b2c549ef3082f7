package zyre

import (
	"bytes"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
)

// An exploration goes through every order of what can happen to two hosts, up to so many
// steps. Each order is replayed from the start; a state that was reached before is not
// gone through again. From every state all trouble ends, and the hosts have to find each
// other, with no whisper lost in silence and no exchange of HELLO without end.
type exploration struct {
	t     *testing.T
	kind  simKind // of b
	start exploreStart
	seen  map[uint64]int // how many steps followed each state
	paths int
}

// exploreStart is the state in which an exploration begins.
type exploreStart struct {
	name string
	do   func(w *exploreWorld)
}

var exploreStarts = []exploreStart{
	{"strangers", func(*exploreWorld) {}},
	{"met", func(w *exploreWorld) { w.s.run(2 * time.Second) }},
	{"one way", func(w *exploreWorld) { w.s.beacon(w.a); w.s.advance(2 * time.Second) }},
}

// exploreWorld is a network of two hosts.
type exploreWorld struct {
	s    *sim
	a    *simNode
	b    simHost
	kind simKind
}

// exploreStep is something that can happen.
type exploreStep struct {
	name string
	do   func(w *exploreWorld) (happened bool)
}

// exploreSteps are what can happen. What is not delivered is delayed.
var exploreSteps = []exploreStep{
	{"all arrives", func(w *exploreWorld) bool { return w.arrive() }},
	{"a's arrives", func(w *exploreWorld) bool { return w.deliver(w.a, 0) }},
	{"b's arrives", func(w *exploreWorld) bool { return w.deliver(w.b, 0) }},
	{"a's newer arrives", func(w *exploreWorld) bool { return w.deliver(w.a, 1) }},
	{"b's newer arrives", func(w *exploreWorld) bool { return w.deliver(w.b, 1) }},
	{"a beacons", func(w *exploreWorld) bool { return w.beacon(w.a) }},
	{"b beacons", func(w *exploreWorld) bool { return w.beacon(w.b) }},
	{"a whispers", func(w *exploreWorld) bool { return w.whisper(w.a, w.b) }},
	{"b whispers", func(w *exploreWorld) bool { return w.whisper(w.b, w.a) }},
	{"a's connection breaks", func(w *exploreWorld) bool { return w.cut(w.a, w.b) }},
	{"b's connection breaks", func(w *exploreWorld) bool { return w.cut(w.b, w.a) }},
	{"a restarts", func(w *exploreWorld) bool { w.a = w.restart(w.a).(*simNode); return true }},
	{"b restarts", func(w *exploreWorld) bool { w.b = w.restart(w.b); return true }},
	{"a freezes or thaws", func(w *exploreWorld) bool { return w.freeze(w.a) }},
	{"b freezes or thaws", func(w *exploreWorld) bool { return w.freeze(w.b) }},
	{"a moment passes", func(w *exploreWorld) bool { w.s.advance(maxVerifyTime + time.Millisecond); return true }},
	{"the evasive time passes", func(w *exploreWorld) bool { w.s.advance(defaultEvasive + maxVerifyTime); return true }},
	{"the expired time passes", func(w *exploreWorld) bool { w.s.advance(defaultExpired + maxVerifyTime); return true }},
}

func (w *exploreWorld) arrive() bool {
	any := len(w.s.deliverable()) > 0
	w.s.settle()
	return any
}

// deliver delivers the oldest message on one of the connections from a host.
func (w *exploreWorld) deliver(from simHost, which int) bool {
	for _, c := range w.s.deliverable() {
		if c.from != from.base() {
			continue
		}
		if which == 0 {
			w.s.deliver(c)
			return true
		}
		which--
	}
	return false
}

func (w *exploreWorld) beacon(h simHost) bool {
	w.s.beacon(h)
	return !h.base().frozen()
}

func (w *exploreWorld) whisper(from, to simHost) bool {
	before := len(w.s.letters)
	switch h := from.(type) {
	case *simNode:
		if !h.frozen() {
			h.whisper(to.base().uuid)
		}
	case *simForeign:
		if !h.frozen() {
			h.tell(to.base().uuid)
		}
	}
	return len(w.s.letters) > before
}

// cut breaks a connection, with all that is under way.
func (w *exploreWorld) cut(from, to simHost) bool {
	c := w.s.conn(from, to.base().endpoint)
	if c == nil || !c.up && len(c.queue) == 0 {
		return false
	}
	c.lose(len(c.queue))
	return true
}

func (w *exploreWorld) freeze(h simHost) bool {
	if h.base().frozen() {
		w.s.thaw(h)
	} else {
		w.s.freeze(h)
	}
	return true
}

// restart kills a host, and starts another one at its port: ours under the same UUID.
func (w *exploreWorld) restart(h simHost) simHost {
	old := *h.base()
	w.s.kill(h)
	if f, ok := h.(*simForeign); ok {
		return w.s.foreignAt(f.kind, old.endpoint)
	}
	return w.s.node(func(_ *config, site *simSite) { site.uuid, site.endpoint = old.uuid, old.endpoint })
}

// newExploreWorld makes the network, and has some steps happen. It reports whether all of
// them can.
func (e *exploration) world(path []int) (w *exploreWorld, possible bool) {
	s := newSim(e.t, 1)
	w = &exploreWorld{s: s, kind: e.kind}
	w.a = s.node(nil)
	if e.kind == "ours" {
		w.b = s.node(nil)
	} else {
		w.b = s.foreign(e.kind)
	}
	e.start.do(w)
	names := []string{e.start.name}
	for _, i := range path {
		names = append(names, exploreSteps[i].name)
	}
	s.label = strings.Join(names, ", ")
	for _, i := range path {
		s.note("— %s", exploreSteps[i].name)
		if !exploreSteps[i].do(w) {
			return w, false
		}
	}
	return w, true
}

// explore goes through all that can follow a path in so many more steps.
func (e *exploration) explore(path []int, depth int) {
	w, possible := e.world(path)
	if !possible {
		return
	}
	state := w.hash()
	rest, known := e.seen[state]
	if known && rest >= depth {
		return
	}
	e.seen[state] = depth
	if !known {
		e.paths++
		w.recover()
	}
	if depth == 0 {
		return
	}
	for i := range exploreSteps {
		e.explore(append(path[:len(path):len(path)], i), depth-1)
	}
}

// recover ends all trouble, and checks what the two hosts make of it.
func (w *exploreWorld) recover() {
	s := w.s
	for _, h := range s.hosts {
		if h.base().frozen() {
			s.thaw(h)
		}
	}
	healing := simHealing
	if w.kind != "ours" {
		healing *= 2
	}
	w.run(healing)
	s.checkLetters()
	simExchange(s, w.a, w.b, "recovered")
	events, hellos := len(w.a.history), w.hellos()
	w.run(10 * time.Second)
	if len(w.a.history) != events || w.hellos() != hellos {
		s.fatalf("after recovery: events %q, %d HELLOs", w.a.history[events:], w.hellos()-hellos)
	}
}

// run lets time pass on a healthy network, in longer steps than sim.run.
func (w *exploreWorld) run(d time.Duration) {
	for end := w.s.now.Add(d); w.s.now.Before(end); {
		w.s.beacon(w.a)
		w.s.beacon(w.b)
		w.s.settle()
		w.s.advance(time.Second)
		w.s.settle()
	}
}

func (w *exploreWorld) hellos() (n int) {
	for _, h := range w.s.hosts {
		for _, count := range h.base().hellos {
			n += count
		}
	}
	return n
}

// hash tells states apart: what both hosts hold of each other, and what is under way.
func (w *exploreWorld) hash() uint64 {
	h := fnv.New64a()
	age := func(t time.Time) time.Duration {
		if t.IsZero() {
			return -1
		}
		return min(w.s.now.Sub(t), 2*defaultExpired)
	}
	for _, host := range w.s.hosts {
		b := host.base()
		fmt.Fprintln(h, b.frozen(), age(b.frozenAt), w.s.now.Sub(host.wakeAt()))
		switch n := host.(type) {
		case *simNode:
			ids := slices.SortedFunc(maps.Keys(n.n.zre.peers), func(a, b [16]byte) int { return bytes.Compare(a[:], b[:]) })
			for _, id := range ids {
				p := n.n.zre.peers[id]
				var deadline time.Time
				if p.probe.isPending() {
					deadline = p.probe.deadline
				}
				fmt.Fprintln(h, p.id, p.handshake.state, p.handshake.resends, age(p.handshake.sentAt), p.presence.state,
					age(p.presence.heardAt), age(p.presence.pingedAt), p.presence.unanswered, p.probe, age(deadline),
					p.in.next, p.out.last, p.halfOpenFor(w.s.now), p.isKnownBySightings(), age(p.enteredAt), age(p.restartedAt), age(p.receivedAt), p.sentSinceHello)
			}
			fmt.Fprintln(h, len(n.n.zre.throttles), len(n.n.zre.unreached), n.sees())
		case *simForeign:
			fmt.Fprintln(h, n.model.State(w.s.now))
		}
	}
	for _, c := range w.s.conns {
		fmt.Fprint(h, c.from.uuid, c.to, c.up, c.closed, c.replaced, c.headless)
		for _, m := range c.queue {
			fmt.Fprintf(h, " %x", m.header)
		}
		fmt.Fprintln(h)
	}
	for _, l := range w.s.letters {
		fmt.Fprint(h, l.to != nil && l.to.base().got[l.text] == 0, l.to != nil && simExits(l.from, l.to) == l.exits)
	}
	return h.Sum64()
}

// TestNode_explore goes through everything that can happen to two hosts in -sim.depth
// steps.
func TestNode_explore(t *testing.T) {
	t.Parallel()
	for _, kind := range append([]simKind{"ours"}, simKinds...) {
		for _, start := range exploreStarts {
			t.Run(fmt.Sprint(kind, "/", start.name), func(t *testing.T) {
				e := &exploration{t: t, kind: kind, start: start, seen: map[uint64]int{}}
				e.explore(nil, *simDepth)
				t.Logf("%d states", e.paths)
			})
		}
	}
}
