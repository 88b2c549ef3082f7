package zyre

import (
	"fmt"
	"math/rand"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-zyre/zyre/internal/transport"
)

// A simulated network: many nodes in one goroutine, on a clock that only the test
// moves. What a real network does by chance a seeded generator does here.

// sim is the network. Hosts are processes, each with one endpoint.
type sim struct {
	tb       testing.TB
	rng      *rand.Rand
	label    string // printed with every failure
	now      time.Time
	hosts    []simHost // alive, in order of start
	conns    []*simConn
	late     []simGoodbye // datagrams under way
	trace    []string     // what happened last
	letters  []*simLetter // whispers sent
	hwm      int          // messages that a connection holds
	window   int          // of the nodes, in bytes; 0 is the default
	made     int          // hosts made
	latency  time.Duration
	rate     int      // of each link, in bytes a second; 0: no message takes any time
	freed    []string // endpoints of processes that have ended
	requires bool     // nodes require by endpoint the hosts that are there when they start
	forged   bool     // somebody forges messages: whispers may be missing unnoticed
}

// simHost is a process: one of our nodes, or a model of another implementation.
type simHost interface {
	base() *simSite
	take(from [16]byte, header []byte, frames [][]byte)
	sight(uuid [16]byte, endpoint string)
	bye(uuid [16]byte)
	turn()
	wakeAt() time.Time
}

// simSite is what every host has.
type simSite struct {
	net      *sim
	uuid     [16]byte
	endpoint string
	side     int // hosts on different sides of a partition do not hear each other
	frozenAt time.Time
	router   map[[16]byte]*simConn // the connection that each routing id belongs to
	silent   bool                  // sends no beacons
	closed   bool                  // no connection to it is possible; its beacons and own connections go out
	hellos   map[[16]byte]int      // HELLOs sent, by the receiver's UUID as far as known
	exits    map[[16]byte]int      // EXITs seen
	got      map[string]int        // whispers received, by text
}

func (s *simSite) base() *simSite { return s }
func (s *simSite) frozen() bool   { return !s.frozenAt.IsZero() }

// simGoodbye is a zero-port beacon under way.
type simGoodbye struct {
	to   simHost
	uuid [16]byte
}

// simConn is a mailbox: a one-way connection. It is established when the receiver
// first reads from it; a newer one with the same routing id then replaces it. Libzmq reads
// nothing more from one that was replaced, and does not close it.
type simConn struct {
	net    *sim
	from   *simSite
	to     string
	queue  []simMessage
	up     bool
	closed bool
	broken error // what send answers, if not nil
	// replaced: what is sent vanishes, until the connection is cut, and made again.
	replaced bool

	delivered uint64 // bytes

	// The HELLO was lost. If the numbers of what follows happen to fit those of the
	// connection before, nobody can see the loss, and gyre crashes at the first JOIN: that
	// is a limit of ZRE.
	headless bool
}

type simMessage struct {
	due    time.Time // when all of it has arrived
	begun  time.Time // when its first byte leaves
	header []byte
	frames [][]byte
}

func newSim(tb testing.TB, seed int64) *sim {
	return &sim{
		tb: tb, rng: rand.New(rand.NewSource(seed)), label: fmt.Sprint("seed ", seed),
		now: time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC), hwm: 1 << 20,
	}
}

// simTail is how much of the trace a failure prints.
const simTail = 60

// note records what happens, for the report of a failure.
func (s *sim) note(format string, args ...any) {
	s.trace = append(s.trace, s.now.Format("04:05.000 ")+fmt.Sprintf(format, args...))
	if len(s.trace) > 1000 {
		s.trace = s.trace[500:]
	}
}

func (s *sim) fatalf(format string, args ...any) {
	s.tb.Helper()
	tail := s.trace[max(0, len(s.trace)-simTail):]
	s.tb.Fatalf("%s: %s\n%s", s.label, fmt.Sprintf(format, args...), strings.Join(tail, "\n"))
}

func (s *sim) site() simSite {
	s.made++
	site := simSite{net: s, router: map[[16]byte]*simConn{}, hellos: map[[16]byte]int{},
		exits: map[[16]byte]int{}, got: map[string]int{}}
	s.rng.Read(site.uuid[:])
	site.endpoint = fmt.Sprintf("tcp://10.0.0.1:%d", 1000+s.made)
	return site
}

// host returns the live process at an endpoint.
func (s *sim) host(endpoint string) simHost {
	for _, h := range s.hosts {
		if h.base().endpoint == endpoint {
			return h
		}
	}
	return nil
}

func (s *sim) dial(from *simSite, to string) *simConn {
	c := &simConn{net: s, from: from, to: to}
	s.conns = append(s.conns, c)
	return c
}

func (c *simConn) Send(header []byte, frames [][]byte) error {
	if c.closed {
		c.net.fatalf("send on a closed mailbox to %s", c.to)
	}
	if c.broken != nil {
		return c.broken
	}
	if len(c.queue) >= c.net.hwm {
		return transport.ErrAgain
	}
	if header[2] == HelloID {
		if h := c.net.host(c.to); h != nil {
			c.from.hellos[h.base().uuid]++
		}
	}
	m := simMessage{header: slices.Clone(header)}
	for _, f := range frames {
		m.frames = append(m.frames, slices.Clone(f))
	}
	if c.replaced {
		c.delivered += m.size()
		return nil
	}
	c.net.schedule(c, &m)
	c.queue = append(c.queue, m)
	return nil
}

func (c *simConn) SendShared(header []byte, p *transport.Payload) error {
	return c.Send(header, [][]byte{p.Bytes()})
}

// Close drops what was sent, except, if the connection is established, for some
// messages that are on the wire already.
func (c *simConn) Close(time.Duration) error {
	if c.closed {
		c.net.fatalf("mailbox to %s closed twice", c.to)
	}
	c.closed = true
	if c.up && len(c.queue) > 0 {
		c.queue = c.queue[:c.net.rng.Intn(len(c.queue)+1)]
	} else {
		c.queue = nil
	}
	return nil
}

// lose cuts a connection: the oldest messages are lost, the others go on. After close
// nobody is left who would connect again: all are lost.
func (c *simConn) lose(n int) {
	n = min(n, len(c.queue))
	if c.closed {
		n = len(c.queue)
	}
	for _, m := range c.queue[:n] {
		c.headless = c.headless || m.header[2] == HelloID
	}
	c.queue = c.queue[n:]
	c.up, c.replaced = false, false
}

// conn returns the open connection from a host to an endpoint.
func (s *sim) conn(from simHost, to string) *simConn {
	for _, c := range s.conns {
		if c.from == from.base() && c.to == to && !c.closed {
			return c
		}
	}
	return nil
}

// deliverable lists the connections that can hand over a message now.
func (s *sim) deliverable() []*simConn {
	s.conns = slices.DeleteFunc(s.conns, func(c *simConn) bool { return c.closed && len(c.queue) == 0 })
	var list []*simConn
	for _, c := range s.conns {
		if to := s.host(c.to); len(c.queue) > 0 && to != nil && s.hear(c.from, to.base()) && !to.base().closed && !simPaused(to) && !c.queue[0].due.After(s.now) {
			list = append(list, c)
		}
	}
	return list
}

// hear says whether a can reach b: no partition, and b runs.
func (s *sim) hear(a, b *simSite) bool { return a.side == b.side && !b.frozen() }

// simPaused says whether a host does not read its inbox: by the rule that node.drain reads by.
func simPaused(h simHost) bool {
	n, ours := h.(*simNode)
	if !ours {
		return false
	}
	n.n.events.countTaken()
	return n.n.events.isFull()
}

// deliver hands over one message.
func (s *sim) deliver(c *simConn) {
	to := s.host(c.to)
	router := to.base().router
	if !c.up {
		c.up = true
		if old := router[c.from.uuid]; old != nil && old != c {
			old.queue, old.replaced = nil, true
		}
		router[c.from.uuid] = c
	}
	m := c.queue[0]
	c.queue = c.queue[1:]
	c.delivered += m.size()
	s.note("%s -> %s: %s #%d", simName(c.from.uuid), simName(to.base().uuid), simCommand(m.header), int(m.header[4])<<8|int(m.header[5]))
	to.take(c.from.uuid, m.header, m.frames)
	if f, alien := to.(*simForeign); alien && f.crashed {
		s.kill(f)
	}
}

// simCommand is the name of the command in a header frame, and of whom an election is about.
func simCommand(header []byte) string {
	names := [...]string{
		HelloID: "HELLO", WhisperID: "WHISPER", ShoutID: "SHOUT", JoinID: "JOIN", LeaveID: "LEAVE",
		PingID: "PING", PingOkID: "PING-OK", ElectID: "ELECT", LeaderID: "LEADER", GoodbyeID: "GOODBYE",
	}
	var v zreView
	if v.parse(header) == nil && (v.id == ElectID || v.id == LeaderID) {
		return fmt.Sprintf("%s %.4s", names[v.id], v.candidate)
	}
	if id := int(header[2]); id < len(names) && names[id] != "" {
		return names[id]
	}
	return fmt.Sprint("command ", header[2])
}

// settle delivers everything, and all that is sent because of it.
func (s *sim) settle() {
	s.tb.Helper()
	for i := 0; ; i++ {
		list := s.deliverable()
		if len(list) == 0 {
			return
		}
		if i > 20_000 {
			s.fatalf("settle: no end of messages")
		}
		s.deliver(list[s.rng.Intn(len(list))])
	}
}

// arrive lets what has been sent arrive.
func (s *sim) arrive() {
	s.settle()
	if s.latency > 0 {
		s.advance(s.latency)
		s.settle()
	}
}

// beacon lets every other host hear a host.
func (s *sim) beacon(h simHost) {
	b := h.base()
	if b.frozen() || b.silent {
		return
	}
	for _, o := range slices.Clone(s.hosts) {
		if o != h && s.hear(b, o.base()) {
			o.sight(b.uuid, b.endpoint)
		}
	}
}

// advance moves the clock and lets every host do what is due, when it is due.
func (s *sim) advance(d time.Duration) {
	for end := s.now.Add(d); ; {
		next := end
		for _, h := range s.hosts {
			if wake := h.wakeAt(); !h.base().frozen() && wake.Before(next) {
				next = wake
			}
		}
		if next.After(s.now) {
			s.now = next
		}
		for _, h := range slices.Clone(s.hosts) {
			if !h.base().frozen() && (next.Equal(end) || !s.now.Before(h.wakeAt())) {
				h.turn()
			}
		}
		if !s.now.Before(end) {
			return
		}
	}
}

// run lets time pass on a healthy network: beacons each second, no delays.
func (s *sim) run(d time.Duration) {
	s.tb.Helper()
	for end := s.now.Add(d); s.now.Before(end); {
		for _, h := range slices.Clone(s.hosts) {
			s.beacon(h)
		}
		for range 4 {
			s.settle()
			s.advance(250 * time.Millisecond)
		}
	}
	s.settle()
}

// add starts a host.
func (s *sim) add(h simHost) {
	s.hosts = append(s.hosts, h)
	s.note("%s starts at %s", simName(h.base().uuid), h.base().endpoint)
}

// kill ends a host without a word.
func (s *sim) kill(h simHost) {
	b := h.base()
	s.note("%s ends", simName(b.uuid))
	s.freed = append(s.freed, b.endpoint)
	s.hosts = slices.DeleteFunc(slices.Clone(s.hosts), func(o simHost) bool { return o == h })
	for _, c := range s.conns {
		if c.from == b && !c.closed {
			_ = c.Close(0)
		}
		if c.to == b.endpoint && c.up {
			c.lose(s.rng.Intn(len(c.queue) + 1))
		}
	}
}

// stop ends a host with a goodbye to all who can hear it.
func (s *sim) stop(h simHost) {
	b := h.base()
	s.kill(h)
	for _, o := range slices.Clone(s.hosts) {
		if s.hear(b, o.base()) {
			o.bye(b.uuid)
		}
	}
}

func (s *sim) freeze(h simHost) {
	s.note("%s freezes", simName(h.base().uuid))
	h.base().frozenAt = s.now
}

func (s *sim) thaw(h simHost) {
	b := h.base()
	b.frozenAt = time.Time{}
	s.note("%s thaws", simName(b.uuid))
	h.turn()
}

func simName(uuid [16]byte) string { return uuidString(uuid)[:4] }
